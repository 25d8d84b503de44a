"""Builds optax optimisers (schedules, clipping, accumulation)."""

import optax

from gan_jax.base import lookup
from gan_jax.game.rules import is_off


def make_optimizer(spec, config, terms):
  """Builds an optimiser with clipping and accumulation.

  With `accumulate_steps` both networks accumulate together: G's accumulated
  gradients, except the last, use D before its update.

  Args:
    spec: gen_optimizer or disc_optimizer of the config, its schedules built.
    config: plain dict, validated.
    terms: penalties of this network, for `lazy_correction`.

  Raises:
    ValueError: not an optimiser, or an argument is missing.
  """
  name = spec['name']
  if ':' not in name and 'learning_rate' not in lookup.defaults(
      'optax', name, plain=False):
    raise ValueError(f'optax.{name} takes no learning_rate: it is a '
                     'transformation, not an optimiser')
  if config['lazy_correction']:
    spec = spec | _corrected(spec, terms, config['accumulate_steps'])
  optimizer = _build(spec)
  if not isinstance(optimizer, optax.GradientTransformation):
    raise ValueError(f'optax.{name} is not an optimiser')
  if not is_off(config['max_grad_norm']):
    optimizer = optax.chain(
        optax.clip_by_global_norm(config['max_grad_norm']), optimizer)
  if config['accumulate_steps'] == 1:
    return optimizer
  return optax.MultiSteps(
      optimizer, config['accumulate_steps']).gradient_transformation()


def _build(spec):
  """Builds the optimiser; arguments other than learning_rate are injected."""
  moving = {k for k, v in spec.items()
            if callable(v) and k != 'learning_rate'}
  if not moving:
    return lookup.build('optax', spec)
  factory = lookup.find('optax', spec['name'])
  fixed = set(lookup.parameters(factory)) - moving
  return optax.inject_hyperparams(factory, static_args=fixed)(
      **{k: v for k, v in spec.items() if k != 'name'})


def _corrected(spec, terms, accumulated) -> dict:
  """Learning rate and betas for lazy terms.  Karras et al. 2020, 1912.04958, B.

  With c = every / (every + 1): learning_rate c, b1^c, b2^c, so that the updates
  with and without the term move as far as separate ones would. In StyleGAN2
  they are separate; here the term is added to the loss, so that this only
  lowers the learning rate and betas as there. `every` counts updates, of which
  each is of `accumulated` steps.
  """
  intervals = sorted({term.every for term in terms if term.every > 1})
  if not intervals:
    return {}
  if len(intervals) > 1:
    raise ValueError(f'lazy_correction knows one interval of a player, and its '
                     f'terms have every={intervals}; give them the same one')
  known = lookup.defaults('optax', spec['name'], plain=False) | spec
  absent = [k for k in ('learning_rate', 'b1', 'b2') if k not in known]
  if absent:
    raise ValueError(f'lazy_correction changes {", ".join(absent)}, which '
                     f'{spec["name"]} does not have; use adam')
  every = intervals[0] / accumulated
  if every <= 1:  # The term is in each update.
    return {}
  c = every / (every + 1)

  def changed(function, number):
    if callable(number):
      return lambda step: function(number(step))
    return function(number)

  return {'learning_rate': changed(lambda x: x * c, known['learning_rate']),
          'b1': changed(lambda x: x ** c, known['b1']),
          'b2': changed(lambda x: x ** c, known['b2'])}
