"""Recipe 10, creature sprites from a folder of PNGs with transparency.

  python -m gan_jax.main --config=configs/sprites.py --config.data.path=FOLDER
  ...:size=256                 256 px instead of 64

DCGAN (Radford et al. 2016, https://arxiv.org/abs/1511.06434) in RGB. Sprites of
any size are put on white, brought to a square without losing their shape, and
mirrored; so few of them (some 850) need differentiable augmentation, by
translation here (Zhao et al. 2020, https://arxiv.org/abs/2006.10738).

Departures: half of the paper's width, for two CPU cores.

Measured: 135 images/s on one core of a Xeon; coloured creatures after 3,000
steps, 24 minutes, of 733 sprites of 19 to 153 px.
"""

from gan_jax.config import recipe


def get_config(arg=None):
  config = recipe.base()
  config.data = recipe.choice('data', 'folder') | dict(
      path='sprites', labels='none', channels=3, fit='pad', flip=True,
      resize=(64, 64), background=(255, 255, 255), on_bad_image='skip')
  config.augment = (recipe.term('augment', 'translation'),)
  config.generator.width = config.discriminator.width = 32
  config.train_steps = 6000
  config.sample_every = 200
  return recipe.finish(config, arg, size=size)


def size(config, text):
  """size=256: the side of the square images in pixels."""
  config.data.resize = (recipe.number('size', text),) * 2
