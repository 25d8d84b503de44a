"""ACGAN.  Odena et al. 2017, https://arxiv.org/abs/1610.09585.

  python -m gan_jax.main --config=configs/acgan.py
  ...:small                    two CPU cores
  ...:classifier=tac_gan        or adc_gan, multi_hinge, contragan, reacgan

A DCGAN whose generator gets the class and whose discriminator tells it, Adam
2e-4 (0.5, 0.999). The other classifiers: Gong et al. 2019 (1907.02690), Hou et
al. 2022 (2107.10060), Kang & Park 2020 (2006.12681), Kang et al. 2021
(2111.01118); multi_hinge, Kavalerov et al. 2019 (1912.04216).

small: batch 16, 24 channels, rates that fall from 1e-3 to 0. Measured: 140 s
of CPU time of an EPYC, a row per class; FD of the classifier with 2,000
samples 1.47 (floor 0.51, seed 0).
"""

from gan_jax.config import recipe


def get_config(arg=None):
  config = recipe.get_config('dcgan:paper')
  config.generator.conditioning = 'onehot'
  config.sample_grid = (10, 10)
  classifier(config, 'acgan')
  return recipe.finish(config, arg, classifier=classifier,
                       small=recipe.module('dcgan').small)


def classifier(config, name):
  """classifier=NAME of a term that looks at classes."""
  config.penalties = (recipe.term('penalties', name),)
