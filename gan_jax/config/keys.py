"""Table of config keys: default, allowed values, description.

`recipe.base` reads the defaults, `check` the allowed values, the docs the
descriptions. Rules about several keys, data or networks are in `rules.py`.
"""

import difflib
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from gan_jax.base import lookup
from gan_jax.base.errors import Problem
from gan_jax.config import durations, fields
from gan_jax.data import load as data


class Choice(NamedTuple):
  """The component of a key, `dict(name=..., **kwargs)`.

  module, kind: as in `lookup.names`.
  supplied: arguments that the program gives.
  many: whether the key holds a tuple of such dicts.
  extra: further keys of each, read by the game.
  """

  module: str
  kind: str = ''
  supplied: tuple[str, ...] = ()
  many: bool = False
  extra: tuple[str, ...] = ()


class Number(NamedTuple):
  """A float in [low, high), or a schedule for one."""

  low: float
  high: float


class Key(NamedTuple):
  """One key of a config.

  default: in `recipe.base`, and of a run folder whose config lacks the key.
  words: description, one line.
  values: a `Choice`, a `Number`, DURATION, or (predicate, constraint in words).
  """

  default: Any
  words: str
  values: Any


def _is_int(value):
  return isinstance(value, int) and not isinstance(value, bool)


def _whole(low, high=2**31):
  bound = f'>= {low}' if high == 2**31 else f'from {low} to {high - 1}'
  return lambda v: _is_int(v) and low <= v < high, f'must be an int {bound}'


def _real(low):
  return (lambda v: isinstance(v, (int, float)) and not isinstance(v, bool)
          and low <= v < float('inf'), f'must be a float >= {low}')


def _one_of(*values):
  return lambda v: v in values, f'must be one of {values}'


def _text(what):
  return lambda v: isinstance(v, str), f'must be {what}, or empty'


DURATION = (None, durations.RULE)
_SWITCH = lambda v: isinstance(v, bool), 'must be True or False'
_LAYERS = (lambda v: isinstance(v, tuple) and all(
    isinstance(name, str) for name in v), 'must be a tuple of names of layers')
_NETWORK = ('image_shape', 'image_range', 'num_classes', 'row_blocks',
            'axis_name', 'dtype')
_BATCH = ('batch_mean', 'batch_all')

KEYS = {
    'seed': Key(0, 'seed of everything random', (
        # JAX's keys use 32 bits of a seed.
        lambda v: _is_int(v) and 0 <= v < 2**32,
        'must be an int from 0 to 2**32 - 1')),
    'population': Key(1, 'members trained together, with seeds seed, seed + 1, '
                      '...; see docs/populations.md', _whole(1)),
    'dtype': Key('float32', "data type of the networks' arithmetic",
                 _one_of('float32', 'bfloat16')),
    'deterministic': Key(False, 'on GPUs: bit-identical in each start',
                         _SWITCH),
    'data': Key({'name': 'mnist10k'}, 'the data set and how it is read',
                Choice(data.ROOM, supplied=tuple(data.PARTS))),
    'image_range': Key((-1.0, 1.0), 'range of the images that networks see; '
                       'with (0., 1.) generators end in a sigmoid, not tanh',
                       _one_of((-1.0, 1.0), (0.0, 1.0))),
    'batch_size': Key(64, 'real images per update, over all devices',
                      _whole(1)),
    'augment': Key((), 'augmentations of real and generated images', Choice(
        'gan_jax.augment', supplied=('batch_mean', 'batch_size'), many=True)),
    'latent': Key({'name': 'normal', 'size': 100}, 'the prior of z',
                  Choice('gan_jax.game.latents')),
    'latent_steps': Key((), "steps of z along D's gradient before G draws, in "
                        'training (LOGAN)', Choice('gan_jax.game.latent_steps',
                                                   many=True)),
    'generator': Key({'name': 'dcgan.Generator', 'conditioning': 'none'},
                     'the network from z to images',
                     Choice('gan_jax.models', 'Generator', _NETWORK)),
    'discriminator': Key(
        {'name': 'dcgan.Discriminator', 'conditioning': 'none'},
        'the network from images to logits',
        Choice('gan_jax.models', 'Discriminator', (*_NETWORK, 'heads'))),
    'encoder': Key(
        {'name': 'none.Encoder'},
        'the network from images to q(z | x), a part of the player G',
        Choice('gan_jax.models', 'Encoder', (*_NETWORK, 'latent_size'))),
    'joint': Key('none', "whether D judges images with their codes, the 'mean' "
                 "of q(z | x) (BiGAN) or a 'sample' of it (ALI)",
                 _one_of('none', 'mean', 'sample')),
    'loss': Key({'name': 'non_saturating'}, 'the adversarial loss',
                Choice('gan_jax.losses', supplied=_BATCH)),
    'penalties': Key((), 'terms added to the loss, each with a weight', Choice(
        'gan_jax.penalties', supplied=(*_BATCH, 'num_classes', 'image_range'),
        many=True,
        extra=('weight', 'every'))),
    'disc_weight_clip': Key(0.0, "bound of D's weights after its update "
                            '(WGAN), 0 for none', _real(0.0)),
    'max_grad_norm': Key(0.0, 'gradients of a larger global norm are scaled '
                         'down to it, 0 for none', _real(0.0)),
    'gradient_normalization': Key(
        False, 'logits f become f / (|df/dx| + |f|) (Wu et al. 2021)',
        _SWITCH),
    'packing': Key(1, 'images that D judges together (PacGAN)', _whole(1)),
    'unrolled_steps': Key(0, 'updates of D that G looks ahead (unrolled GAN)',
                          _whole(0)),
    'updates': Key('alternating', 'updates of G and D: in turn, or from '
                   'the same state', _one_of('alternating', 'simultaneous')),
    'gen_optimizer': Key({'name': 'adam', 'learning_rate': 2e-4, 'b1': 0.5,
                          'b2': 0.999}, 'optimiser of G', Choice('optax')),
    'disc_optimizer': Key({'name': 'adam', 'learning_rate': 2e-4, 'b1': 0.5,
                           'b2': 0.999}, 'optimiser of D',
                          Choice('optax')),
    'accumulate_steps': Key(1, 'gradients averaged for an update',
                            _whole(1)),
    'lazy_correction': Key(False, "StyleGAN2's correction of rate and betas "
                           'for penalties with every > 1', _SWITCH),
    'disc_frozen': Key((), 'layers of D that are not trained (FreezeD)',
                       _LAYERS),
    'gen_frozen': Key((), "layers of G that are not trained; ('generator',) of "
                      'one with an encoder', _LAYERS),
    'init_from': Key('', 'run folder whose weights a new run starts from',
                     _text('the workdir of another run')),
    'disc_steps': Key(1, 'updates of D in a step', _whole(1)),
    'gen_steps': Key(1, 'updates of G in a step', _whole(1)),
    'reuse_fakes': Key(True, "whether G's first update reuses the images of "
                       "D's last one: one forward pass less", _SWITCH),
    'ema_decay': Key(0.999, 'decay of the averaged generator (EMA), per step; '
                     '0 for no average',
                     Number(0.0, 0.9999999)),  # Rounds to 1 above.
    'ema_rampup': Key(0.05, 'bound of the half-life of the EMA, as a share of '
                      'the steps so far; 0 for none', _real(0.0)),
    'standing_batches': Key(0, "batches of which batch norm's statistics are "
                            'computed anew for samples and scores (BigGAN), 0 '
                            'for the running averages', _whole(0)),
    'train_steps': Key(3000, 'length of the run', DURATION),
    'shard': Key('none', "'state': parameters, moments and averages are split "
                 'over the devices, so that a larger network fits',
                 _one_of('none', 'state')),
    'steps_per_call': Key('auto', 'steps of a compiled chunk (one call); '
                          "'auto': so many that it lasts about 0.5 s", (
        lambda v: v == 'auto' or _whole(1)[0](v),
        "must be 'auto' or an int >= 1")),
    'log_every': Key(20, 'interval of logged rows', DURATION),
    'sample_every': Key(100, 'interval of sample grids; 0: none', DURATION),
    'sample_grid': Key((8, 8), '(rows, columns); a row per class if labelled', (
        lambda v: isinstance(v, tuple) and len(v) == 2
        and all(_is_int(n) and n > 0 for n in v),
        'must be (rows, columns), each 1 or more')),
    'eval_every': Key(1000, 'interval of scores; 0: none', DURATION),
    'evaluators': Key((), 'scores to compute', Choice(
        'gan_jax.evaluators', supplied=('source', 'seed'), many=True)),
    'loggers': Key(({'name': 'tensorboard'},), 'outputs of scalars besides '
                   'scalars.jsonl', Choice('gan_jax.loggers', many=True)),
    'best_metric': Key('', 'score by which WORKDIR/best is chosen',
                       _text('the name of a score')),
    'checkpoint_every': Key(500, 'interval of checkpoints; 0: none', DURATION),
    'keep_checkpoints': Key(3, 'how many of the newest are kept', _whole(1)),
    'watchdog': Key({'policy': 'warn', 'max_rollbacks': 3}, 'reaction to '
                    'findings: warn, stop or rollback', (
        lambda v: isinstance(v, Mapping), 'must be dict(policy=, '
        'max_rollbacks=)')),
}
# Keys whose numbers a step takes as arrays, so that members of a population may
# differ in them. Those of `SWITCHES` turn something off at 0.
SWITCHES = ('ema_decay', 'ema_rampup', 'disc_weight_clip', 'max_grad_norm')
ARRAYS = ('gen_optimizer', 'disc_optimizer', 'loss', 'penalties', 'augment',
          *SWITCHES)
# Keys of the discriminator, and what they are in a game without one.
OF_DISC = {'disc_steps': 1, 'gen_steps': 1, 'updates': 'alternating',
           'joint': 'none', 'unrolled_steps': 0, 'packing': 1,
           'disc_weight_clip': 0.0, 'gradient_normalization': False,
           'disc_frozen': (), 'augment': (), 'latent_steps': ()}
# Keys that runs of version 0.1.0 lack, and fields of their components. At these
# values they change nothing.
_ADDED = {key: KEYS[key].default for key in (
    'encoder', 'joint', 'latent_steps', 'gen_frozen')} | {
        'data.labelled_seed': 0, 'generator.noise': 0.0,
        'discriminator.noise': 0.0}
# A run is a run, alone or a member.
_OF_A_RUN = tuple(k for k in KEYS if k != 'population')
_WATCHDOG = {'policy': _one_of('warn', 'stop', 'rollback'),
             'max_rollbacks': _whole(0)}
DURATIONS = tuple(k for k, key in KEYS.items() if key.values is DURATION)
CHOICES = {k: key.values for k, key in KEYS.items()
           if isinstance(key.values, Choice)}
# The arguments after a recipe's name that choose several components.
MANY = {'penalty': 'penalties', 'augment': 'augment',
        'evaluator': 'evaluators', 'logger': 'loggers',
        'latent_step': 'latent_steps'}
NUMBERS = {k: key.values for k, key in KEYS.items()
           if isinstance(key.values, Number)}


def in_force(config: Mapping[str, Any], path: str) -> Any:
  """The value at a path, or its default where the config leaves it out."""
  value = fields.at(config, path)
  return default(config, path) if value is None else value


def default(config: Mapping[str, Any], path: str) -> Any:
  """The default of a key or of a component's argument, None if unknown."""
  key, _, argument = path.partition('.')
  key = key.split('[')[0]
  if key not in CHOICES:
    return getattr(KEYS.get(path), 'default', None)
  home, spec = CHOICES[key], fields.at(config, path.rpartition('.')[0])
  try:
    return lookup.defaults(home.module, spec['name'], home.kind,
                           plain=False).get(argument)
  except (ValueError, KeyError, TypeError):
    return None  # No such component, which is said elsewhere.


def filled(config: Mapping[str, Any]) -> dict[str, Any]:
  """Adds the defaults of missing keys to the config of an older run."""
  return {k: KEYS[k].default for k in _OF_A_RUN} | dict(config)


def without_added(config: Mapping[str, Any]) -> dict[str, Any]:
  """A config without later keys at their defaults, as an older run has it."""
  def kept(path, value):
    return path not in _ADDED or fields.plain(value) != _ADDED[path]

  return {key: {k: v for k, v in value.items() if kept(f'{key}.{k}', v)}
          if isinstance(value, Mapping) else value
          for key, value in config.items() if kept(key, value)}


def check(config: Mapping[str, Any]) -> list[Problem]:
  """Returns the problems of each key by itself; `config` is a plain dict."""
  problems = [Problem(key, value, 'no such key' + (
      _after_the_colon(key, value) if key in MANY
      else _near(key, value, config)))
              for key, value in config.items() if key not in KEYS]
  problems += [Problem(key, 'absent', 'is missing; start from '
                       'gan_jax.config.recipe.base()')
               for key in _OF_A_RUN if key not in config]
  for key, value in config.items():
    if key not in KEYS:
      continue
    values = KEYS[key].values
    if isinstance(values, Choice):
      problems += _check_choice(key, value, values)
    elif isinstance(values, Number):
      problems += durations.check_number(value, key, *values)
    elif values is DURATION:
      problems += _check_duration(key, value)
    elif not values[0](value):
      problems.append(Problem(key, value, values[1]))
    elif key == 'watchdog':
      problems += _check_keys(key, value, _WATCHDOG)
  return problems


def _after_the_colon(argument, names) -> str:
  """How a command line chooses several components."""
  return (f'; :{argument}={names} after the config, as in '
          f'dcgan:{argument}={names}, chooses it')


def spoken(name, paths) -> list[str]:
  """Paths of which a word is `name`, or the initials: steps, lr."""
  found = [path for path in paths if name in re.split(r'[._]', path)] or [
      path for path in paths if name == ''.join(
          part[:1] for part in path.rpartition('.')[2].split('_'))]
  # Of steps, the length of the run is likelier than the steps of a player.
  return sorted(found, key=lambda path: path not in DURATIONS)


def _near(key, value, config) -> str:
  """A hint for a key that does not exist, also at keys of components."""
  if key == 'epochs':
    return f"; did you mean train_steps='{value} epochs'?"
  own = [*fields.flat({k: v for k, v in config.items() if k in KEYS})]
  if named := spoken(key, [*KEYS, *own]):
    return f'; did you mean {" or ".join(dict.fromkeys(named[:3]))}?'
  paths = {}  # by their last part
  for path in own:
    parts = path.split('.')
    for i, part in enumerate(parts):
      paths.setdefault(part, {})['.'.join(parts[:i + 1])] = None
  last = difflib.get_close_matches(key, [*paths], n=1)
  if not last or last[0] in KEYS:
    return lookup.near(key, KEYS)
  return f'; did you mean {" or ".join([*paths[last[0]]][:3])}?'


def _check_duration(key, value) -> list[Problem]:
  # Whether a duration is 0 is the same in all units.
  units = durations.Units(1, 1, int(key != 'train_steps'), 1)
  try:
    if not durations.steps(value, units) and key in ('train_steps',
                                                     'log_every'):
      raise ValueError('must be above 0')
  except ValueError as e:
    return [Problem(key, value, str(e))]
  return []


def _check_keys(path, spec, rules) -> list[Problem]:
  """Checks a dict that must have exactly the keys of `rules`."""
  problems = [Problem(f'{path}.{key}', value, 'no such key' + lookup.near(
      key, rules)) for key, value in spec.items() if key not in rules]
  for key, (holds, rule) in rules.items():
    if key not in spec:
      problems.append(Problem(f'{path}.{key}', 'absent', 'is missing'))
    elif not holds(spec[key]):
      problems.append(Problem(f'{path}.{key}', spec[key], rule))
  return problems


def _check_choice(key, value, choice) -> list[Problem]:
  if key == 'data':
    return data.check(value, key)
  if not choice.many:
    spec, problems = _without_schedules(key, value, choice)
    return _of_another_name(key, lookup.check(
        choice.module, spec, key, choice.supplied, choice.kind)) + problems
  if not isinstance(value, tuple):
    return [Problem(key, value, 'must be a tuple of dict(name=..., **kwargs)')]
  if value and all(isinstance(spec, str) for spec in value):
    argument = next(one for one, many in MANY.items() if many == key)
    return [Problem(key, value, 'must be a tuple of dict(name=..., **kwargs)'
                    + _after_the_colon(argument, '+'.join(value)))]
  problems = []
  for i, spec in enumerate(value):
    path = f'{key}[{i}]'
    if choice.extra and isinstance(spec, Mapping):
      problems += _check_term(path, spec)
      spec = {k: v for k, v in spec.items() if k not in choice.extra}
    spec, found = _without_schedules(path, spec, choice)
    problems += lookup.check(choice.module, spec, path, choice.supplied,
                             also=choice.extra) + found
  return problems


def _of_another_name(key, problems) -> list[Problem]:
  """Says, of the last argument that is like none, where it may come from."""
  odd = [i for i, (_, _, rule) in enumerate(problems)
         if lookup.NO_SUCH in rule and 'did you mean' not in rule]
  if odd:
    last = problems[odd[-1]]
    problems[odd[-1]] = last._replace(rule=(
        f'{last.rule}; if you set {key}.name: the recipe\'s arguments stay, '
        f'while :{key}=NAME after the config begins with its own'))
  return problems


def _check_term(path, spec) -> list[Problem]:
  holds, rule = _whole(1)
  problems = [] if holds(every := spec.get('every', 1)) else [
      Problem(f'{path}.every', every, rule)]
  if 'weight' not in spec:
    return [Problem(f'{path}.weight', 'absent', 'is missing'), *problems]
  return durations.check_number(spec['weight'], f'{path}.weight') + problems


def _without_schedules(path, spec, choice) -> tuple[Any, list[Problem]]:
  """A spec with 0.0 in place of schedules, and the problems of those."""
  try:
    names = durations.scheduled_arguments(choice, spec)
  except (KeyError, TypeError, ValueError, AttributeError):
    return spec, []  # Not a spec: lookup.check says so.
  if choice.module == 'optax':
    names = {*names, 'learning_rate'} & set(spec)
  problems = [problem for name in sorted(names)
              for problem in durations.check_number(spec[name],
                                                    f'{path}.{name}')]
  return {**spec, **dict.fromkeys(names, 0.0)}, problems
