"""Components that a user chose stay, whatever a recipe's argument sets."""

import copy

from gan_jax.base import lookup
from gan_jax.base.errors import RequestError
from gan_jax.config.keys import CHOICES, MANY


def seen(config, chosen) -> tuple[dict, dict]:
  """What `keep` compares with.

  Returns:
    {key of several: its terms}, and {key: names of the arguments} of the chosen
    components of other keys.
  """
  return ({key: copy.deepcopy(config[key]) for key in MANY.values()},
          {key: set(config[key]) for key in chosen
           if key not in MANY and key != 'data'})


def keep(config, chosen, before, of_recipe, argument, value) -> None:
  """Undoes what an argument of a recipe has done to what a user chose.

  Args:
    config: after it.
    chosen: {key: names of components}, as in 'r1+drift'.
    before: of `seen`.
    of_recipe: {key of several: names of the terms that the recipe has}.
    argument: of the recipe.
    value: of the argument.

  Raises:
    RequestError: it chooses other components.
  """
  for key, names in chosen.items():
    asked = names.split('+') if key in MANY else [names]
    found = config[MANY[key]] if key in MANY else [config[key]]
    if [spec.name for spec in found] != asked[:len(found)]:
      raise RequestError(f'{key}={names} and {argument} each choose the {key}: '
                         'give one of them')
    if key in MANY:
      many = MANY[key]
      config[many] = _terms(found, before[0][many], of_recipe[many])
  _unset_unknown(config, before[1], value)


def _terms(after, before, of_recipe):
  """Terms that a user chose, after an argument of the recipe.

  It sets numbers of the terms that the recipe has, as of its R1, and may leave
  those out. Others that took their places stay as they are.
  """
  return tuple(new if new.name in of_recipe else old for new, old in zip(
      after, before, strict=False)) + before[len(after):]


def _unset_unknown(config, had, asked):
  """Removes arguments that a recipe has set but a chosen component lacks.

  Such as the widths of `small` on another network. One whose value the user has
  `asked` for, as in size=64, stays, so that it is refused.

  had: {key: arguments that the component had before}.
  """
  for key, before in had.items():
    home, spec = CHOICES[key], config[key]
    taken = lookup.parameters(lookup.find(home.module, spec.name, home.kind))
    if not any(p.kind is p.VAR_KEYWORD for p in taken.values()):
      for name in {*spec} - before - {*taken}:
        if not asked or spec[name] != asked:
          del spec[name]
