"""Variational autoencoder.  Kingma & Welling 2014, arXiv:1312.6114.

  python -m gan_jax.main --config=configs/vae.py
  ...:conv                     convolutions instead of dense layers
  ...:likelihood=gaussian      or bernoulli, of grey values
  ...:beta=4                   weight of the KL (Higgins et al. 2017), 1 is the
                               bound
  ...:vaegan                   with a discriminator, in whose features images
                               are compared (Larsen et al. 2016, 1512.09300)

A game of one player: the generator and its encoder minimise -log p(x | z) + KL.
Dense: two tanh layers of 200 on either side, z 50, digits whose pixels are
drawn anew in each step, 1 with the grey value as probability, batch 20, Adam
1e-3, as the VAE of Burda et al. 2016 (arXiv:1509.00519, section 5), who lower
the rate in eight stages over 3,280 epochs. conv: DCGAN's networks without batch
norm, 24 channels. vaegan: those with batch norm in G, non-saturating loss.

Measured: 103 s of CPU time with a tenth of the digits held out, digits, soft
and some between two; -102.0 +- 2.5 nats by 5,000 samples, of 500 held-out
digits (seed 0). The paper has -86.76 after 3,280 epochs of 60,000. conv, three
minutes of a core: -90.8 +- 1.9 nats of the same digits. vaegan with
train_steps=5000: sharper digits, some of two kinds. X-rays: docs/beyond.md.

Departures: rates fall to 0 linearly within 60 epochs; b1 0.9, b2 0.999 for
both. vaegan: the discriminator judges samples of the prior alone, not those of
the encoder too; its features are those before the last layer.
"""

from gan_jax.config import recipe


def get_config(arg=None):
  config = recipe.base()
  config.latent.size = 50
  config.image_range = (0.0, 1.0)
  for key, kind in (('generator', 'Generator'), ('encoder', 'Encoder')):
    config[key] = recipe.choice(key, f'mlp.{kind}') | dict(
        widths=(200, 200), activation='tanh')
  recipe.without_discriminator(config)
  config.penalties = (recipe.term('penalties', 'elbo'),)
  config.penalties[0].likelihood = 'binarised'
  config.gen_optimizer = recipe.adam(recipe.linear(1e-3), b1=0.9)
  config.batch_size = 20
  config.ema_decay = 0.0
  config.train_steps = '60 epochs'
  config.log_every = '5%'
  config.sample_every = 1000
  config.checkpoint_every = '25%'
  return recipe.finish(config, arg, conv=conv, vaegan=vaegan,
                       likelihood=likelihood, beta=beta)


def conv(config):
  """Convolutions, without running averages."""
  for key, kind in (('generator', 'Generator'), ('encoder', 'Encoder')):
    config[key] = recipe.choice(key, f'dcgan.{kind}') | dict(width=24)
  config.generator.norm = 'none'
  config.batch_size = 32
  config.train_steps = '30 epochs'


def vaegan(config):
  """A discriminator, and a likelihood of its features."""
  conv(config)
  config.image_range = (-1.0, 1.0)
  config.generator.norm = 'batch'
  config.discriminator = recipe.choice('discriminator', 'dcgan.Discriminator'
                                       ) | dict(width=24, norm='none')
  config.loss = recipe.choice('loss', 'non_saturating')
  config.penalties[0].likelihood = 'features'
  config.penalties[0].sigma = 1.0
  config.penalties += (recipe.term('penalties', 'r1'),)
  config.penalties[-1].weight = 1.0
  for key in ('gen_optimizer', 'disc_optimizer'):
    config[key] = recipe.adam(recipe.linear(1e-3), b1=0.5)
  config.ema_decay = 0.999


def likelihood(config, value):
  """As of the term `elbo`."""
  config.penalties[0].likelihood = value


def beta(config, value):
  """Weight of the KL."""
  config.penalties[0].beta = recipe.number('beta', value, float)
