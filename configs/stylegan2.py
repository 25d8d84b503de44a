"""StyleGAN2.  Karras et al. 2020, https://arxiv.org/abs/1912.04958.

  python -m gan_jax.main --config=configs/stylegan2.py
  ...:size=256       or 32, 64, 128: the networks for images of that size
  ...:cifar          class-conditional, with the authors' constants for CIFAR-10
  ...:small          two CPU cores

With the constants of StyleGAN2-ADA (https://arxiv.org/abs/2006.06676;
`train.py --cfg=auto` for one GPU): non-saturating loss, Adam 0.0025 (0,
0.99), R1 in every 16th update with a weight of 0.0002 side^2 / batch, path
length in every 4th, with their correction of the rates, batch 32 (16 for 256
px), 25 million images, average of a half-life of 10,000 images (5,000). Digits
are padded to 32 px, other images resized by `size`. `--mode=sample
--truncation=0.7` truncates styles; `:augment=ada` is their augmentation for
small data sets. cifar: `--cfg=cifar`, 100 million images, no path length and no
mixing of styles, no skips in the discriminator; with ADA they report an FID of
2.42.

Departures: R1 and path length are added to the loss, theirs are updates of
their own; the path length is of the whole batch, theirs of half of it; see
`stylegan2.Generator`. small has neither path length nor mixing.

Measured: small, 320 images/s on one core, ten minutes: digits, FD 2.1 +- 0.6 of
the classifier with 5,000 samples (three seeds, floor 0.16). It starts slowly:
one shape alone until step 1,500, 64 +- 22 after 2,500, 11 to 19 after 6,000.
Outputs and parameters of the networks are those of the authors'; the full sizes
have not been trained.
"""

from gan_jax.config import recipe


def get_config(arg=None):
  recipe.alone(arg, 'size', 'cifar')
  config = recipe.base()
  config.latent.size = 512
  for key in ('generator', 'discriminator'):
    config[key] = recipe.choice(key, f'stylegan2.{key.capitalize()}')
  config.generator.mapping_layers = 2
  config.penalties = (recipe.term('penalties', 'r1'),
                      recipe.term('penalties', 'path_length'))
  config.penalties[0].every, config.penalties[1].every = 16, 4
  for key in ('gen_optimizer', 'disc_optimizer'):
    config[key] = recipe.adam(0.0025, b1=0.0, b2=0.99)
  config.lazy_correction = True
  config.reuse_fakes = False
  config.train_steps = '25000000 examples'
  size(config, '32')
  config.data.resize, config.data.pad = (), (32, 32)  # of the digits
  return recipe.finish(config, arg, size=size, cifar=cifar, small=small)


def size(config, side):
  """size=32, 64, 128 or 256: channels, batch, weight of R1, average."""
  side = int(recipe.known('size', side, ('32', '64', '128', '256')))
  config.data.resize, config.data.pad = (side, side), ()
  config.generator.width = config.discriminator.width = 16384 // side
  config.batch_size = 16 if side == 256 else 32
  config.penalties[0].weight = recipe.r1_weight(side, config.batch_size)
  average(config, config.batch_size * 10_000 // 32)


def average(config, images):
  """The half-life of the averaged generator, in images."""
  config.ema_decay = recipe.cosine(
      f'{images} examples', f'{images} examples', 'half_life')


def cifar(config):
  """The authors' constants for CIFAR-10."""
  config.batch_size = 64
  gen, disc = config.generator, config.discriminator
  gen.width = disc.width = 1024
  gen.mixing = 0.0
  gen.conditioning = 'embedding'
  disc.conditioning = 'projection'
  disc.residual = False
  disc.group = 32
  config.penalties = config.penalties[:1]
  config.penalties[0].weight = 0.01
  # Theirs corrects G's rate and beta2 for a path length of weight 0, too.
  config.gen_optimizer = recipe.adam(0.0025 * 0.8, b1=0.0, b2=0.99 ** 0.8)
  average(config, 500_000)
  config.train_steps = '100000000 examples'


def small(config):
  """A few channels; no path length and no mixing, as in `cifar`.

  The average of path lengths starts at 0: in a short run the penalty makes the
  images of all styles alike.
  """
  config.latent.size = config.generator.style = 64
  for key in ('generator', 'discriminator'):
    config[key].width, config[key].max_width = 8, 64
  config.generator.mixing = 0.0
  config.batch_size = 16
  config.reuse_fakes = True
  config.penalties = config.penalties[:1]
  config.penalties[0].weight = 0.5
  average(config, 5_000)
  config.train_steps = 12_000
  config.steps_per_call = 100
  config.log_every = 100
  config.sample_every = 500
