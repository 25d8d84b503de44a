"""SNGAN.  Miyato et al. 2018, https://arxiv.org/abs/1802.05957.

  python -m gan_jax.main --config=configs/sngan.py
  ...:conditioning=projection  with labels: Miyato & Koyama 2018, 1802.05637
  ...:network=cnn              the standard CNN of its table 3
  ...:size=64                  or 32, 128: such images, networks for them
  ...:small                    two CPU cores

ResNets, spectral norm in the discriminator, hinge loss, Adam 2e-4 (0, 0.9)
with five discriminator steps, batch 64, 100,000 steps with a linear decay to 0;
with labels conditional batch norm in the generator. Networks are those of the
authors' pfnet-research/sngan_projection: for 32 px 256 channels in the
generator and 128 in the discriminator; for 64 and 128 px 64 channels at the
image, doubled up to 1024, and as there 250,000 or 450,000 steps of which the
last 50,000 decay. The CNN has Adam 2e-4 (0.5, 0.999) and one discriminator
step, the paper's setting C. Digits of 28 px have the networks for 32 px.

Departures: for 32 px that code has 50,000 steps; its generator sees 128 latents
in an update (64 for 64 px), here 64; all kernels start from Glorot's uniform,
theirs in the blocks with twice its variance; samples of averaged weights
(0.999), where the paper averages none. small: 16 channels, batch 16, rates of
1e-3, one discriminator step.

Measured: small, 6 minutes of CPU time on one core, shared with other programs;
digits, FD of the classifier with 2,000 samples 3.50, floor 0.51 (seed 0). The
full sizes have not been trained.
"""

from gan_jax.config import recipe

_STEPS = {'32': 100_000, '64': 250_000, '128': 450_000}


def get_config(arg=None):
  config = recipe.base()
  config.latent.size = 128
  config.generator = recipe.choice('generator', 'resnet.Generator')
  config.discriminator = recipe.choice('discriminator', 'resnet.Discriminator'
                                       ) | dict(weight_norm='spectral')
  config.loss = dict(name='hinge')
  for key in ('gen_optimizer', 'disc_optimizer'):
    config[key] = recipe.adam(2e-4, b1=0.0, b2=0.9)
  config.disc_steps = 5
  config.reuse_fakes = False
  config.train_steps = _STEPS['32']
  networks(config, '32')
  return recipe.finish(config, arg, size=size, network=network,
                       conditioning=conditioning, small=small)


def size(config, side):
  """size=32, 64 or 128: images of that size and networks for them."""
  networks(config, recipe.known('size', side, _STEPS))
  config.data.resize = (int(side), int(side))


def networks(config, side):
  """Channels, blocks, steps and decay for images of a size."""
  config.train_steps = _STEPS[side]
  gen, disc = config.generator, config.discriminator
  gen.width, gen.max_width = (256, 256) if side == '32' else (64, 1024)
  disc.width, disc.max_width = (128, 128) if side == '32' else (64, 1024)
  disc.to, disc.flat_blocks = {'32': (8, 2), '64': (2, 0), '128': (4, 1)}[side]
  for key in ('gen_optimizer', 'disc_optimizer'):
    rate = recipe.linear(2e-4)
    if side != '32':
      rate.transition_begin = _STEPS[side] - 50_000
      rate.transition_steps = 50_000
    config[key].learning_rate = rate


def conditioning(config, name):
  """conditioning=projection, or any other of the discriminator."""
  config.discriminator.conditioning = name
  config.generator.norm = 'conditional_batch'


def network(config, name):
  """network=resnet, or cnn with its own rates."""
  if recipe.known('network', name, ('resnet', 'cnn')) == 'resnet':
    return
  for key in ('generator', 'discriminator'):
    del config[key]
    config[key] = recipe.choice(key, f'sndcgan.{key.capitalize()}')
  for key in ('gen_optimizer', 'disc_optimizer'):
    config[key].b1, config[key].b2 = 0.5, 0.999
  config.disc_steps = 1
  config.reuse_fakes = True


def small(config):
  """Few channels, small batches and high rates: digits within minutes."""
  for key in ('generator', 'discriminator'):
    config[key].width = 16
    if 'max_width' in config[key]:
      config[key].max_width = 16
  for key in ('gen_optimizer', 'disc_optimizer'):
    config[key].learning_rate = recipe.linear(1e-3)
  config.latent.size = 32
  config.disc_steps = 1
  config.reuse_fakes = True
  config.batch_size = 16
  config.train_steps = 4000
  config.sample_every = 500
