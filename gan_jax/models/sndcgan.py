"""SNGAN's standard CNN.  Miyato et al. 2018, https://arxiv.org/abs/1802.05957.

Table 3: for 32 px (CIFAR-10) and 48 px (STL-10). Any size from 8 px up is
halved three times, rounded up.
"""

from functools import partial

from flax import linen as nn

from gan_jax.models import base, layers, norms

_LEAST = 8


def sizes(height: int, width: int) -> list[tuple[int, int]]:
  """Sizes of the feature maps, from the image down: 28 -> 14 -> 7 -> 4.

  Raises:
    ValueError: a side below 8.
  """
  if min(height, width) < _LEAST:
    raise ValueError(f"SNGAN's CNN needs sides of {_LEAST} or more, not "
                     f'{height}x{width}; enlarge the images with data.resize '
                     'or data.pad, or use dcgan')
  found = [(height, width)]
  for _ in range(3):
    found.append(tuple(-(-side // 2) for side in found[-1]))
  return found


class Generator(base.AnyGenerator, kw_only=True):
  """Three transposed convolutions and a 3x3 one.  Miyato et al. 2018.

  https://arxiv.org/abs/1802.05957, table 3 (a). z [B, Z] -> base x base x 8
  width, without norm or activation -> 4x4 kernels of stride 2 to 4, 2 and 1
  width, each with norm and activation -> images.

  Further fields: `base.AnyGenerator`.

  width: channels before the last layer.
  """

  width: int = 64
  norm: norms.AnyNorm = 'batch'

  @nn.compact
  def __call__(self, z, label, *, train):
    self.check_kind(self.image_shape)
    path = sizes(*self.image_shape[:2])[::-1]
    weights = dict(kernel_init=nn.initializers.normal(0.02),
                   **self.arithmetic())
    x, cond = self.enter(z, label)
    channels = 8 * self.width
    x = layers.Dense(path[0][0] * path[0][1] * channels, **weights)(x)
    x = x.reshape(x.shape[0], *path[0], channels)
    for size in path[1:]:
      channels //= 2
      x = layers.ConvTranspose(channels, to=size, **weights)(x)
      x = self.act(self.norms(train)(self.norm)(x, cond))
    x = layers.Conv(self.image_shape[2], **weights)(x)
    return layers.squash(x, self.image_range)


class Discriminator(base.AnyDiscriminator, kw_only=True):
  """Seven convolutions, spectral norm.  Miyato et al. 2018, arXiv:1802.05957.

  Table 3 (b). 3x3 to width, 4x4 of stride 2, three times with twice the
  channels, 3x3 to 8 width, dense. Fields: of the generator and of
  `base.AnyDiscriminator`.
  """

  width: int = 64
  activation: layers.ActivationName = 'leaky_relu'
  leak: float = 0.1
  weight_norm: layers.WeightNormName = 'spectral'

  @nn.compact
  def __call__(self, images, label, *, train):
    self.check_kind(images.shape[1:])
    sizes(*images.shape[1:3])
    init = nn.initializers.normal(0.02)
    conv = partial(layers.Conv, kernel_init=init, **self.arithmetic())
    x = self.enter(images, label)
    for i in range(7):
      channels, halves = self.width * 2 ** (i // 2), i % 2
      x = conv(channels, size=4 if halves else 3, stride=1 + halves)(x)
      x = self.act(self.norms(train)(self.norm if i else 'none')(x))
    return self.judge(x, label, kernel_init=init)
