"""RpGAN + R1 + R2, the game of R3GAN.  Huang et al. 2024, arXiv:2501.05441.

  python -m gan_jax.main --config=configs/rpgan.py
  ...:small                    two CPU cores
  ...:schedule   # their one cosine over rate, beta2, gamma, EMA, augmentation

Pairs of real and generated images, both gradient penalties in every step, Adam
with beta1 0. Departures: DCGAN without norm instead of the networks of `r3gan`;
constant gamma 1, rate 2e-4, beta2 0.99 and EMA, no augmentation, unless
`schedule` is asked for, which has their constants of ImageNet-64: rate 2e-4 to
5e-5, beta2 0.9 to 0.99, gamma 1 to 0.1, probability of `bgc` 0 to 0.4, the
half-life of the EMA 0 to a quarter of the run. Their augmentation has half the
chance of colours, and cutout.

small: batch 16, 24 channels, rates that fall from 1e-3 to 0. Measured: 137 s
of CPU time of an EPYC, digits; FD of the classifier with 2,000
samples 5.78 (floor 0.51, seed 0).
"""

from gan_jax.config import recipe


def _schedule(config):
  for key in ('gen_optimizer', 'disc_optimizer'):
    config[key].learning_rate = recipe.cosine(2e-4, 5e-5)
    config[key].b2 = recipe.cosine(0.9, 0.99)
  for penalty in config.penalties:
    penalty.weight = recipe.cosine(1.0, 0.1)
  config.ema_decay = recipe.cosine(0.0, '25%', 'half_life')
  config.ema_rampup = 0.0
  config.augment = (recipe.term('augment', 'bgc'),)
  config.augment[0].p = recipe.cosine(0.0, 0.4)


def get_config(arg=None):
  config = recipe.get_config('dcgan:paper')
  config.discriminator.norm = 'none'
  config.loss = dict(name='relativistic')
  config.penalties = tuple(recipe.term('penalties', name)
                           for name in ('r1', 'r2'))
  for penalty in config.penalties:
    penalty.weight = 1.0
  config.gen_optimizer = recipe.adam(2e-4, b1=0.0, b2=0.99)
  config.disc_optimizer = recipe.adam(2e-4, b1=0.0, b2=0.99)
  return recipe.finish(config, arg, schedule=_schedule,
                       small=recipe.module('dcgan').small)
