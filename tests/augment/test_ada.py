"""ADA: how p adapts, and its operations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from augmented import bound, keys_of, pictures
from jax import random

from gan_jax import augment
from gan_jax.augment import adaptive


def test_ada_adapts_p_by_hand():
  ada = augment.ada(target=0.6, kimg=1.0, batch_size=50, p=0.1)
  assert ada.memory == {'p': np.float32(0.1)}
  # All are taken for real: D is too sure.
  sure = jnp.ones(4)
  up = ada.remember(ada.memory, sure, jnp.int32(3))
  assert up['p'] == pytest.approx(0.15) and up['p'].dtype == jnp.float32
  down = ada.remember(ada.memory, jnp.array([1.0, -1.0]), jnp.int32(3))
  assert down['p'] == pytest.approx(0.05)
  # On the target: as it is.
  half = augment.ada(target=0.5, p=0.1)
  same = half.remember(half.memory, jnp.array([3.0, 0.1, 9.0, -1.0]), 0)
  assert same['p'] == np.float32(0.1)
  # Kept in [0, 1].
  for _ in range(30):
    up, down = ada.remember(up, sure, 0), ada.remember(down, -sure, 0)
  assert up['p'] == 1.0 and down['p'] == 0.0
  # Without a batch size: of the logits.
  alone = augment.ada(kimg=1.0)
  assert alone.remember(alone.memory, sure, 0)['p'] == pytest.approx(0.004)


def test_ada_looks_at_all_devices():
  logits = jnp.array([[1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, -1.0]])
  settings = dict(target=0.7, kimg=1.0, batch_size=8, p=0.5)
  split = augment.ada(**settings, batch_mean=lambda x: jax.lax.pmean(
      jnp.mean(x), 'data'))
  four = jax.vmap(lambda x: split.remember(split.memory, x, 0),
                  axis_name='data')(logits)
  one = augment.ada(**settings)
  want = one.remember(one.memory, logits.reshape(8), 0)['p']
  assert want == pytest.approx(0.508)  # r_t = 0.75.
  np.testing.assert_allclose(four['p'], np.full(4, want))


@pytest.mark.parametrize('channels', [1, 3])
def test_ada_at_0_is_the_image_itself(channels):
  images = pictures(8, (9, 12, channels)) / 100.0
  function = bound(augment.ada(noise=True, cutout=True))
  np.testing.assert_array_equal(jax.jit(function)(images, keys_of(8)), images)


def test_ada_does_each_operation_with_probability_p():
  """Of grey images of one value, colour alone changes the value."""
  images = np.full((3000, 4, 4, 1), 0.5, np.float32)
  function = jax.jit(augment.ada().apply)
  for p in (0.1, 0.5):
    out = np.asarray(function(images, keys_of(3000), {'p': jnp.float32(p)}))
    np.testing.assert_allclose(out, out[:, :1, :1] + 0.0 * out, atol=1e-5)
    same = (np.abs(out[:, 0, 0, 0] - 0.5) < 1e-6).mean()
    # Neither brightness nor contrast, and a luma flip half of the time.
    assert same == pytest.approx((1 - p) ** 2 * (1 - p / 2), abs=0.04)


def test_ada_moves_points_around_and_mirrors_the_border():
  """Pixel values are kept by movements: no value appears from nowhere."""
  key = random.key(0)
  image = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (12, 9, 3)),
                      jnp.float32)
  done = jnp.ones(8, bool)

  @jax.jit
  def move(image, key):
    _, u, n = adaptive._draw(key, jnp.float32(1.0))
    return adaptive._geometry(image, done, u[:6], n[:4])

  for i in range(20):
    out = move(image, random.fold_in(key, i))
    assert out.shape == image.shape
    assert image.min() - 1e-5 <= out.min() and out.max() <= image.max() + 1e-5
    assert (out != image).any()


def test_ada_turns_colours_about_grey():
  """Hue keeps luma and the length of chroma; grey stays grey."""
  @jax.jit
  def change(image, key):
    _, u, n = adaptive._draw(key, jnp.float32(1.0))
    return adaptive._colour(image, jnp.ones(5, bool), u[6:8], n[4:7])

  key = random.key(0)
  image = jax.random.uniform(random.key(1), (4, 5, 3), minval=-1.0)
  angles = []
  for i in range(40):
    out = np.float64(change(image, random.fold_in(key, i)))
    old = np.float64(image)
    luma, old_luma = out.mean(-1), old.mean(-1)
    # luma' = +-contrast (luma + brightness): a straight line.
    slope, offset = np.polyfit(old_luma.ravel(), luma.ravel(), 1)
    np.testing.assert_allclose(luma, slope * old_luma + offset, atol=1e-4)
    # As complex numbers in the plane across grey: one factor for all pixels.
    axes = np.exp(2j * np.pi * np.arange(3) / 3)
    factors = (out @ axes) / (old @ axes)
    np.testing.assert_allclose(factors, np.full((4, 5), factors[0, 0]),
                               rtol=1e-3)
    angles.append(np.angle(factors[0, 0]))
  assert min(angles) < -2 and max(angles) > 2  # Both ways, all around.
  grey = change(jnp.full((4, 5, 3), 0.3), key)
  np.testing.assert_allclose(grey, np.broadcast_to(grey[..., :1], (4, 5, 3)),
                             atol=1e-6)


@pytest.mark.parametrize('wrong', [
    dict(p=1.5), dict(p=-0.1), dict(target=2.0), dict(kimg=0.0)])
def test_ada_refuses(wrong):
  with pytest.raises(ValueError, match=next(iter(wrong))):
    augment.ada(**wrong)
