"""LSGAN.  Mao et al. 2017, https://arxiv.org/abs/1611.04076.

  python -m gan_jax.main --config=configs/lsgan.py
  ...:small                    two CPU cores

Least squares on logits, targets 0 and 1 (eq. 9); Adam 2e-4 (0.5, 0.999), the
rates of DCGAN, whose networks these are.

Departures: samples of averaged weights (0.999), where the paper averages none.

small: batch 16, 24 channels, rates that fall from 1e-3 to 0. Measured: 124 s
of CPU time of an EPYC, digits; FD of the classifier with 2,000
samples 2.86 (floor 0.51, seed 0).
"""

from gan_jax.config import recipe


def get_config(arg=None):
  config = recipe.get_config('dcgan:paper')
  config.loss = recipe.choice('loss', 'least_squares')
  return recipe.finish(config, arg, small=recipe.module('dcgan').small)
