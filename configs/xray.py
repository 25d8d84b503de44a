"""Recipe 9, X-ray images from a folder of large grey PNGs.

  python -m gan_jax.main --config=configs/xray.py --config.data.path=FOLDER
  ...:size=128                 28 to 256 px, 64 by default

DCGAN (Radford et al. 2016, https://arxiv.org/abs/1511.06434) in grey, with the
remedies for what fails on such sets. Few images: translation of real and
generated ones alike (Zhao et al. 2020, https://arxiv.org/abs/2006.10738), no
mirroring, as a heart has its side. A discriminator that wins at once, so that
the generator's gradient vanishes: one-sided label smoothing 0.1 (Salimans et
al. 2016, https://arxiv.org/abs/1606.03498) and noise on its inputs; both show
in curves.png. Pictures that are all the same: watch the sample grid.

The middle square of each image is kept, whatever its aspect; grey of 8 or 16
bit, RGB and RGBA may lie side by side. Remedies for a collapse are
`--config.discriminator.minibatch=std` or `discrimination`, and
`--config.discriminator.norm=virtual_batch`.

Departures: half of the paper's width, for two CPU cores.

Measured: on 851 phantoms of 1,024 px (experiments/xray), chests after 1,000
steps, 17 minutes on one core of a Xeon at 64 images/s beside other work; at
the 158 images/s of the core alone they would take 7.
"""

from gan_jax.config import recipe


def get_config(arg=None):
  config = recipe.base()
  config.data = recipe.choice('data', 'folder') | dict(
      path='xray', labels='none', channels=1, fit='crop', resize=(64, 64))
  config.augment = (recipe.term('augment', 'translation'),
                    recipe.term('augment', 'instance_noise'))
  config.loss = recipe.choice('loss', 'non_saturating') | dict(
      label_smoothing=0.1)
  config.generator.width = config.discriminator.width = 32
  config.train_steps = 6000
  config.sample_every = 200
  return recipe.finish(config, arg, size=recipe.module('sprites').size)
