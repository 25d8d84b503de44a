"""Optimisers of optax, with their schedules and what goes around them."""

from collections.abc import Mapping

import jax
import optax

from gan_jax import durations, lookup


def make_optimizer(key, config, units, updates):
  """An optimiser with its schedule, behind a bound on the gradient."""
  spec = dict(config[key])
  rate = spec.get('learning_rate')
  if isinstance(rate, Mapping):
    spec['learning_rate'] = lookup.build('optax', {
        k: durations.steps(v, units) * updates // config['accumulate_steps']
        if durations.is_text(v) else v for k, v in rate.items()})
  if ':' not in spec['name'] and 'learning_rate' not in lookup.defaults(
      'optax', spec['name'], plain=False):
    raise ValueError(f'optax.{spec["name"]} takes no learning_rate: it is a '
                     'transformation, not an optimiser')
  optimizer = lookup.build('optax', spec)
  if not isinstance(optimizer, optax.GradientTransformation):
    raise ValueError(f'optax.{spec["name"]} is not an optimiser')
  chain = [optimizer]
  if config['max_grad_norm']:
    chain.insert(0, optax.clip_by_global_norm(config['max_grad_norm']))
  if key == 'disc_optimizer' and config['disc_frozen']:
    chain.append(_freeze(config['disc_frozen']))
  optimizer = chain[0] if len(chain) == 1 else optax.chain(*chain)
  if config['accumulate_steps'] == 1:
    return optimizer
  return optax.MultiSteps(
      optimizer, config['accumulate_steps']).gradient_transformation()


def _freeze(names) -> optax.GradientTransformation:
  """Keeps the layers of these names as they start (FreezeD, 2002.10964)."""
  def frozen(params):
    if absent := set(names) - set(params):
      raise ValueError(f'disc_frozen names {sorted(absent)}; the layers of the '
                       f'discriminator are {sorted(params)}')
    return {name: jax.tree.map(lambda _, name=name: name in names, part)
            for name, part in params.items()}

  return optax.masked(optax.set_to_zero(), frozen)
