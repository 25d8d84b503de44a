"""SNGAN.  Miyato et al. 2018, https://arxiv.org/abs/1802.05957.

  python -m gan_jax.main --config=configs/sngan.py
  ...:conditioning=projection     with labels: Miyato & Koyama 2018, 1802.05637

ResNets, spectral norm in the discriminator, hinge loss, Adam 2e-4 (0, 0.9)
with five discriminator steps, batch 64, 100,000 steps in the paper with a
linear decay to 0; with labels conditional batch norm in the generator.

Departures: 64 channels instead of 256 or 128, and 20,000 steps, for the digits;
samples of averaged weights (0.999), where the paper averages none.
"""

from gan_jax.config import recipe


def get_config(arg=None):
  config = recipe.base()
  config.latent.size = 128
  config.generator = recipe.choice('generator', 'resnet.Generator') | dict(
      width=64, norm='batch')
  config.discriminator = recipe.choice('discriminator', 'resnet.Discriminator'
                                       ) | dict(width=64,
                                                weight_norm='spectral')
  config.loss = dict(name='hinge')
  for key in ('gen_optimizer', 'disc_optimizer'):
    config[key] = recipe.adam(2e-4, b1=0.0, b2=0.9)
    config[key].learning_rate = recipe.rate(recipe.linear(2e-4))
  config.disc_steps = 5
  config.reuse_fakes = False
  config.train_steps = recipe.duration(20_000)
  return recipe.finish(config, arg, conditioning=conditioning)


def conditioning(config, name):
  """conditioning=projection, or any other of the discriminator."""
  config.discriminator.conditioning = name
  config.generator.norm = 'conditional_batch'
