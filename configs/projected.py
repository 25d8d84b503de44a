"""Projected GAN.  Sauer et al. 2021, https://arxiv.org/abs/2111.01007.

  python -m gan_jax.main --config=configs/projected.py
      --config.discriminator.weights=FILE
  ...:conditioning=projection  with labels
  ...:small                    digits on two CPU cores

The discriminator judges the features of a network that is not trained, mixed
over channels and scales by random weights, with a head for each of four scales
(autonomousvision/projected-gan). FILE is the paper's network, the
EfficientNet-Lite0 of timm (tf_efficientnet_lite0, .safetensors or .pth), which
sees images enlarged to 224 px; see `gan_jax/extractors/backbones.py` for
others. Hinge loss of each logit, Adam 2e-4 (0, 0.99), batch 64, differentiable
augmentation, z 256, an average with a half-life of 20,000 images.

Departures: the generator is DCGAN's, theirs FastGAN's. small: FILE is the
classifier of the digits, which any run with scores puts into the cache:
~/.cache/gan_jax/extractors/classifier-*.safetensors; two scales of 14 and 28
px, narrow networks, batch 16, rates of 1e-3 that fall to 0, without
augmentation.

Measured: small, 5 minutes of CPU time on one core, shared with other programs;
digits, FD of the classifier with 5,000 samples 1.52 +- 0.14 (three seeds),
floor 0.22, of the very network whose features the discriminator sees. The full
size has not been trained.
"""

from gan_jax.config import recipe


def get_config(arg=None):
  config = recipe.base()
  config.latent.size = 256
  config.discriminator = recipe.choice(
      'discriminator', 'gan_jax.extractors.projected:Discriminator') | dict(
          size=224)
  config.loss = recipe.choice('loss', 'hinge_each')
  config.augment = (recipe.term('augment', 'diffaugment'),)
  config.gen_optimizer = recipe.adam(2e-4, b1=0.0, b2=0.99)
  config.disc_optimizer = recipe.adam(2e-4, b1=0.0, b2=0.99)
  config.ema_decay = 0.5 ** (64 / 20_000)
  config.train_steps = '10000000 examples'
  return recipe.finish(config, arg, conditioning=conditioning, small=small)


def conditioning(config, name):
  """conditioning=projection, with conditional batch norm in the generator."""
  config.discriminator.conditioning = name
  config.generator.norm = 'conditional_batch'


def small(config):
  """Narrow networks on the features of the digits' own classifier."""
  config.generator.width = 24
  config.discriminator.size = 0
  config.discriminator.mix, config.discriminator.width = 16, 64
  config.latent.size = 32
  for optimizer in (config.gen_optimizer, config.disc_optimizer):
    optimizer.learning_rate = recipe.linear(1e-3)
  config.augment = ()
  config.batch_size = 16
  config.ema_decay = 0.999
  config.train_steps = 5000
  config.sample_every = 500
