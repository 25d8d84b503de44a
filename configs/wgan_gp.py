"""Recipe 7, WGAN-GP.  Gulrajani et al. 2017, https://arxiv.org/abs/1704.00028.

  python -m gan_jax.main --config=configs/wgan_gp.py
  python -m gan_jax.main --config=configs/wgan_gp.py:network=mlp
  python -m gan_jax.main --config=configs/wgan_gp.py:data=fashion_mnist

Algorithm 1: Adam 1e-4 (0, 0.9), five critic steps, penalty weight 10; no norm
in the critic (`--config.discriminator.norm=layer` is the paper's other way).
Departures: half of DCGAN's width; samples of averaged weights (0.999), where
the paper averages none.

Measured: 1,172 images/s on one core of a Xeon, 9 minutes; digits,
fd_random_2k 0.100, floor 0.028 (seed 0).
"""

from configs import common, wgan


def get_config(arg=None):
  config = wgan.get_config()
  config.discriminator.norm = 'none'
  config.disc_weight_clip = 0.0
  config.penalties = (common.term('penalties', 'wgan_gp'),)
  config.gen_optimizer = common.adam(1e-4, b1=0.0, b2=0.9)
  config.disc_optimizer = common.adam(1e-4, b1=0.0, b2=0.9)
  config.train_steps = common.duration(2000)
  return common.finish(config, arg, network=wgan.network)
