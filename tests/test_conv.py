"""gan_jax.ops.conv: values, derivatives, and what it lowers to."""
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from gan_jax.ops.conv import conv, conv_transpose

SPEC = ('NHWC', 'HWIO', 'NHWC')
# (H, W), I, O, kernel, stride, padding: each CPU form at an odd and even size
CASES = [
    ((8, 8), 8, 64, (4, 4), 2, 'SAME'),              # Winograd
    ((7, 10), 9, 64, (3, 4), 2, ((0, 1), (2, 1))),   # Winograd, odd, blocks
    ((8, 6), 3, 5, (4, 4), 2, 'SAME'),               # product of patches
    ((9, 8), 33, 4, (5, 3), (2, 1), 'VALID'),        # direct
    ((5, 7), 40, 3, (3, 3), 1, 'SAME'),              # direct, stride 1
    ((8, 11), 12, 66, (4, 5), 3, ((1, 2), (0, 3))),  # Winograd, stride 3
    ((9, 10), 2, 3, (2, 3), 3, 'VALID'),             # rows that no patch sees
    ((6, 6), 4, 2, (1, 1), 2, 'SAME'),
    ((4, 4), 40, 3, (4, 4), 1, 'VALID'),             # one output
    ((6, 5), 2, 3, (3, 3), 2, ((-1, 1), (0, -1))),   # padding that crops
]


def _plain(x, kernel, stride, padding):
  stride = (stride, stride) if isinstance(stride, int) else stride
  return lax.conv_general_dilated(x, kernel, stride, padding,
                                  dimension_numbers=SPEC)


def _plain_transpose(y, kernel, size, stride, padding):
  x = jax.ShapeDtypeStruct((len(y), *size, kernel.shape[3]), y.dtype)
  kernel = kernel.swapaxes(2, 3)
  return jax.linear_transpose(
      lambda x: _plain(x, kernel, stride, padding), x)(y)[0]


def _normal(seed, *shape):
  return jnp.asarray(np.random.default_rng(seed).normal(size=shape), 'float32')


def _close(got, want, tolerance=2e-5):
  for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
    assert a.shape == b.shape
    np.testing.assert_allclose(a, b, rtol=0,
                               atol=tolerance * float(jnp.abs(b).max() + 1e-6))


def _to_second_order(function, x, kernel):
  """Value, gradients, and gradients of a gradient penalty, in one program."""
  weight = _normal(3, *jax.eval_shape(function, x, kernel).shape)

  def loss(x, kernel):
    return jnp.sum(jnp.tanh(function(x, kernel)) * weight)

  def penalty(x, kernel):
    return sum(jnp.sum(g ** 2) for g in jax.grad(loss, (0, 1))(x, kernel))

  return jax.jit(lambda *a: (function(*a), jax.grad(loss, (0, 1))(*a),
                             jax.grad(penalty, (0, 1))(*a)))(x, kernel)


@pytest.mark.parametrize('size,i,o,window,stride,padding', CASES)
def test_conv_and_derivatives_equal_lax(size, i, o, window, stride, padding):
  x = _normal(0, 2, *size, i)
  kernel = _normal(1, *window, i, o) / np.sqrt(i * np.prod(window))
  got = _to_second_order(
      lambda x, k: conv(x, k, stride=stride, padding=padding), x, kernel)
  want = _to_second_order(
      lambda x, k: _plain(x, k, stride, padding), x, kernel)
  _close(got, want)


@pytest.mark.parametrize('size,o,i,window,stride,padding', CASES)
def test_transpose_and_derivatives_equal_lax(size, o, i, window, stride,
                                             padding):
  x = jnp.zeros((2, *size, o))
  kernel = _normal(1, *window, i, o) / np.sqrt(i * np.prod(window))
  out = conv(x, kernel.swapaxes(2, 3), stride=stride, padding=padding)
  y = _normal(0, *out.shape)
  got = _to_second_order(
      lambda y, k: conv_transpose(y, k, stride=stride, padding=padding,
                                  size=size), y, kernel)
  want = _to_second_order(
      lambda y, k: _plain_transpose(y, k, size, stride, padding), y, kernel)
  _close(got, want)


def test_forward_mode_and_linear_transpose():
  x, kernel = _normal(0, 2, 6, 6, 8), _normal(1, 4, 4, 8, 64)
  tangents = _normal(2, 2, 6, 6, 8), _normal(3, 4, 4, 8, 64)
  got = jax.jvp(lambda x, k: conv(x, k, stride=2), (x, kernel), tangents)
  want = jax.jvp(lambda x, k: _plain(x, k, 2, 'SAME'), (x, kernel), tangents)
  _close(got, want)
  y = _normal(4, 2, 3, 3, 64)
  got = jax.linear_transpose(lambda x: conv(x, kernel, stride=2), x)(y)[0]
  _close(got, conv_transpose(y, kernel.swapaxes(2, 3)))


def test_transpose_is_that_of_torch():
  """Two pixels 1 and 10 of a row, kernel 1 2 3 4, stride 2, torch's padding 1.

  Uncropped, 1 adds [1 2 3 4 . .] and 10 adds [. . 10 20 30 40]; torch crops
  one pixel at each end: ConvTranspose2d(1, 1, (1, 4), (1, 2), (0, 1)).
  """
  x = jnp.array([1.0, 10.0]).reshape(1, 1, 2, 1)
  kernel = jnp.array([1.0, 2.0, 3.0, 4.0]).reshape(1, 4, 1, 1)
  y = conv_transpose(x, kernel, stride=(1, 2))
  np.testing.assert_allclose(y.ravel(), [2.0, 13.0, 24.0, 30.0])
  y = conv_transpose(x, kernel, stride=(1, 2), padding='VALID', size=(1, 6))
  np.testing.assert_allclose(y.ravel(), [1.0, 2.0, 13.0, 24.0, 30.0, 40.0])


@pytest.mark.parametrize('x_axis,kernel_axis', [(0, None), (None, 3), (1, 0)])
@pytest.mark.parametrize('channels', [3, 12])
def test_vmap_equals_a_loop(channels, x_axis, kernel_axis):
  x, kernel = _normal(0, 3, 2, 6, 6, channels), _normal(1, 3, 4, 4, channels,
                                                        64)

  def one(x, kernel):
    def loss(x, kernel):
      return jnp.sum(conv(x, kernel, stride=2) ** 3)
    penalty = jax.grad(lambda k: jnp.sum(jax.grad(loss)(x, k) ** 2))(kernel)
    return jax.grad(loss, (0, 1))(x, kernel), penalty

  members = [(x[0 if x_axis is None else i], kernel[0 if kernel_axis is None
                                                    else i]) for i in range(3)]
  want = jax.tree.map(lambda *v: jnp.stack(v), *[one(*m) for m in members])
  got = jax.jit(jax.vmap(one, (x_axis, kernel_axis)))(
      x[0] if x_axis is None else jnp.moveaxis(x, 0, x_axis),
      kernel[0] if kernel_axis is None else jnp.moveaxis(kernel, 0,
                                                         kernel_axis))
  _close(got, want, 1e-4)


def test_vmap_of_vmap():
  x, kernel = _normal(0, 2, 3, 1, 5, 5, 4), _normal(1, 2, 3, 3, 4, 6)
  got = jax.vmap(jax.vmap(conv, (0, None)))(x, kernel)
  want = jnp.stack([jnp.stack([_plain(x[i, j], kernel[i], 1, 'SAME')
                               for j in range(3)]) for i in range(2)])
  _close(got, want)


def _critic_step(params, x):
  """A step with a gradient penalty, hence second derivatives, no bias."""
  def critic(params, x):
    for kernel in params:
      x = jax.nn.leaky_relu(conv(x, kernel, stride=2))
    return x.sum((1, 2, 3))

  def loss(params):
    generated = conv_transpose(conv(x, params[0], stride=2),
                               params[0].swapaxes(2, 3))
    gradient = jax.grad(lambda x: critic(params, x).sum())(x)
    return jnp.mean(critic(params, generated)) + jnp.mean(gradient ** 2)

  return jax.tree.map(lambda p, g: p - 1e-3 * g, params, jax.grad(loss)(params))


def _scan(params, batches):
  return lax.scan(lambda p, x: (_critic_step(p, x), None), params, batches)[0]


PARAMS = [0.1 * _normal(0, 4, 4, 3, 24), 0.1 * _normal(1, 4, 4, 24, 64),
          0.1 * _normal(2, 4, 4, 64, 8)]  # product, Winograd, direct


def test_scan_equals_a_loop():
  batches = _normal(3, 3, 2, 16, 16, 3)
  want = PARAMS
  for x in batches:
    want = jax.jit(_critic_step)(want, x)
  _close(jax.jit(_scan)(PARAMS, batches), want)


def test_cond():
  x, kernel = _normal(0, 1, 6, 6, 2), _normal(1, 3, 3, 2, 4)

  def loss(kernel, flag):
    return jnp.sum(lax.cond(flag, lambda: conv(x, kernel), lambda: jnp.zeros(
        (1, 6, 6, 4))) ** 2)

  want = jax.grad(lambda k: jnp.sum(_plain(x, k, 1, 'SAME') ** 2))(kernel)
  _close(jax.jit(jax.grad(loss))(kernel, True), want)
  assert not jax.jit(jax.grad(loss))(kernel, False).any()


@pytest.mark.parametrize('check_vma', [False, True])
def test_shard_map(check_vma):
  devices = jax.devices()[:2]
  mesh = jax.make_mesh((len(devices),), ('data',), devices=devices,
                       axis_types=(jax.sharding.AxisType.Auto,))
  rows, whole = jax.P('data'), jax.P()
  x, kernel = _normal(0, 4, 6, 6, 2), _normal(1, 4, 4, 2, 5)

  def local(x, kernel):
    gradient = jax.grad(lambda k: jnp.sum(conv(x, k, stride=2) ** 2))(kernel)
    return gradient if check_vma else lax.psum(gradient, 'data')

  got = jax.jit(jax.shard_map(local, mesh=mesh, in_specs=(rows, whole),
                              out_specs=whole, check_vma=check_vma))(x, kernel)
  want = jax.grad(lambda k: jnp.sum(_plain(x, k, 2, 'SAME') ** 2))(kernel)
  _close(got, want)


def test_vmap_with_axis_name():
  x, kernel = _normal(0, 2, 2, 6, 6, 2), _normal(1, 4, 4, 2, 5)

  def local(x):
    gradient = jax.grad(lambda k: jnp.sum(conv(x, k, stride=2) ** 2))(kernel)
    return lax.psum(gradient, 'data')

  want = jax.grad(lambda k: jnp.sum(_plain(
      x.reshape(4, 6, 6, 2), k, 2, 'SAME') ** 2))(kernel)
  _close(jax.vmap(local, axis_name='data')(x)[1], want)


def test_compiled_scan_holds_only_canonical_convolutions():
  """Any other form runs up to a hundred times slower inside a scan on CPU."""
  hlo = jax.jit(_scan).lower(
      PARAMS, jnp.zeros((2, 2, 16, 16, 3))).compile().as_text()
  labels = re.findall(r'dim_labels=(\S+?)[,\s]', hlo)
  assert len(labels) >= 3
  assert set(labels) == {'b01f_01io->b01f'}
  assert not re.search(r'convolution\(.*lhs_dilate', hlo)


def test_other_backends_get_plain_convolutions():
  """As many convolutions as lax itself emits, and nothing around them."""
  x, kernel = jnp.zeros((2, 16, 16, 24)), jnp.zeros((4, 4, 24, 64))

  def penalty(convolve):
    def gradient(x, k):
      return jax.grad(lambda x: jnp.sum(convolve(x, k) ** 3))(x)
    function = jax.grad(lambda x, k: jnp.sum(gradient(x, k) ** 2), (0, 1))
    return jax.jit(function).trace(x, kernel).lower(
        lowering_platforms=('cuda',)).as_text()

  got = penalty(lambda x, k: conv(x, k, stride=2))
  want = penalty(lambda x, k: _plain(x, k, 2, 'SAME'))
  names = ('convolution', 'reverse', 'transpose', 'concatenate', 'reshape',
           'pad', 'slice', 'dot_general')
  counts = [{n: len(re.findall(rf'stablehlo\.{n}\b', text)) for n in names}
            for text in (got, want)]
  got, want = counts
  assert got['convolution'] == want['convolution'] >= 5
  assert all(got[n] <= want[n] for n in names)


def test_bfloat16():
  for channels in (3, 24):
    x, kernel = _normal(0, 2, 8, 8, channels), _normal(1, 4, 4, channels, 64)
    loss = lambda x, k: jnp.sum(jnp.sin(conv(x, k, stride=2)))  # noqa: E731 - in a loop
    half = x.astype(jnp.bfloat16), kernel.astype(jnp.bfloat16)
    got = conv(*half, stride=2), *jax.grad(loss, (0, 1))(*half)
    assert {v.dtype for v in got} == {jnp.dtype(jnp.bfloat16)}
    _close(got[0].astype('float32'), conv(x, kernel, stride=2), 2e-2)


def test_dtypes_promote_as_the_parameters_of_a_mixed_network_do():
  y = conv(jnp.ones((1, 4, 4, 2), jnp.bfloat16), jnp.ones((3, 3, 2, 1)))
  assert y.dtype == jnp.float32


@pytest.mark.parametrize('call,words', [
    (lambda x, k: conv(x[0], k), 'images'),
    (lambda x, k: conv(x, k[..., :1, :]), 'channels'),
    (lambda x, k: conv(x, k, padding='FULL'), 'padding'),
    (lambda x, k: conv(x, k, stride=0), 'stride'),
    (lambda x, k: conv(x[:, :2], k, padding='VALID'), 'fit'),
    (lambda x, k: conv_transpose(x, k[..., :1, :]), 'channels'),
    (lambda x, k: conv_transpose(x, k, size=(9, 16)), 'size'),
    (lambda x, k: conv_transpose(x, k, padding='VALID'), 'size'),
])
def test_errors(call, words):
  with pytest.raises(ValueError, match=words):
    call(jnp.zeros((1, 4, 8, 3)), jnp.zeros((3, 3, 3, 2)))
