"""RpGAN + R1 + R2, the game of R3GAN.  Huang et al. 2024, arXiv:2501.05441.

  python -m gan_jax.main --config=configs/rpgan.py

Pairs of real and generated images, both gradient penalties in every step, Adam
with beta1 0. Departures: DCGAN without norm instead of the paper's ResNet, and
constant gamma 1, rate 2e-4 and beta2 0.99 instead of one cosine schedule over
all of them.
"""

from configs import common, dcgan


def get_config(arg=None):
  config = dcgan.get_config()
  config.discriminator.norm = 'none'
  config.loss = dict(name='relativistic')
  config.penalties = tuple(common.term('penalties', name)
                           for name in ('r1', 'r2'))
  for penalty in config.penalties:
    penalty.weight = 1.0
  config.gen_optimizer = common.adam(2e-4, b1=0.0, b2=0.99)
  config.disc_optimizer = common.adam(2e-4, b1=0.0, b2=0.99)
  return common.finish(config, arg)
