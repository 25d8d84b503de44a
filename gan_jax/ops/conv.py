"""Convolutions with fast derivatives of any order, also on CPUs.

Convolution, its transpose in the image and its transpose in the kernel come
from one trilinear form <conv(x, k), y> = <x, image(y, k)> = <k, kernel(x, y)>.
Each derivative of one is another of the three, so three primitives are closed
under differentiation, in both modes, and under `vmap`.

On CPUs a primitive is lowered to a form of `cpu_conv`, elsewhere to the plain
convolution. Within `plain()` there are no primitives but those of `jax.lax`.

Under `vmap`, with one operand of its own for each member, all members make one
larger convolution. With two, as in a population of networks, `jax.lax` makes a
convolution of groups, which cuDNN runs no faster than one group after the
other; here it is a batched product of patches, and on CPUs a loop. Groups of
channels are many and narrow, and for those cuDNN has kernels: their patches,
nine times the image, would not fit (29 GB for a layer of R3GAN, 32 px, batch
512).
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from gan_jax.ops import cpu_conv


class Geometry(NamedTuple):
  """Static arguments of a convolution; each field is a (height, width) pair."""

  size: tuple  # of the image
  kernel: tuple
  stride: tuple
  pads: tuple  # ((top, bottom), (left, right)); negative crops

  @property
  def out(self):
    """Size of the output."""
    return tuple((n + sum(p) - k) // s + 1
                 for n, k, s, p in zip(*self, strict=True))

  @property
  def blocks(self):
    """Side of a block of `cpu_conv`; with one output, the whole kernel."""
    return tuple(k if n == 1 else s for n, k, s in zip(
        self.out, self.kernel, self.stride, strict=True))

  @property
  def taps(self):
    """Size of the kernel in blocks."""
    return tuple(-(-k // s)
                 for k, s in zip(self.kernel, self.blocks, strict=True))


def conv(x, kernel, *, stride=1, padding='SAME'):
  """Convolves images with a kernel, as `lax.conv_general_dilated` does.

  x [B, H, W, I], kernel [kh, kw, I, O] -> [B, h, w, O], where h is (H + top +
  bottom - kh) // stride + 1. The stride is an int or a pair (vertical,
  horizontal), the padding 'SAME', 'VALID' or ((top, bottom), (left, right)).

  Raises:
    ValueError: shapes that do not match, an unknown padding, no output left.
  """
  geometry = _geometry(x, kernel, x.shape[1:3], _pair(stride), padding)
  return _bind(conv_p, _plain_conv, x, kernel, geometry)


def conv_groups(x, kernel, groups: int):
  """Convolves groups of channels, each with kernels of its own, stride 1.

  x [B, H, W, I], kernel [kh, kw, I / groups, O] -> [B, H, W, O]: output channel
  o sees the inputs of its group, o // (O / groups), as with
  feature_group_count=groups in `lax.conv_general_dilated`.

  Raises:
    ValueError: as `conv`, or groups do not divide both channels.
  """
  channels = x.shape[-1], kernel.shape[-1]
  if any(number % groups for number in channels):
    raise ValueError(f'{groups} groups do not divide {channels[0]} and '
                     f'{channels[1]} channels')
  if _PLAIN.value:
    return lax.conv_general_dilated(
        x, kernel, (1, 1), 'SAME', feature_group_count=groups,
        dimension_numbers=cpu_conv.DIMENSIONS)

  def one(x, kernel):
    geometry = _geometry(x, kernel, x.shape[1:3], (1, 1), 'SAME')
    return _bind(groups_p, _plain_conv, x, kernel, geometry)

  return _join(jax.vmap(one)(_part(x, -1, groups), _part(kernel, -1, groups)),
               -1)


def conv_transpose(x, kernel, *, stride=2, padding='SAME', size=None):
  """The transpose of `conv`, as torch's ConvTranspose2d computes it.

  x [B, h, w, I], kernel [kh, kw, I, O] -> [B, H, W, O], the gradient of
  `conv(y, swap(kernel), stride, padding)` in y [B, H, W, O], where swap
  exchanges the kernel's I and O; the kernel is not mirrored, as it is by
  `flax.linen.ConvTranspose` unless told otherwise. `size` is (H, W), by default
  (h * stride, w * stride).

  Raises:
    ValueError: as `conv`, or a convolution of that size does not give (h, w).
  """
  stride = _pair(stride)
  if size is None:
    size = tuple(n * s for n, s in zip(x.shape[1:3], stride, strict=True))
  geometry = _geometry(x, kernel, tuple(size), stride, padding)
  if geometry.out != x.shape[1:3]:
    raise ValueError(
        f'size {geometry.size} is not the size of a transposed convolution of '
        f'{x.shape[1:3]}: with kernel {geometry.kernel}, stride {stride} and '
        f'padding {padding!r} an image of that size gives {geometry.out}; pass '
        'another size or padding')
  return _bind(image_p, cpu_conv.image_by_phases, x,
               jnp.swapaxes(kernel, 2, 3), geometry)


def plain():
  """A context in which `lax.conv_general_dilated` is traced.

  For programs that read JAX's and know its operations only. A transposed
  convolution is one with a channel for each place in a block, which become
  pixels: jax2onnx 0.13 converts dilated images wrongly. One of groups is not
  made by `vmap`: jax2onnx 0.17 converts its result wrongly. The values are the
  same up to rounding, derivatives are JAX's own, and the number of examples may
  be a symbol.
  """
  return _PLAIN(True)


# One that JAX knows of: what is traced in it is cached apart.
_PLAIN = jax.make_user_context(False)


def _pair(stride):
  pair = (stride, stride) if isinstance(stride, int) else tuple(stride)
  if len(pair) != 2 or min(pair) < 1:
    raise ValueError(f'stride {stride!r} must be a positive int or a pair')
  return pair


def _geometry(x, kernel, size, stride, padding):
  if x.ndim != 4 or kernel.ndim != 4:
    raise ValueError(f'images [B, H, W, C] and kernel [kh, kw, I, O] needed, '
                     f'got shapes {x.shape} and {kernel.shape}')
  if x.shape[3] != kernel.shape[2]:
    raise ValueError(f'inputs of {x.shape[3]} channels, but a kernel '
                     f'[kh, kw, I, O] of shape {kernel.shape}: I must be '
                     f'{x.shape[3]}')
  window = kernel.shape[:2]
  if padding == 'VALID':
    pads = ((0, 0), (0, 0))
  elif padding == 'SAME':  # the odd pixel goes to the bottom and the right
    total = [max((-(-n // s) - 1) * s + k - n, 0)
             for n, k, s in zip(size, window, stride, strict=True)]
    pads = tuple((t // 2, t - t // 2) for t in total)
  elif isinstance(padding, str):
    raise ValueError(f"padding {padding!r} must be 'SAME', 'VALID' or "
                     '((top, bottom), (left, right))')
  else:
    pads = tuple((int(low), int(high)) for low, high in padding)
  geometry = Geometry(size, window, stride, pads)
  if min(window) < 1 or min(geometry.out) < 1:
    raise ValueError(f'a kernel {window} does not fit into images {size} '
                     f'padded by {pads}')
  return geometry


# The three primitives. `vmap` adds leading axes, the same on both operands, or
# joins members along an axis that is free in one operand and in the result.


def _bind(primitive, plain, a, b, geometry):
  dtype = jnp.promote_types(a.dtype, b.dtype)
  a, b = a.astype(dtype), b.astype(dtype)
  # Under shard_map(check_vma=True) both must vary over the same mesh axes.
  axes = [jax.typeof(v).manual_axis_type.varying for v in (a, b)]
  a = lax.pcast(a, tuple(axes[1] - axes[0]), to='varying')
  b = lax.pcast(b, tuple(axes[0] - axes[1]), to='varying')
  if _PLAIN.value:
    return plain(a, b, geometry)
  return primitive.bind(a, b, geometry=geometry)


def _primitive(name, shape, free, plain, many, fast):
  """Makes a primitive of two operands.

  Args:
    name: of the primitive.
    shape: of the result, from those of the operands and the geometry.
    free: for each operand, the axis (-4 to -1) along which it can hold several
      members if the other is the same for all, and that axis of the result.
    plain: the lowering of single operands.
    many: that of several of both, [M, ...] each.
    fast: that of single operands on CPUs.
  """
  primitive = Primitive(name)

  def abstract(a, b, *, geometry):
    shapes = a.shape[-4:], b.shape[-4:], geometry
    return a.update(shape=(*a.shape[:-4], *shape(*shapes)), weak_type=False)

  def lower_plain(a, b, *, geometry):
    function = partial(plain if a.ndim == 4 else many, geometry=geometry)
    for _ in a.shape[:-5]:
      function = jax.vmap(function)
    return function(a, b)

  def lower_fast(a, b, *, geometry):
    if a.ndim == 4:
      return fast(a, b, geometry)
    return lax.map(lambda ab: lower_fast(*ab, geometry=geometry), (a, b))

  def batch(args, axes, *, geometry):
    args = [v if i is None else jnp.moveaxis(v, i, 0)
            for v, i in zip(args, axes, strict=True)]
    if None not in axes:
      return primitive.bind(*args, geometry=geometry), 0
    which = axes.index(None) ^ 1
    before, after = free[which]
    members = len(args[which])
    args[which] = _join(args[which], before)
    return _part(primitive.bind(*args, geometry=geometry), after, members), 0

  primitive.def_abstract_eval(abstract)
  primitive.def_impl(jax.jit(primitive.bind, static_argnames='geometry'))
  batching.primitive_batchers[primitive] = batch
  for function, platform in ((lower_plain, None), (lower_fast, 'cpu')):
    mlir.register_lowering(
        primitive, mlir.lower_fun(function, multiple_results=False),
        platform=platform)
  return primitive


def _join(x, axis):
  """Joins the members [M, ...] along an axis, counted from the end."""
  x = jnp.moveaxis(x, 0, axis - 1)
  at = x.ndim + axis
  return x.reshape(*x.shape[:at - 1], -1, *x.shape[at + 1:])


def _part(x, axis, members):
  """The inverse of `_join`."""
  at = x.ndim + axis
  x = x.reshape(*x.shape[:at], members, -1, *x.shape[at + 1:])
  return jnp.moveaxis(x, at, 0)


def _plain_conv(x, k, geometry, groups=1):
  # Cropped before: XLA:CPU of jax 0.10 returns garbage where one pad of a
  # convolution is negative and another positive.
  rows, columns = (slice(max(-low, 0), size - max(-high, 0))
                   for (low, high), size in zip(geometry.pads, geometry.size,
                                                strict=True))
  x = x[:, rows, columns]
  pads = [(max(low, 0), max(high, 0)) for low, high in geometry.pads]
  return lax.conv_general_dilated(
      x, k, geometry.stride, pads, feature_group_count=groups,
      dimension_numbers=cpu_conv.DIMENSIONS)


def _plain_image(y, k, geometry):
  return cpu_conv.transpose(lambda x: _plain_conv(x, k, geometry), y,
                            (len(y), *geometry.size, k.shape[2]))[0]


def _plain_kernel(x, y, geometry):
  return cpu_conv.transpose(lambda k: _plain_conv(x, k, geometry), y,
                            (*geometry.kernel, x.shape[3], y.shape[3]))[0]


def _grouped_conv(x, k, geometry):
  """[M, B, H, W, I], [M, kh, kw, I, O] -> [M, B, h, w, O]."""
  y = _plain_conv(_join(x, -1), _join(k, -1), geometry, groups=len(x))
  return _part(y, -1, len(x))


def _grouped_image(y, k, geometry):
  return cpu_conv.transpose(
      lambda x: _grouped_conv(x, k, geometry), y,
      (*y.shape[:2], *geometry.size, k.shape[3]))[0]


def _grouped_kernel(x, y, geometry):
  return cpu_conv.transpose(
      lambda k: _grouped_conv(x, k, geometry), y,
      (len(x), *geometry.kernel, x.shape[4], y.shape[4]))[0]


def _products(product):
  """A batched product, of a form of `cpu_conv` that is one product."""
  return lambda a, b, geometry: jax.vmap(partial(product, geometry=geometry))(
      a, b)


_EXAMPLES, _INPUTS, _OUTPUTS = -4, -2, -1  # axes of images, of kernels, of both


def _primitives(kind, conv, image, kernel):
  """The three, closed under differentiation; arguments: their `many`."""
  conv_p = _primitive(
      f'conv{kind}', lambda x, k, g: (x[0], *g.out, k[3]),
      ((_EXAMPLES, _EXAMPLES), (_OUTPUTS, _OUTPUTS)),
      _plain_conv, conv, cpu_conv.conv)
  image_p = _primitive(
      f'conv{kind}_image', lambda y, k, g: (y[0], *g.size, k[2]),
      ((_EXAMPLES, _EXAMPLES), (_INPUTS, -1)),
      _plain_image, image, cpu_conv.image)
  kernel_p = _primitive(
      f'conv{kind}_kernel', lambda x, y, g: (*g.kernel, x[3], y[3]),
      ((-1, _INPUTS), (_OUTPUTS, _OUTPUTS)),
      _plain_kernel, kernel, cpu_conv.kernel)
  # Arguments: the cotangent, then the operands without the one to find.
  ad.defbilinear(conv_p, lambda y, x, k, **g: image_p.bind(y, k, **g),
                 lambda y, x, k, **g: kernel_p.bind(x, y, **g))
  ad.defbilinear(image_p, lambda x, y, k, **g: conv_p.bind(x, k, **g),
                 lambda x, y, k, **g: kernel_p.bind(x, y, **g))
  ad.defbilinear(kernel_p, lambda k, x, y, **g: image_p.bind(y, k, **g),
                 lambda k, x, y, **g: conv_p.bind(x, k, **g))
  return conv_p, image_p


conv_p, image_p = _primitives('', *map(_products, (
    cpu_conv.conv_by_product, cpu_conv.image_by_product,
    cpu_conv.kernel_by_product)))
groups_p, _ = _primitives('_groups', _grouped_conv, _grouped_image,
                          _grouped_kernel)
