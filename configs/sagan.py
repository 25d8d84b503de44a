"""SAGAN.  Zhang et al. 2019, https://arxiv.org/abs/1805.08318.

  python -m gan_jax.main --config=configs/sagan.py
  ...:size=128                 the paper's size; also 32, 64
  ...:small                    two CPU cores

SNGAN's networks with self-attention, spectral norm in both, projection and
conditional batch norm, hinge loss, two time scales: Adam 1e-4 for the generator
and 4e-4 for the discriminator, (0, 0.9), one step each, batch 256, 1,000,000
steps. Attention at 32 px, of images of 32 px at 16, of the digits at 14.

Departures: batch 64 and 100,000 steps but for size=128; samples of averaged
weights (0.999), where the paper averages none. small: as
sngan:small, with rates of 5e-4 and 2e-3.

Measured: small, four minutes of a core that was shared; each row its digit,
much alike within a row; FD of the classifier with 5,000 samples 4.84 +- 2.8
(three seeds), floor 0.22. The full sizes have not been trained.
"""

from gan_jax.config import recipe

_ATTENTION = {'32': 16, '64': 32, '128': 32}


def get_config(arg=None):
  config = recipe.get_config('sngan:conditioning=projection')
  config.generator.weight_norm = 'spectral'
  config.gen_optimizer = recipe.adam(1e-4, b1=0.0, b2=0.9)
  config.disc_optimizer = recipe.adam(4e-4, b1=0.0, b2=0.9)
  config.generator.attention = config.discriminator.attention = 14
  config.disc_steps = 1
  config.reuse_fakes = True
  return recipe.finish(config, arg, size=size, small=small)


def size(config, side):
  """size=32, 64 or 128: images of that size and networks for them."""
  recipe.known('size', side, _ATTENTION)
  rates = [config[key].learning_rate for key in ('gen_optimizer',
                                                 'disc_optimizer')]
  recipe.module('sngan').size(config, side)
  for key, rate in zip(('gen_optimizer', 'disc_optimizer'), rates,
                       strict=True):
    config[key].learning_rate = rate  # SAGAN's stay what they are.
  config.train_steps = 100_000
  if side == '128':
    config.batch_size, config.train_steps = 256, 1_000_000
  for key in ('generator', 'discriminator'):
    config[key].attention = _ATTENTION[side]


def small(config):
  """As of SNGAN, with rates of 5e-4 and 2e-3."""
  recipe.module('sngan').small(config)
  config.gen_optimizer.learning_rate = recipe.linear(5e-4)
  config.disc_optimizer.learning_rate = recipe.linear(2e-3)
