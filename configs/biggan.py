"""BigGAN.  Brock et al. 2019, https://arxiv.org/abs/1809.11096.

  python -m gan_jax.main --config=configs/biggan.py
  ...:size=128                 the paper's size; also 32, 64
  ...:deep                     BigGAN-deep; deep,size=128 is the paper's
  ...:deep,size=128,logan      LOGAN: Wu et al. 2019, arXiv:1912.00953
  ...:small                    two CPU cores; deep,small too

z in chunks for each block, one class embedding shared by all conditional norms,
orthogonal starts, spectral norm in both, projection, hinge, Adam 5e-5 for G and
2e-4 for D (0, 0.999), two discriminator steps, orthogonal regularisation 1e-4
of G, average 0.9999, truncation when sampling (`--mode=sample
--truncation=0.5`). For 128 px 96 channels, deep 128, z 120, deep 128 and whole
in every block, attention at 64 px, batch 2048, 200,000 steps. The paper has no
smaller images: 64 px as in PyTorch-StudioGAN, and 32 px, of the digits too, 256
channels throughout as in ajbrock/BigGAN-PyTorch, with attention at 16 px in
size=32. logan: steps of z along D's gradient, z uniform and of 256, leaky ReLU
of 0.2 (FID 3.4 on ImageNet at 128 px, 32 % below BigGAN-deep's).

Departures: batch 64 and 100,000 steps but for size=128. The average begins with
the first weights, of which 0.9999^n is left after n steps;
`--config.ema_rampup=0.3` forgets them and still ends near 0.9999. small: 16
channels, deep 32, batch 16, ten times the rates, one discriminator step,
average 0.999.

Measured: small, 7 minutes of CPU time on one core, shared with other programs;
each row its digit; FD of the classifier with 5,000 samples 2.07 +- 1.2 (three
seeds), floor 0.22. deep,small: each row its digit, FD 1.64 +- 0.44 (three
seeds); with 16 channels and 4,000 steps no digits, FD 17. The full sizes and
`logan` have not been trained.
"""

from gan_jax.config import recipe

# side: z, of a whole number for each piece; height of the attention.
_SIZES = {'32': (80, 16), '64': (100, 32), '128': (120, 64)}


def get_config(arg=None):
  config = recipe.base()
  networks(config, 'biggan')
  config.latent.size = 80
  config.loss = dict(name='hinge')
  config.gen_optimizer = recipe.adam(5e-5, b1=0.0)
  config.disc_optimizer = recipe.adam(2e-4, b1=0.0)
  config.disc_steps = 2
  config.reuse_fakes = False
  config.penalties = (recipe.term('penalties', 'orthogonal'),)
  config.penalties[0].player = 'gen'
  config.ema_decay = 0.9999
  config.ema_rampup = 0.0  # It would hold the decay below the paper's.
  config.train_steps = 100_000
  return recipe.finish(config, arg, deep=deep, size=size, logan=logan,
                       small=small)


def networks(config, name):
  """The networks of a module, for 32 px."""
  for key in ('generator', 'discriminator'):
    del config[key]
    config[key] = recipe.choice(key, f'{name}.{key.capitalize()}') | dict(
        width=256, max_width=256)
  config.discriminator.to = 8
  config.discriminator.flat_blocks = 1 if name == 'biggan_deep' else 2


def deep(config):
  """Bottlenecks; z whole in every block."""
  networks(config, 'biggan_deep')
  config.latent.size = 128


def size(config, side):
  """size=32, 64 or 128: images of that size and networks for them."""
  z, attention = _SIZES[recipe.known('size', side, _SIZES)]
  config.data.resize = (int(side), int(side))
  is_deep = config.generator.name == 'biggan_deep.Generator'
  config.latent.size = 128 if is_deep else z
  for key in ('generator', 'discriminator'):
    config[key].attention = attention
    if side != '32':
      config[key].width = 128 if is_deep else 96
      config[key].max_width = 16 * config[key].width
  if side != '32':
    config.discriminator.to = 4
    config.discriminator.flat_blocks = 0 if is_deep else 1
  if side == '128':
    config.batch_size, config.train_steps = 2048, 200_000


def logan(config):
  """Latent optimisation, and what it needs of z and of the activation."""
  config.latent = recipe.choice('latent', 'uniform') | dict(size=256)
  config.latent_steps = (recipe.term('latent_steps', 'natural'),)
  for key in ('generator', 'discriminator'):
    config[key].activation, config[key].leak = 'leaky_relu', 0.2


def small(config):
  """Few channels, small batches and high rates: digits within minutes."""
  # A bottleneck has a quarter of the channels: with 4 deep draws no digits.
  is_deep = config.generator.name == 'biggan_deep.Generator'
  for key in ('generator', 'discriminator'):
    config[key].width = config[key].max_width = 32 if is_deep else 16
  config.generator.embed_dim = 16
  config.gen_optimizer.learning_rate = recipe.linear(5e-4)
  config.disc_optimizer.learning_rate = recipe.linear(2e-3)
  config.latent.size = 32
  config.disc_steps = 1
  config.reuse_fakes = True
  config.batch_size = 16
  config.ema_decay, config.ema_rampup = 0.999, 0.05
  config.train_steps = 6000 if is_deep else 4000
  config.sample_every = 500
