"""gan_jax.ops.conv: values, derivatives, dtypes, refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from plain_conv import (
  CASES,
  assert_close,
  both_to_second_order,
  normal,
  plain,
  plain_transpose,
  to_second_order,
)

from gan_jax.ops import conv as ops
from gan_jax.ops import cpu_conv
from gan_jax.ops.conv import conv, conv_transpose


@pytest.mark.parametrize('size,i,o,window,stride,padding', CASES)
def test_conv_and_its_transpose_equal_lax(size, i, o, window, stride, padding,
                                          monkeypatch):
  """Values and derivatives up to the second, in one program for each."""
  if size == (8, 8):  # One example at a time.
    monkeypatch.setattr(cpu_conv, '_CHUNK_BYTES', 1)
  x = normal(0, 2, *size, i)
  kernel = normal(1, *window, i, o) / np.float32(np.sqrt(i * np.prod(window)))
  shape = jax.eval_shape(
      lambda x: conv(x, kernel, stride=stride, padding=padding), x).shape
  # The transpose goes from what a convolution of x gives back to its size.
  y = normal(2, *shape)
  got = both_to_second_order(
      lambda x, k: conv(x, k, stride=stride, padding=padding),
      lambda y, k: conv_transpose(y, k, stride=stride, padding=padding,
                                  size=size), x, y, kernel)
  want = both_to_second_order(
      lambda x, k: plain(x, k, stride, padding),
      lambda y, k: plain_transpose(y, k, size, stride, padding), x, y, kernel)
  assert_close(got, want)


def test_the_cases_are_of_all_forms():
  """Of `conv` and `kernel`, and of `image`, whose places are more."""
  forms = []
  for size, i, o, window, stride, padding in CASES[:6]:
    geometry = ops._geometry(jnp.zeros((2, *size, i)), jnp.zeros(
        (*window, i, o)), size, ops._pair(stride), padding)
    places = np.add(geometry.out, geometry.taps) - 1
    forms.append([cpu_conv._form(geometry, jnp.float32, i, o, counts)[0]
                  for counts in (geometry.out, places.tolist())])
  assert [*map(''.join, forms)] == ['ww', 'ww', 'pp', 'dd', 'dd', 'dw']


@pytest.mark.parametrize('size,i,o,window,stride,padding', CASES)
def test_plain_ones_are_of_lax_and_have_the_same_values(
    size, i, o, window, stride, padding):
  x = normal(0, 3, *size, i)
  kernel = normal(1, *window, i, o) / np.float32(np.sqrt(i * np.prod(window)))
  for function, plainly, given, args in (
      (conv, plain(x, kernel, stride, padding), x, {}),
      (conv_transpose, plain_transpose(
          y := normal(2, *plain(x, kernel, stride, padding).shape),
          swapped := kernel.swapaxes(2, 3), size, stride, padding),
       y, dict(size=size))):
    k = kernel if function is conv else swapped

    def within(x, function=function, k=k, args=args):
      with ops.plain():
        return function(x, k, stride=stride, padding=padding, **args)

    assert_close(jax.jit(within)(given), plainly, 1e-6)
    batch, = jax.export.symbolic_shape('batch')
    struct = jax.ShapeDtypeStruct((batch, *given.shape[1:]), given.dtype)
    exported = jax.export.export(jax.jit(within))(struct)
    assert exported.out_avals[0].shape == (batch, *plainly.shape[1:])
    names = {e.primitive.name for e in jax.make_jaxpr(within)(given).eqns}
    assert 'conv_general_dilated' in names
    assert not names & {'conv', 'conv_image'}


def test_plain_ends_with_its_block():
  def names():
    return {e.primitive.name for e in jax.make_jaxpr(conv)(
        jnp.ones((1, 4, 4, 2)), jnp.ones((3, 3, 2, 1))).eqns}

  with pytest.raises(KeyError), ops.plain():
    assert 'conv' not in names()
    raise KeyError
  assert 'conv' in names()


def test_forward_mode_and_linear_transpose():
  x, kernel = normal(0, 2, 6, 6, 8), normal(1, 4, 4, 8, 64)
  tangents = normal(2, 2, 6, 6, 8), normal(3, 4, 4, 8, 64)
  got, want = (jax.jit(lambda *args, f=f: jax.jvp(f, *args))(
      (x, kernel), tangents) for f in (
          lambda x, k: conv(x, k, stride=2),
          lambda x, k: plain(x, k, 2, 'SAME')))
  assert_close(got, want)
  y = normal(4, 2, 3, 3, 64)
  got, = jax.jit(jax.linear_transpose(
      lambda x: conv(x, kernel, stride=2), x))(y)
  assert_close(got, jax.jit(conv_transpose)(y, kernel.swapaxes(2, 3)))


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


def test_bfloat16():
  for channels in (3, 24):
    x, kernel = normal(0, 2, 8, 8, channels), normal(1, 4, 4, channels, 64)
    loss = lambda x, k: jnp.sum(jnp.sin(conv(x, k, stride=2)))  # noqa: E731 - in a loop
    half = x.astype(jnp.bfloat16), kernel.astype(jnp.bfloat16)
    got = jax.jit(lambda *half, loss=loss: (
        conv(*half, stride=2), *jax.grad(loss, (0, 1))(*half)))(*half)
    assert {v.dtype for v in got} == {jnp.dtype(jnp.bfloat16)}
    assert_close(got[0].astype('float32'), conv(x, kernel, stride=2), 2e-2)


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


def test_pads_of_both_signs_by_numpy():
  """XLA:CPU of jax 0.10 gets them wrong in a convolution."""
  x, k = normal(0, 2, 6, 6, 3), normal(1, 4, 4, 3, 2)
  window = np.pad(np.asarray(x), ((0, 0), (0, 1), (0, 0), (0, 0)))[:, 1:, :-1]
  wanted = np.stack([np.stack([
      np.einsum('bhwi,hwio->bo', window[:, r:r + 4, c:c + 4], k)
      for c in range(2)], 1) for r in range(3)], 1)
  pads = ((-1, 1), (0, -1))
  with ops.plain():
    assert_close(conv(x, k, stride=1, padding=pads), wanted, 1e-5)
  assert_close(conv(x, k, stride=1, padding=pads), wanted, 1e-5)


@pytest.mark.parametrize('size,channels,outputs,window,groups', [
    ((5, 6), 6, 9, 3, 3), ((4, 4), 64, 64, 3, 2), ((6, 3), 4, 4, 1, 4)])
def test_groups_equal_lax_to_second_order(size, channels, outputs, window,
                                          groups):
  x = normal(0, 3, *size, channels)
  kernel = normal(1, window, window, channels // groups, outputs) / np.float32(
      window * np.sqrt(channels / groups))

  def plainly(x, kernel):
    return lax.conv_general_dilated(
        x, kernel, (1, 1), 'SAME', feature_group_count=groups,
        dimension_numbers=('NHWC', 'HWIO', 'NHWC'))

  got, want = (jax.jit(lambda x, k, f=f: to_second_order(f, x, k))(x, kernel)
               for f in (lambda x, k: ops.conv_groups(x, k, groups), plainly))
  assert_close(got, want)

  def within(x):
    with ops.plain():
      return ops.conv_groups(x, kernel, groups)

  assert_close(jax.jit(within)(x), jax.jit(plainly)(x, kernel), 1e-6)
  assert [e.primitive.name for e in jax.make_jaxpr(within)(x).eqns] == [
      'conv_general_dilated']


@pytest.mark.parametrize('groups', [3, 4])
def test_groups_that_do_not_divide_are_refused(groups):
  with pytest.raises(ValueError, match=f'{groups} groups do not divide 4 and '):
    ops.conv_groups(jnp.ones((1, 4, 4, 4)), jnp.ones((3, 3, 1, 6)), groups)
