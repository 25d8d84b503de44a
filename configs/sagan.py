"""SAGAN.  Zhang et al. 2019, https://arxiv.org/abs/1805.08318.

  python -m gan_jax.main --config=configs/sagan.py

SNGAN's networks with self-attention, spectral norm in both, projection and
conditional batch norm, hinge loss, two time scales: Adam 1e-4 for the generator
and 4e-4 for the discriminator, (0, 0.9), one step each.

Departures: attention at 14 px, as the digits have no 32; 64 channels; samples
of averaged weights (0.999), where the paper averages none.
"""

from gan_jax.config import recipe


def get_config(arg=None):
  config = recipe.get_config('sngan:conditioning=projection')
  config.generator.weight_norm = 'spectral'
  config.generator.attention = config.discriminator.attention = 14
  config.gen_optimizer = recipe.adam(1e-4, b1=0.0, b2=0.9)
  config.disc_optimizer = recipe.adam(4e-4, b1=0.0, b2=0.9)
  config.disc_steps = 1
  config.reuse_fakes = True
  return recipe.finish(config, arg)
