"""PacGAN's networks, by the plug-in rule.

Lin et al. 2018, https://arxiv.org/abs/1712.04086, and their code
(github.com/fjxmlzn/PacGAN): those for points, from ALI (Dumoulin et al. 2017,
https://arxiv.org/abs/1606.00704), and those for stacked digits, from VEEGAN and
from unrolled GAN (Srivastava et al. 2017, https://arxiv.org/abs/1705.07761;
Metz et al. 2017, https://arxiv.org/abs/1611.02163). All weights start from
normal(0, weight_std).
"""

import jax.numpy as jnp
from flax import linen as nn

from gan_jax.models import base, layers, norms


class PointGenerator(base.AnyGenerator, kw_only=True):
  """z [B, Z] -> dense layers, batch norm and ReLU after each -> points [B, D].

  widths: units of the hidden layers.
  """

  widths: tuple[int, ...] = (400, 400, 400, 400)
  norm_momentum: float = 0.95
  weight_std: float = 0.02

  @nn.compact
  def __call__(self, z, label, *, train):
    """As of every generator: z [B, Z], label [B] -> points [B, D]."""
    norm, init = self.norms(train), nn.initializers.normal(self.weight_std)
    x, _ = self.enter(z, label)
    for width in self.widths:
      x = layers.Dense(width, bias=False, kernel_init=init)(x)
      x = self.act(norm('batch')(x))
    return layers.Dense(*self.image_shape, kernel_init=init)(x)


class PointDiscriminator(base.AnyDiscriminator, kw_only=True):
  """Points [B, D] -> maxout layers -> Critique.

  A unit is the largest of `pieces` linear functions. Goodfellow et al. 2013,
  https://arxiv.org/abs/1302.4389.

  widths: units of the hidden layers.
  """

  widths: tuple[int, ...] = (200, 200, 200)
  pieces: int = 5
  weight_std: float = 0.02

  @nn.compact
  def __call__(self, points, label, *, train):
    """As of every discriminator: points [B, D], label [B] -> Critique."""
    init = nn.initializers.normal(self.weight_std)
    x = self.enter(points, label)
    for width in self.widths:
      x = layers.Dense(width * self.pieces, kernel_init=init)(x)
      x = jnp.max(x.reshape(len(x), width, self.pieces), axis=-1)
    return self.judge(x, label, kernel_init=init)


class DigitGenerator(base.AnyGenerator, kw_only=True):
  """z [B, Z] -> a base -> transposed convolutions -> images [B, H, W, C].

  Each doubles the sides, rounded as a halving from the image rounds up.

  channels: of the base and of each layer but the last.
  flat: whether the last layer is a convolution that keeps the size.
  """

  channels: tuple[int, ...] = (512, 256, 128, 64)
  kernel: int = 5
  flat: bool = False
  norm: norms.AnyNorm = 'batch'
  weight_std: float = 0.02

  @nn.compact
  def __call__(self, z, label, *, train):
    """As of every generator: z [B, Z], label [B] -> images [B, H, W, C]."""
    *space, colours = self.image_shape
    sizes = [tuple(space)]
    while len(sizes) < len(self.channels) + (not self.flat):
      sizes.append(tuple(-(-side // 2) for side in sizes[-1]))
    first, *others = sizes[::-1]
    weights = dict(kernel_init=nn.initializers.normal(self.weight_std),
                   **self.arithmetic())
    norm = self.norms(train)
    x, cond = self.enter(z, label)
    x = layers.Dense(first[0] * first[1] * self.channels[0], **weights)(x)
    x = x.reshape(len(x), *first, self.channels[0])
    x = self.act(norm(self.norm)(x, cond))
    for width, size in zip(self.channels[1:], others, strict=False):
      x = layers.ConvTranspose(width, size=self.kernel, to=size, **weights)(x)
      x = self.act(norm(self.norm)(x, cond))
    last = (layers.Conv(colours, size=self.kernel, **weights) if self.flat else
            layers.ConvTranspose(colours, size=self.kernel, to=sizes[0],
                                 **weights))
    return layers.squash(last(x), self.image_range)


class DigitDiscriminator(base.AnyDiscriminator, kw_only=True):
  """Images [B, H, W, C] -> convolutions of stride 2 -> Critique.

  channels: of the layers.
  norm_first: whether the first layer has a norm, too.
  """

  channels: tuple[int, ...] = (64, 128, 256, 512)
  kernel: int = 5
  norm_first: bool = False
  norm: norms.AnyNorm = 'batch'
  activation: layers.ActivationName = 'leaky_relu'
  weight_std: float = 0.02

  @nn.compact
  def __call__(self, images, label, *, train):
    """As of every discriminator: images, label [B] -> Critique."""
    init = nn.initializers.normal(self.weight_std)
    x = self.enter(images, label)
    for i, width in enumerate(self.channels):
      x = layers.Conv(width, size=self.kernel, stride=2, kernel_init=init,
                      **self.arithmetic())(x)
      name = self.norm if i or self.norm_first else 'none'
      x = self.act(self.norms(train)(name)(x))
    return self.judge(x, label, kernel_init=init)
