"""PacGAN.  Lin et al. 2018, https://arxiv.org/abs/1712.04086.

  python -m gan_jax.main --config=configs/pacgan.py            packs of two
  ...:small                    two CPU cores
  python -m gan_jax.main --config=configs/pacgan.py:data=stacked_mnist

The discriminator judges `packing` images at once, so that a generator of few
modes is found out. Else DCGAN.

small: batch 16, 24 channels, rates that fall from 1e-3 to 0. Measured: 100 s
of CPU time of an EPYC, digits; FD of the classifier with 2,000
samples 2.78 (floor 0.51, seed 0).
"""

from gan_jax.config import recipe


def get_config(arg=None):
  config = recipe.get_config('dcgan:paper')
  config.packing = 2
  return recipe.finish(config, arg, small=recipe.module('dcgan').small)
