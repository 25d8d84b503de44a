"""R3GAN.  Huang et al. 2024, https://arxiv.org/abs/2501.05441.

  python -m gan_jax.main --config=configs/r3gan.py
  ...:size=64        or 32, 256: networks and constants for images of that size
  ...:cifar          class-conditional, as the authors' for CIFAR-10
  ...:imagenet=64    or 32: class-conditional, as theirs for ImageNet
  ...:small          two CPU cores

The authors' configuration E and `train.py`: relativistic loss with R1 and R2,
Adam (0, beta2), and over the first 20 million images along a cosine learning
rates 2e-4 to 5e-5, beta2 0.9 to 0.99, the penalties' gamma to a tenth, the
half-life of the averaged generator from 0 on. size=32 has their constants for
CIFAR-10 (batch 512, gamma 0.05, half-life 5 million images; FID 1.96 with
labels), 64 and 256 those for FFHQ (batch 256, gamma 2 and 150, half-life
500,000; FID 1.95 and 2.75). imagenet: twice the channels, batch 4096, gamma 1
(0.5 for 32 px), half-life 50 and 200 million images; FID 2.09 (1.27). Digits
are padded to 32 px, other images resized by `size`.

Departures: they train on after those 20 million images, with constant rates,
and flip, move and recolour images with a probability that rises to 0.55 or 0.3;
`:augment=bgc` is nearly that, `--config.augment[0].p=...` its probability.

small: 8 to 64 channels, one block a stage, batch 16, rates from 3e-3, penalties
in every fourth step. Measured: 3,000 steps, four to five minutes of a core,
digits, some of them seldom; FD of the classifier with 5,000 samples 15.5 +-
5.4 (three seeds, floor 0.16), and still falling. With rates from 1e-3 strokes
alike, 36.5 after 2,500 steps where 3e-3 had 15.1 (seed 0, both to 2.5e-4).
Outputs and parameters of the networks are those of the authors'; the full sizes
have not been trained.
"""

from gan_jax.config import recipe

# Batch, gamma at the start, half-life of the average in images at the end.
_SIZES = {'32': (512, 0.05, 5_000_000), '64': (256, 2.0, 500_000),
          '256': (256, 150.0, 500_000)}


def get_config(arg=None):
  recipe.alone(arg, 'size', 'imagenet')
  recipe.alone(arg, 'cifar', 'imagenet')
  config = recipe.base()
  config.latent.size = 64
  for key in ('generator', 'discriminator'):
    config[key] = recipe.choice(key, f'r3gan.{key.capitalize()}')
  config.loss = dict(name='relativistic')
  config.penalties = (recipe.term('penalties', 'r1'),
                      recipe.term('penalties', 'r2'))
  rates(config, 2e-4)
  config.reuse_fakes = False
  config.ema_rampup = 0.0
  config.train_steps = '20000000 examples'
  size(config, '32')
  config.data.resize, config.data.pad = (), (32, 32)  # of the digits
  return recipe.finish(config, arg, size=size, cifar=cifar,
                       imagenet=imagenet, small=small)


def rates(config, start):
  """Learning rates from `start` to a quarter of it, and beta2."""
  for key in ('gen_optimizer', 'disc_optimizer'):
    config[key] = recipe.adam(start, b1=0.0)
    config[key].learning_rate = recipe.cosine(start, start / 4)
    config[key].b2 = recipe.cosine(0.9, 0.99)


def gamma(config, start):
  """Weight of both penalties, from `start` to a tenth of it."""
  for term in config.penalties:
    term.weight = recipe.cosine(start, start / 10)


def size(config, side):
  """size=32, 64 or 256: channels, batch, gamma, average."""
  config.batch_size, start, images = _SIZES[recipe.known('size', side, _SIZES)]
  side = int(side)
  config.data.resize, config.data.pad = (side, side), ()
  config.generator.width = config.discriminator.width = min(
      24_576 // side, 768)
  gamma(config, start)
  config.ema_decay = recipe.cosine(0, f'{images} examples', 'half_life')


def cifar(config):
  """Labels in both networks."""
  config.generator.conditioning = 'embedding'
  config.discriminator.conditioning = 'projection'


def imagenet(config, side):
  """imagenet=32 or 64: labels, twice the channels, ten times the images."""
  recipe.known('imagenet', side, ('32', '64'))
  size(config, side)
  cifar(config)
  for network in (config.generator, config.discriminator):
    network.width = network.max_width = 1536
    network.group_width = 32
  config.batch_size = 4096
  gamma(config, 1.0 if side == '64' else 0.5)
  config.ema_decay = recipe.cosine(0, '50000000 examples', 'half_life')
  config.train_steps = '200000000 examples'


def small(config):
  """A few channels, one block a stage, high rates, a faster average."""
  for key in ('generator', 'discriminator'):
    config[key].width, config[key].max_width = 8, 64
    config[key].stage_blocks = 1
  config.batch_size = 16
  config.reuse_fakes = True
  rates(config, 3e-3)
  gamma(config, 0.3)
  for term in config.penalties:
    term.every = 4
  config.ema_decay = recipe.cosine(0, '10000 examples', 'half_life')
  config.train_steps = 3000
  config.steps_per_call = 100
  config.log_every = 100
  config.sample_every = 500
