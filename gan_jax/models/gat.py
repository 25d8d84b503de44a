"""GAT, generative adversarial transformers.  Hyun, Lee & Heo 2025, 2509.24935.

Both networks are vision transformers without convolutions: images are cut into
patches of `patch` x `patch`, each is a token, and blocks of attention over all
tokens and of an MLP for each follow. https://arxiv.org/abs/2509.24935 and the
authors' hse1032/GAT. The defaults are GAT-S/2; B/2 has width=768, L/2 1024 and
depth=24, XL/2 1152 and depth=28 with head_dim=72. There is no dropout.

Departures: the authors work on 32x32x4 codes of a pretrained autoencoder, which
images of 32x32 pixels replace here, hence the generator's tanh or sigmoid;
their discriminator sees all four partial sums of the generator's image, with
noise (their MNG), and learns the features of DINOv2, here it sees the image.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from gan_jax.models import base, batch_layers, layers, norms

_GLOROT = nn.initializers.glorot_uniform()
# Of layers that scale and gate: Glorot's uniform, a tenth of the deviation.
_WEAK = nn.initializers.variance_scaling(0.01, 'fan_avg', 'uniform')
_PARTS = 4  # layers of the generator that add to its image


def patches(height: int, width: int, patch: int) -> tuple[int, int]:
  """Rows and columns of patches.

  Raises:
    ValueError: they do not cover the image exactly.
  """
  if patch < 1 or height % patch or width % patch:
    fit = [p for p in (1, 2, 4, 7, 8) if not (height % p or width % p)]
    raise ValueError(
        f'gat cuts images into patches of {patch}x{patch}, and {height}x{width}'
        f' does not divide; use patch={fit[-1]}, or data.resize or data.pad')
  return height // patch, width // patch


def positions(rows: int, columns: int, width: int) -> np.ndarray:
  """Sines and cosines of the places of tokens: float32 [rows * columns, width].

  Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, section 3.5; the first
  half of the numbers is of the column, the second of the row.
  """
  rate = 10000.0 ** -(np.arange(width // 4) / (width // 4))
  row, column = np.divmod(np.arange(rows * columns), columns)
  angle = [np.outer(place, rate) for place in (column, row)]
  return np.concatenate([f(a) for a in angle for f in (np.sin, np.cos)],
                        axis=1).astype(np.float32)


def rotations(rows: int, columns: int, size: int) -> np.ndarray:
  """Angles of rotary embeddings of the tokens: float32 [rows * columns, size].

  Su et al. 2021, https://arxiv.org/abs/2104.09864, in two dimensions: the first
  half of a head turns with the row, the second with the column.
  """
  rate = 10000.0 ** -(np.arange(size // 4) / (size // 4))
  row, column = np.divmod(np.arange(rows * columns), columns)
  angle = [np.outer(place, rate) for place in (row, column)]
  return np.repeat(np.concatenate(angle, axis=1), 2, axis=1).astype(np.float32)


def rotate(x, angle):
  """Turns pairs of neighbours of x [..., T, D] by angles [T, D]."""
  pairs = x.reshape(*x.shape[:-1], -1, 2)
  turned = jnp.stack([-pairs[..., 1], pairs[..., 0]], -1).reshape(x.shape)
  angle = angle.reshape((1,) * (x.ndim - 2) + angle.shape)
  return x * jnp.cos(angle) + turned * jnp.sin(angle)


class _Scale(nn.Module):
  """x times a learnt number for each channel, all `start` at first."""

  start: float = 1.0

  @nn.compact
  def __call__(self, x):
    scale = self.param('scale', nn.initializers.constant(self.start),
                       x.shape[-1:])
    return x * layers.spread(scale, x)


class Mapping(nn.Module):
  """Two layers that learn at a hundredth of the rate: [B, I] -> [B, features].

  As in StyleGAN, Karras et al. 2019, https://arxiv.org/abs/1812.04948:
  weights are a hundred times as large, and used at a hundredth.
  """

  features: int
  slow: float = 0.01

  @nn.compact
  def __call__(self, x):
    def wide(key, shape):
      return _GLOROT(key, shape) / self.slow

    for name in ('first', 'second'):
      x = nn.silu(x) if name == 'second' else x
      kernel = self.param(name, wide, (x.shape[-1], self.features))
      bias = self.param(f'{name}_bias', nn.initializers.zeros,
                        (self.features,))
      x = x @ (kernel * self.slow).astype(x.dtype)
      x = x + layers.spread(bias * self.slow, x)
    return x


class _Transformer:
  """What the blocks of both networks share; a mixin of networks."""

  def linear(self, features, x, init=_GLOROT):
    """A dense layer."""
    return layers.Dense(features, kernel_init=init, **self.arithmetic())(x)

  def attend(self, x, angle):
    """Attention over tokens [B, T, width], the last of which turn by angle.

    Heads of `head_dim`; queries and keys are normalised by their mean square
    (Henry et al. 2020, https://arxiv.org/abs/2010.04245).
    """
    heads = heads_of(self.width, self.head_dim)
    q, k, v = (y.reshape(*y.shape[:2], heads, -1).swapaxes(1, 2)
               for y in jnp.split(self.linear(3 * self.width, x), 3, axis=-1))
    q, k = (_Scale()(unit(y)) for y in (q, k))
    first = x.shape[1] - len(angle)
    q, k = (jnp.concatenate([y[:, :, :first], rotate(y[:, :, first:], angle)],
                            axis=2) for y in (q, k))
    scores = jnp.einsum('bhqc,bhkc->bhqk', q, k).astype(jnp.float32)
    weights = nn.softmax(scores / math.sqrt(q.shape[-1]), -1)
    out = jnp.einsum('bhqk,bhkc->bhqc', weights.astype(self.dtype),
                     v.astype(self.dtype))
    return self.linear(self.width, out.swapaxes(1, 2).reshape(x.shape))

  def expand(self, x):
    """SwiGLU of each token.  Shazeer 2020, https://arxiv.org/abs/2002.05202."""
    hidden = int(2 / 3 * 4 * self.width)
    gate, y = jnp.split(self.linear(2 * hidden, x), 2, axis=-1)
    return self.linear(self.width, self.act(gate) * y)


def unit(x):
  """X over the root of its mean square along the last axis."""
  return x * layers.spread(jax.lax.rsqrt(jnp.mean(
      x.astype(jnp.float32) ** 2, -1, keepdims=True) + 1e-8), x)


def heads_of(width: int, size: int) -> int:
  """Number of heads of `size`, 1 for a smaller width.

  Raises:
    ValueError: they do not add up to the width, or do not turn in fours.
  """
  heads = max(width // size, 1)
  if width % heads or width // heads % 4:
    raise ValueError(f'width={width} is not made of heads of {size}; use a '
                     'multiple of head_dim, and a head_dim that 4 divides')
  return heads


class Generator(_Transformer, base.AnyGenerator, kw_only=True):
  """Vision transformer (GAT).  Hyun et al. 2025, arXiv:2509.24935.

  z [B, Z], with the label's code if conditioning='embedding' -> two layers ->
  w [B, width]. Tokens start as their positions alone; w scales the input of
  every attention and MLP and gates its output. After each quarter of the blocks
  a linear layer adds to the patches of the image.

  Further fields: `base.AnyGenerator`; its norm is for each token.

  patch: side of a patch in pixels.
  width, depth: numbers in a token, and blocks.
  head_dim: numbers in a head of attention.
  """

  patch: int = 2
  width: int = 384
  depth: int = 12
  head_dim: int = 64
  norm: norms.AnyNorm = 'pixel'
  activation: layers.ActivationName = 'silu'
  embed_dim: int = 64

  @nn.compact
  def __call__(self, z, label, *, train):
    self.check_kind(self.image_shape)
    if self.depth > _PARTS and self.depth % _PARTS:
      raise ValueError(f'depth={self.depth}: a part of the image follows each '
                       f'quarter of the blocks; use a multiple of {_PARTS}')
    heads = heads_of(self.width, self.head_dim)
    rows, columns = patches(*self.image_shape[:2], self.patch)
    angle = rotations(rows, columns, self.width // heads)
    channels = self.image_shape[2]
    x, cond = self.enter(z, label)
    size = z.shape[-1]
    code = unit(x) if x.shape[-1] == size else jnp.concatenate(
        [unit(x[:, :size]), unit(x[:, size:])], -1)
    w = nn.silu(Mapping(self.width)(code))[:, None]
    norm = self.norms(train)

    def times(x, by):
      return x * layers.spread(by, x)

    def scaled(x, by):
      return times(norm(self.norm)(x, cond), 1 + by)

    x = jnp.broadcast_to(positions(rows, columns, self.width).astype(
        self.dtype)[None], (z.shape[0], rows * columns, self.width))
    # At least one, where the blocks are fewer than the parts.
    each, image = max(self.depth // _PARTS, 1), 0.0
    for i in range(self.depth):
      style = jnp.split(self.linear(4 * self.width, w, _WEAK), 4, axis=-1)
      x = x + times(self.attend(scaled(x, style[0]), angle), style[1])
      x = x + times(self.expand(scaled(x, style[2])), style[3])
      if (i + 1) % each == 0:
        y = scaled(x, self.linear(self.width, w, _WEAK))
        image = image + self.linear(self.patch ** 2 * channels, y)
    image = image.reshape(-1, rows, columns, self.patch, self.patch, channels)
    image = image.swapaxes(2, 3).reshape(-1, *self.image_shape)
    return layers.squash(image, self.image_range)


class Discriminator(_Transformer, base.AnyDiscriminator, kw_only=True):
  """Vision transformer (GAT).  Hyun et al. 2025, arXiv:2509.24935.

  Patches -> tokens with their positions, and a further learnt one, which the
  blocks fill -> Critique. With conditioning='projection' the logit is the
  product of its `code` numbers and a code of the label, an embedding behind two
  layers. Outputs of attention and MLP are scaled by learnt numbers from 0.1 on
  (Touvron et al. 2021, https://arxiv.org/abs/2103.17239). Fields: of the
  generator and of `base.AnyDiscriminator`.
  """

  patch: int = 2
  width: int = 384
  depth: int = 12
  head_dim: int = 64
  code: int = 2048
  norm: norms.AnyNorm = 'pixel'
  activation: layers.ActivationName = 'silu'

  @nn.compact
  def __call__(self, images, label, *, train):
    self.check_kind(images.shape[1:])
    heads = heads_of(self.width, self.head_dim)
    rows, columns = patches(*images.shape[1:3], self.patch)
    angle = rotations(rows, columns, self.width // heads)
    x = self.enter(images, label)
    x = x.reshape(len(x), rows, self.patch, columns, self.patch, -1)
    x = x.swapaxes(2, 3).reshape(len(x), rows * columns, -1)
    x = self.linear(self.width, x) + positions(
        rows, columns, self.width).astype(self.dtype)[None]
    token = self.param('token', nn.initializers.normal(0.02), (self.width,))
    x = jnp.concatenate([layers.spread(token, x[:, :1]), x], axis=1)
    norm = self.norms(train)

    def scaled(x):
      return _Scale()(norm(self.norm)(x))

    for _ in range(self.depth):
      x = x + _Scale(0.1)(self.attend(scaled(x), angle))
      x = x + _Scale(0.1)(self.expand(scaled(x)))
    x = batch_layers.Minibatch(self.minibatch, **self.arithmetic())(
        scaled(x)[:, 0])
    if self.conditioning != 'projection':
      return self.answer(x, label, kernel_init=_GLOROT)
    layers.check_labels(self.num_classes, "conditioning 'projection'",
                        "conditioning='none'")
    x = self.linear(self.code, x).astype(jnp.float32)
    code = Mapping(self.code)(layers.embedding(
        label, self.num_classes, self.code, name='embedding',
        **({} if label.ndim == 2 else dict(
            embedding_init=nn.initializers.normal(0.02)))))
    return self.answer(x, label, jnp.sum(x * code, -1))
