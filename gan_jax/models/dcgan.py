"""DCGAN, for any height and width from 8 px up and any number of channels.

A size is halved (rounding up) until its smaller side is 4 or less: 64 -> 32 ->
16 -> 8 -> 4 as in the paper, 28 -> 14 -> 7 -> 4; the generator mirrors this.
"""

from functools import partial

from flax import linen as nn

from gan_jax.models import base, layers, norms


def sizes(height: int, width: int) -> list[tuple[int, int]]:
  """Sizes of the feature maps, from the image down; ValueError below 8 px."""
  if min(height, width) < 8:
    raise ValueError(f'DCGAN needs images of 8 px or more, not {height}x{width}'
                     '; enlarge them with data.resize or data.pad')
  found = [(height, width)]
  while min(found[-1]) > 4:
    found.append(tuple(-(-side // 2) for side in found[-1]))
  return found


class Generator(base.AnyGenerator, kw_only=True):
  """Strided transposed convolutions (DCGAN).  Radford et al. 2016, 1511.06434.

  z [B, Z] -> base x base x width * 2^(n-1) -> n doublings -> images.

  Further fields: `base.AnyGenerator`.

  width: channels before the last layer, doubling towards the base.
  kernel: side of the kernels, stride 2.
  norm, activation: after every layer but the last.
  weight_std: weights start from normal(0, weight_std), scales of the norms from
    normal(1, weight_std).
  """

  width: int = 64
  kernel: int = 4
  norm: norms.AnyNorm = 'batch'
  weight_std: float = 0.02

  @nn.compact
  def __call__(self, z, label, *, train):
    self.check_images(self.image_shape)
    path = sizes(*self.image_shape[:2])[::-1]
    weights = dict(kernel_init=nn.initializers.normal(self.weight_std),
                   **self.arithmetic())
    bias = norms.shiftless(self.norm)
    climb = partial(layers.ConvTranspose, size=self.kernel, **weights)
    norm = self.norms(train, scale_std=self.weight_std)
    x, cond = self.enter(z, label)
    channels = self.width * 2 ** (len(path) - 2)
    x = layers.Dense(path[0][0] * path[0][1] * channels, bias=bias,
                     **weights)(x)
    x = x.reshape(x.shape[0], *path[0], channels)
    x = self.act(norm(self.norm)(x, cond))
    for size in path[1:-1]:
      channels //= 2
      x = climb(channels, to=size, bias=bias)(x)
      x = self.act(norm(self.norm)(x, cond))
    x = climb(self.image_shape[2], to=path[-1])(x)
    return layers.squash(x, self.image_range)


class Discriminator(base.AnyDiscriminator, kw_only=True):
  """Strided convolutions (DCGAN).  Radford et al. 2016, arXiv:1511.06434.

  Images [B, H, W, C] -> n halvings, width * 2^i channels -> Critique. Fields:
  of the generator and of `base.AnyDiscriminator`. No norm in the first layer;
  the label joins the image as further channels.
  """

  width: int = 64
  kernel: int = 4
  norm: norms.AnyNorm = 'batch'
  activation: layers.ActivationName = 'leaky_relu'
  weight_std: float = 0.02

  @nn.compact
  def __call__(self, images, label, *, train):
    self.check_images(images.shape[1:])
    init = nn.initializers.normal(self.weight_std)
    norm = self.norms(train, scale_std=self.weight_std)
    x = self.enter(images, label)
    for i in range(len(sizes(*images.shape[1:3])) - 1):
      name = self.norm if i else 'none'
      x = layers.Conv(self.width * 2 ** i, size=self.kernel, stride=2,
                      bias=norms.shiftless(name), kernel_init=init,
                      **self.arithmetic())(x)
      x = self.act(norm(name)(x))
    return self.judge(x, label, kernel_init=init)
