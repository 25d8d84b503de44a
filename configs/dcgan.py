"""Recipe 6, DCGAN.  Radford et al. 2016, https://arxiv.org/abs/1511.06434.

  python -m gan_jax.main --config=configs/dcgan.py
  python -m gan_jax.main --config=configs/dcgan.py:data=fashion_mnist

Departures: 4x4 kernels as in the usual ports, three doublings for 28 px
(4 -> 7 -> 14 -> 28), z normal (paper: uniform), batch 64 (paper: 128), samples
from averaged weights.

Measured on two cores of a Xeon, idle: 12 minutes at 356 images/s, digits to be
read after 1,300 steps, 4 minutes. The same machine gave 657 images/s in another
hour, which makes 6.5 minutes. fd_random_2k 0.035 after 5,000 steps, floor 0.028
(seed 0).
"""

from gan_jax.config import recipe


def get_config(arg=None):
  config = recipe.base()
  config.train_steps = recipe.duration(4000)
  return recipe.finish(config, arg)
