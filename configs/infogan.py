"""InfoGAN.  Chen et al. 2016, https://arxiv.org/abs/1606.03657.

  python -m gan_jax.main --config=configs/infogan.py
  ...:small                    two CPU cores

A code of ten values, two continuous ones and 62 of noise, found again by a head
of the discriminator; Adam 2e-4 for D and 1e-3 for G (0.5), the networks those
of DCGAN. All codes weigh alike, since lambda is 1 (appendix C); the continuous
ones have a fixed deviation of 1, as in the authors' run_mnist_exp.py.

small: batch 16, 24 channels, rates that fall from 1e-3 to 0. Measured: 132 s
of CPU time of an EPYC, digits; FD of the classifier with 2,000
samples 3.15 (floor 0.51, seed 0).
"""

from gan_jax.config import recipe


def get_config(arg=None):
  config = recipe.get_config('dcgan:paper')
  config.latent = recipe.choice('latent', 'infogan')
  config.penalties = (recipe.term('penalties', 'infogan'),)
  config.gen_optimizer = recipe.adam(1e-3, b1=0.5)
  return recipe.finish(config, arg, small=recipe.module('dcgan').small)
