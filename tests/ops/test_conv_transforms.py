"""gan_jax.ops.conv under vmap, scan, cond, shard_map; what is compiled."""

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from plain_conv import (
  CASES,
  assert_close,
  normal,
  plain,
  plain_transpose,
  to_second_order,
)

from gan_jax.ops import conv as ops
from gan_jax.ops import cpu_conv
from gan_jax.ops.conv import conv, conv_transpose


@pytest.mark.parametrize('x_axis,kernel_axis', [(0, None), (None, 3), (1, 0)])
@pytest.mark.parametrize('channels', [3, 12])
def test_vmap_equals_a_loop(channels, x_axis, kernel_axis):
  x, kernel = normal(0, 3, 2, 6, 6, channels), normal(1, 3, 4, 4, channels,
                                                      64)

  def one(x, kernel):
    def loss(x, kernel):
      return jnp.sum(conv(x, kernel, stride=2) ** 3)
    penalty = jax.grad(lambda k: jnp.sum(jax.grad(loss)(x, k) ** 2))(kernel)
    return jax.grad(loss, (0, 1))(x, kernel), penalty

  members = [(x[0 if x_axis is None else i], kernel[0 if kernel_axis is None
                                                    else i]) for i in range(3)]
  alone = jax.jit(one)
  want = jax.tree.map(lambda *v: jnp.stack(v), *[alone(*m) for m in members])
  got = jax.jit(jax.vmap(one, (x_axis, kernel_axis)))(
      x[0] if x_axis is None else jnp.moveaxis(x, 0, x_axis),
      kernel[0] if kernel_axis is None else jnp.moveaxis(kernel, 0,
                                                         kernel_axis))
  assert_close(got, want, 1e-4)


@pytest.mark.parametrize('axes', [((0, None), (0, 0)), ((0, 0), (0, None)),
                                  ((0, 0), (None, 0)), ((None, 0), (0, None))])
def test_vmap_of_vmap(axes):
  """Both ways around, members of the inner and of the outer one."""
  inner, outer = axes
  sizes = [[n for n, i in zip((2, 3), pair, strict=True) if i is not None]
           for pair in zip(outer, inner, strict=True)]
  x, kernel = normal(0, *sizes[0], 1, 5, 5, 4), normal(1, *sizes[1], 3, 3, 4, 6)
  got, want = (jax.jit(jax.vmap(jax.vmap(f, inner), outer))(x, kernel)
               for f in (conv, lambda x, k: plain(x, k, 1, 'SAME')))
  assert_close(got, want)


def test_vmap_of_one_operand_of_the_two_transposes():
  """The others of `vmap` are in gradients of the tests above."""
  y, kernels = normal(0, 2, 3, 3, 4), normal(1, 3, 4, 4, 4, 2)
  xs = normal(2, 3, 2, 6, 6, 2)

  def both(transposed, convolved):
    def of_kernel(x):
      return jax.vjp(lambda k: convolved(x, k), kernels[0].swapaxes(2, 3))[1](
          y)[0]
    return jax.jit(lambda kernels, xs: (
        jax.vmap(lambda k: transposed(y, k))(kernels), jax.vmap(of_kernel)(xs)
    ))(kernels, xs)

  assert_close(both(conv_transpose, partial(conv, stride=2)), both(
      lambda y, k: plain_transpose(y, k, (6, 6), 2, 'SAME'),
      lambda x, k: plain(x, k, 2, 'SAME')))


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


PARAMS = [0.1 * normal(0, 4, 4, 3, 24), 0.1 * normal(1, 4, 4, 24, 64),
          0.1 * normal(2, 4, 4, 64, 8)]  # product, Winograd, direct


def test_scan_equals_a_loop():
  batches = normal(3, 3, 2, 16, 16, 3)
  want = PARAMS
  for x in batches:
    want = jax.jit(_critic_step)(want, x)
  assert_close(jax.jit(_scan)(PARAMS, batches), want)


def test_cond():
  x, kernel = normal(0, 1, 6, 6, 2), normal(1, 3, 3, 2, 4)

  def loss(kernel, flag):
    return jnp.sum(lax.cond(flag, lambda: conv(x, kernel), lambda: jnp.zeros(
        (1, 6, 6, 4))) ** 2)

  want = jax.grad(lambda k: jnp.sum(plain(x, k, 1, 'SAME') ** 2))(kernel)
  assert_close(jax.jit(jax.grad(loss))(kernel, True), want)
  assert not jax.jit(jax.grad(loss))(kernel, False).any()


@pytest.mark.parametrize('check_vma', [False, True])
def test_shard_map(check_vma):
  devices = jax.devices()[:2]
  mesh = jax.make_mesh((len(devices),), ('data',), devices=devices,
                       axis_types=(jax.sharding.AxisType.Auto,))
  rows, whole = jax.P('data'), jax.P()
  x, kernel = normal(0, 4, 6, 6, 2), normal(1, 4, 4, 2, 5)

  def local(x, kernel):
    gradient = jax.grad(lambda k: jnp.sum(conv(x, k, stride=2) ** 2))(kernel)
    return gradient if check_vma else lax.psum(gradient, 'data')

  got = jax.jit(jax.shard_map(local, mesh=mesh, in_specs=(rows, whole),
                              out_specs=whole, check_vma=check_vma))(x, kernel)
  want = jax.jit(jax.grad(lambda k: jnp.sum(plain(x, k, 2, 'SAME') ** 2)))(
      kernel)
  assert_close(got, want)


def test_vmap_with_axis_name():
  x, kernel = normal(0, 2, 2, 6, 6, 2), normal(1, 4, 4, 2, 5)

  def local(x):
    gradient = jax.grad(lambda k: jnp.sum(conv(x, k, stride=2) ** 2))(kernel)
    return lax.psum(gradient, 'data')

  want = jax.jit(jax.grad(lambda k: jnp.sum(plain(
      x.reshape(4, 6, 6, 2), k, 2, 'SAME') ** 2)))(kernel)
  assert_close(jax.jit(jax.vmap(local, axis_name='data'))(x)[1], want)


def test_compiled_scan_holds_only_canonical_convolutions():
  """Any other form runs up to a hundred times slower inside a scan on CPU."""
  hlo = jax.jit(_scan).lower(
      PARAMS, jnp.zeros((2, 2, 16, 16, 3))).compile().as_text()
  labels = re.findall(r'dim_labels=(\S+?)[,\s]', hlo)
  assert len(labels) >= 3
  assert set(labels) == {'b01f_01io->b01f'}
  assert not re.search(r'convolution\(.*lhs_dilate', hlo)


def penalty_on_a_gpu(convolve, x, kernel):
  """The program, as text, of a gradient penalty's gradient."""
  def gradient(x, k):
    return jax.grad(lambda x: jnp.sum(convolve(x, k) ** 3))(x)
  function = jax.grad(lambda x, k: jnp.sum(gradient(x, k) ** 2), (0, 1))
  return jax.jit(function).trace(x, kernel).lower(
      lowering_platforms=('cuda',)).as_text()


def test_other_backends_get_plain_convolutions():
  """As many convolutions as lax itself emits, and nothing around them."""
  got, want = (penalty_on_a_gpu(convolve, jnp.zeros((2, 16, 16, 24)),
                                jnp.zeros((4, 4, 24, 64)))
               for convolve in (lambda x, k: conv(x, k, stride=2),
                                lambda x, k: plain(x, k, 2, 'SAME')))
  names = ('convolution', 'reverse', 'transpose', 'concatenate', 'reshape',
           'pad', 'slice', 'dot_general')
  counts = [{n: len(re.findall(rf'stablehlo\.{n}\b', text)) for n in names}
            for text in (got, want)]
  got, want = counts
  assert got['convolution'] == want['convolution'] >= 5
  assert all(got[n] <= want[n] for n in names)


@pytest.mark.parametrize('size,i,o,window,stride,padding', [
    # Of the same geometries; which form a CPU takes does not matter here.
    pytest.param(*case, marks=[pytest.mark.slow] * (i in (0, 1, 2, 4, 7)))
    for i, case in enumerate(CASES)])
def test_products_of_a_population_equal_lax(size, i, o, window, stride,
                                            padding):
  """The three as accelerators run them, with derivatives up to the second."""
  geometry = ops._geometry(jnp.zeros((2, *size, i)), jnp.zeros((*window, i, o)),
                           size, ops._pair(stride), padding)
  arrays = {'x': normal(0, 3, 2, *size, i), 'k': normal(1, 3, *window, i, o),
            'y': normal(2, 3, 2, *geometry.out, o)}
  for names, form, other in (
      ('xk', cpu_conv.conv_by_product, ops._plain_conv),
      ('yk', cpu_conv.image_by_product, ops._plain_image),
      ('xy', cpu_conv.kernel_by_product, ops._plain_kernel)):
    got, want = (jax.jit(partial(to_second_order, jax.vmap(
        partial(f, geometry=geometry))))(*(arrays[n] / np.sqrt(
            np.prod(arrays[n].shape[2:])) for n in names))
                 for f in (form, other))
    assert_close(got, want)


def test_other_backends_get_batched_products_for_a_population():
  """A convolution of groups would run its groups one after the other."""
  x, kernel = jnp.zeros((3, 2, 16, 16, 24)), jnp.zeros((3, 4, 4, 24, 64))

  def compiled(x_axis, kernel_axis):
    def one(x, k):
      def gradient(x, k):
        return jax.grad(lambda x: jnp.sum(conv(x, k, stride=2) ** 3))(x)
      return jax.grad(lambda x, k: jnp.sum(gradient(x, k) ** 2), (0, 1))(x, k)
    args = (x if x_axis == 0 else x[0], kernel if kernel_axis == 0
            else kernel[0])
    return jax.jit(jax.vmap(one, (x_axis, kernel_axis))).trace(*args).lower(
        lowering_platforms=('cuda',)).as_text()

  text = compiled(0, 0)
  assert 'stablehlo.convolution' not in text
  products = [line for line in text.splitlines() if 'dot_general' in line]
  assert len(products) >= 5
  assert all('batching_dims = [0] x [0]' in line for line in products)
  nested = jax.jit(jax.vmap(jax.vmap(conv))).trace(
      x[None], kernel[None]).lower(lowering_platforms=('cuda',)).as_text()
  assert 'batching_dims = [0, 1] x [0, 1]' in nested
  for text in (compiled(0, None), compiled(None, 0)):
    assert 'stablehlo.convolution' in text
    groups = re.findall(r'feature_group_count = (\d+)', text)
    groups += re.findall(r'batch_group_count = (\d+)', text)
    assert set(groups) <= {'1'}


def test_other_backends_get_convolutions_of_groups():
  """As many as lax emits, in the forms for which cuDNN has kernels."""
  got, want = (penalty_on_a_gpu(convolve, jnp.zeros((2, 8, 8, 12)),
                                jnp.zeros((3, 3, 4, 6))) for convolve in (
      lambda x, k: ops.conv_groups(x, k, 3),
      lambda x, k: lax.conv_general_dilated(
          x, k, (1, 1), 'SAME', feature_group_count=3,
          dimension_numbers=cpu_conv.DIMENSIONS)))
  kinds = [sorted(re.findall(
      r'batch_group_count = (\d+).*?feature_group_count = (\d+)', text))
           for text in (got, want)]
  # A kernel's gradient has groups of examples: the only form of which XLA makes
  # cuDNN's own. All others have groups of channels.
  assert kinds[0] == kinds[1]
  assert set(kinds[0]) == {('1', '3'), ('3', '1')}
  assert 'dot_general' not in got


def test_groups_as_other_backends_run_them_equal_lax_to_second_order():
  geometry = ops.Geometry((5, 4), (3, 3), (1, 1), ((1, 1), (1, 1)))
  arrays = {'x': normal(0, 3, 2, 5, 4, 2), 'k': normal(1, 3, 3, 3, 2, 4) / 4,
            'y': normal(2, 3, 2, 5, 4, 4)}
  for names, form, other in (('xk', ops._grouped_conv, ops._plain_conv),
                             ('yk', ops._grouped_image, ops._plain_image),
                             ('xy', ops._grouped_kernel, ops._plain_kernel)):
    got, want = (jax.jit(partial(to_second_order, f))(
        *(arrays[n] for n in names)) for f in (
            partial(form, geometry=geometry),
            jax.vmap(partial(other, geometry=geometry))))
    assert_close(got, want)
