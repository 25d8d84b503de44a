"""gan_jax.ops.conv_nd: signals and volumes, against lax and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from plain_conv import (
  assert_close,
  both_to_second_order,
  normal,
  plain,
  plain_transpose,
)

from gan_jax.ops import conv as ops
from gan_jax.ops import conv_nd

# space, I, O, side of the kernel, stride
CASES = [
    ((40,), 2, 5, 25, 4), ((37,), 33, 3, 25, 4), ((9,), 3, 4, 5, 1),
    ((11,), 8, 64, 4, 2), ((6,), 1, 2, 3, 4),
    ((6, 5), 3, 4, 4, 2),
    ((6, 5, 8), 3, 4, 4, 2), ((5, 7, 6), 2, 3, 3, 1), ((6, 7, 6), 2, 3, 5, 2),
    ((8, 9, 5), 2, 2, 3, 4), ((8, 4, 4), 1, 3, 4, 4),
    ((6, 4, 4), 8, 64, 4, 2),  # Winograd's form
]


@pytest.mark.parametrize('space,i,o,side,stride', CASES)
def test_conv_and_its_transpose_equal_lax(space, i, o, side, stride):
  """Values, first derivatives and those of a gradient penalty."""
  window = (side,) * len(space)
  x = normal(0, 2, *space, i)
  kernel = normal(1, *window, i, o) / np.float32(np.sqrt(i * np.prod(window)))
  shape = (2, *(-(-n // stride) for n in space), o)
  y = normal(2, *shape)
  got = both_to_second_order(
      lambda x, k: conv_nd.conv(x, k, stride=stride),
      lambda y, k: conv_nd.conv_transpose(y, k, stride=stride, size=space),
      x, y, kernel)
  want = both_to_second_order(
      lambda x, k: plain(x, k, stride, 'SAME'),
      lambda y, k: plain_transpose(y, k, space, stride, 'SAME'), x, y, kernel)
  assert got[0].shape == shape
  assert_close(got, want)


def test_a_sum_over_the_neighbours_of_a_voxel():
  """A kernel of 3^3 ones counts a single 1 at each voxel beside it."""
  x = np.zeros((1, 5, 4, 4, 1), np.float32)
  x[0, 1, 0, 2] = 1.0
  y = conv_nd.conv(x, jnp.ones((3, 3, 3, 1, 1)))
  want = np.zeros((5, 4, 4))
  want[0:3, 0:2, 1:4] = 1.0
  np.testing.assert_array_equal(y[0, ..., 0], want)


def test_the_transpose_places_the_kernel_and_crops_one_at_each_end():
  """As torch's ConvTranspose with padding 1; see test_conv."""
  x, row = jnp.array([1.0, 10.0]), jnp.array([1.0, 2.0, 3.0, 4.0])
  want = [2.0, 13.0, 24.0, 30.0]
  y = conv_nd.conv_transpose(x.reshape(1, 2, 1), row.reshape(4, 1, 1),
                             size=(4,))
  np.testing.assert_allclose(y.ravel(), want)
  # Along the first axis of a volume; the middle two taps of the others are 1.
  kernel = jnp.zeros((4, 4, 4, 1, 1)).at[:, 1, 1].set(row.reshape(4, 1, 1))
  y = conv_nd.conv_transpose(x.reshape(1, 2, 1, 1, 1), kernel, size=(4, 2, 2))
  np.testing.assert_allclose(y[0, :, 0, 0, 0], want)
  assert not y[0, :, 1].any() and not y[0, :, :, 1].any()


@pytest.mark.parametrize('space', [(9,), (6, 5, 4)])
def test_vmap_equals_a_loop(space):
  window = (4,) * len(space)
  x, kernel = normal(0, 3, 2, *space, 2), normal(1, 3, *window, 2, 5)

  def one(x, kernel):
    def loss(k):
      y = conv_nd.conv(x, k, stride=2)
      return jnp.sum(conv_nd.conv_transpose(
          y ** 2, k.swapaxes(-2, -1), size=space) ** 2)
    return jax.grad(loss)(kernel)

  got, alone = jax.jit(jax.vmap(one))(x, kernel), jax.jit(one)
  assert_close(got, jnp.stack([alone(a, k) for a, k in zip(
      x, kernel, strict=True)]), 1e-4)


@pytest.mark.parametrize('space', [(9,), (6, 5, 4)])
def test_within_plain_they_are_of_lax_for_any_batch(space):
  x, kernel = normal(0, 3, *space, 2), normal(1, *(4,) * len(space), 2, 5)

  def there_and_back(x):
    y = conv_nd.conv(x, kernel, stride=2)
    return conv_nd.conv_transpose(y, kernel.swapaxes(-2, -1), size=space)

  def within(x):
    with ops.plain():
      return there_and_back(x)

  assert_close(jax.jit(within)(x), jax.jit(there_and_back)(x), 1e-5)
  batch, = jax.export.symbolic_shape('batch')
  exported = jax.export.export(jax.jit(within))(
      jax.ShapeDtypeStruct((batch, *x.shape[1:]), x.dtype))
  assert exported.out_avals[0].shape == (batch, *x.shape[1:])
  names = {e.primitive.name for e in jax.make_jaxpr(within)(x).eqns}
  assert 'conv_general_dilated' in names
  assert not names & {'conv', 'conv_image'}


@pytest.mark.parametrize('call,words', [
    (lambda x, k: conv_nd.conv(x[0, 0, 0], k), 'one, two or three axes'),
    (lambda x, k: conv_nd.conv(x, k[0]), 'one, two or three axes'),
    (lambda x, k: conv_nd.conv(x, k[..., :1, :]), 'channels'),
    (lambda x, k: conv_nd.conv_transpose(x, k, size=(5, 8, 8)), '5 slices'),
    (lambda x, k: conv_nd.conv_transpose(x, k, size=(8, 5, 8)), 'size'),
])
def test_errors(call, words):
  with pytest.raises(ValueError, match=words):
    call(jnp.zeros((1, 4, 4, 4, 3)), jnp.zeros((3, 3, 3, 3, 2)))
