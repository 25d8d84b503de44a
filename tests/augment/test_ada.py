"""ADA: how p adapts, and its operations."""

from functools import partial

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
  half = augment.ada(target=-0.5, p=0.1)
  same = half.remember(half.memory, jnp.array([-3.0, -0.1, -9.0, 1.0]), 0)
  assert same['p'] == np.float32(0.1)
  # Kept in [0, 1].
  for _ in range(30):
    up, down = ada.remember(up, sure, 0), ada.remember(down, -sure, 0)
  assert up['p'] == 1.0 and down['p'] == 0.0
  # Without a batch size: of the logits, here 4 of 500,000 images.
  alone = augment.ada()
  assert alone.remember(alone.memory, sure, 0)['p'] == pytest.approx(8e-6)


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
  spoilt = np.asarray(jax.jit(augment.ada(noise=True, cutout=True).apply)(
      images, keys_of(3000), {'p': jnp.float32(0.5)}))
  cut = (spoilt == 0.0).any((1, 2, 3))
  noise = np.where(spoilt == 0.0, 0.0, spoilt - out)
  noisy = (np.abs(noise) > 1e-6).any((1, 2, 3))
  for share, want in ((cut, 0.5), (noisy, 0.5), (cut & noisy, 0.25)):
    assert share.mean() == pytest.approx(want, abs=0.04)
  whole = noise[noisy & ~cut]
  # The square of a half-normal deviation of 0.1 is 0.01 on average.
  assert (whole ** 2).mean() == pytest.approx(0.01, rel=0.2)
  assert whole.std((1, 2, 3)).mean() == pytest.approx(0.08, rel=0.1)


def test_ada_cuts_out_half_of_each_side():
  got = jax.jit(adaptive._cutout)(jnp.ones((8, 8, 1)), True,
                                  np.float32([0.0, -1.0]))
  want = np.ones((8, 8, 1))
  want[2:6, :2] = 0.0  # Around the middle, and around the left border.
  np.testing.assert_array_equal(got, want)


def test_ada_draws_operations_and_strengths():
  done, u, n = jax.jit(jax.vmap(partial(adaptive._draw, p=0.51)))(
      keys_of(4000))
  want = np.full(15, 0.51)
  want[[4, 6]] = 0.3  # Neither of both: 0.7^2 = 0.49.
  np.testing.assert_allclose(done.mean(0), want, atol=0.04)
  np.testing.assert_allclose(u.min(0), -np.ones(10), atol=0.01)
  np.testing.assert_allclose(u.max(0), np.ones(10), atol=0.01)
  np.testing.assert_allclose(u.mean(0), np.zeros(10), atol=0.04)
  np.testing.assert_allclose(n.std(0), np.ones(8), atol=0.06)
  drawn = np.corrcoef(np.concatenate([done, u, n], axis=1).T)
  assert np.abs(drawn - np.eye(33)).max() < 0.08


def turned(degrees):
  cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
  return np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])


def moved(down, right):
  return np.array([[1, 0, down], [0, 1, right], [0, 0, 1]])


def test_ada_moves_by_hand(monkeypatch):
  """Each movement and all, as (row, column, 1) of 16 x 8 pixels."""
  monkeypatch.setattr(adaptive.ops, 'warp', lambda image, *warp: warp)
  geometry = jax.jit(partial(adaptive._geometry, jnp.zeros((16, 8, 1))))
  u = np.float32([-0.5, 0.6, 0.7, -0.9, 0.25, -0.5])
  n = np.float32([1.0, -1.0, 0.5, -2.0])
  by_hand = [
      np.diag([1, -1, 1]), turned(270), moved(1, -1),  # Of 1.4 and -0.9.
      np.diag([2 ** 0.2, 2 ** 0.2, 1]), turned(45),
      np.diag([2 ** 0.2, 2 ** -0.2, 1]), turned(-90), moved(1, -2)]

  def found(done, u):
    matrix, offset = geometry(done, u, n)
    return np.vstack([np.column_stack([matrix, offset]), [0, 0, 1]])

  for i, want in enumerate(by_hand):
    np.testing.assert_allclose(found(np.arange(8) == i, u),
                               np.linalg.inv(want), atol=1e-6)
  for i in (0, 1):  # Not mirrored, no quarter turn.
    np.testing.assert_array_equal(found(np.arange(8) == i, -u), np.eye(3))
  np.testing.assert_allclose(
      found(np.ones(8, bool), u),
      np.linalg.inv(np.linalg.multi_dot(by_hand[::-1])), atol=1e-5)


def test_ada_changes_colours_by_hand():
  colour = jax.jit(adaptive._colour)
  pixel = np.float32([0.3, -0.3, 0.6])  # Its luma is 0.2.
  u, n = np.float32([-0.5, 2 / 3]), np.float32([0.5, -2.0, 1.0])
  by_hand = [
      lambda x: x + 0.1, lambda x: x / 2, lambda x: x - 2 * x.mean(),
      # A third of a turn: red to green to blue.
      lambda x: np.roll(x, 1), lambda x: x.mean() + 2 * (x - x.mean())]
  every = pixel
  for i, change in enumerate(by_hand):
    every = change(every)
    got = colour(pixel[None, None], np.arange(5) == i, u, n)[0, 0]
    np.testing.assert_allclose(got, change(pixel), atol=1e-6)
  got = colour(pixel[None, None], np.ones(5, bool), u, n)[0, 0]
  np.testing.assert_allclose(got, every, atol=1e-6)


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
