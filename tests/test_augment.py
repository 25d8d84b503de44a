"""Augmentations against what numpy says of the drawn shifts and flips."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import random

from gan_jax import augment, lookup

NAMES = lookup.names('gan_jax.augment')
SHAPE = (8, 16, 2)


def pictures(batch, shape=SHAPE):
  """No two pixels alike, none 0."""
  values = np.random.default_rng(0).permutation(batch * np.prod(shape)) + 1.0
  return jnp.asarray(values.reshape(batch, *shape), jnp.float32)


def keys_of(batch, seed=0):
  return random.split(random.key(seed), batch)


def shifted(image, down, right):
  """By hand: pixel (y, x) comes from (y - down, x - right), or is 0."""
  out = np.zeros_like(image)
  height, width = image.shape[:2]
  for y in range(height):
    for x in range(width):
      if 0 <= y - down < height and 0 <= x - right < width:
        out[y, x] = image[y - down, x - right]
  return out


def test_horizontal_flip_mirrors_every_second_image():
  images = pictures(400)
  out = np.asarray(jax.jit(augment.horizontal_flip())(images, keys_of(400)))
  images = np.asarray(images)
  same = (out == images).all((1, 2, 3))
  mirrored = (out == images[:, :, ::-1]).all((1, 2, 3))
  assert (same ^ mirrored).all()
  assert 160 <= same.sum() <= 240  # Four standard deviations.


def test_translation_shifts_by_all_amounts_and_fills_with_0():
  batch = 300
  images = pictures(batch)
  out = np.asarray(jax.jit(augment.translation())(images, keys_of(batch)))
  seen = []
  for image, moved in zip(np.asarray(images), out, strict=True):
    match = [(down, right) for down in range(-2, 3) for right in range(-3, 4)
             if (moved == shifted(image, down, right)).all()]
    assert len(match) == 1
    seen += match
  # 1/8 of 8 and of 16: up to 1 and 2 pixels, both bounds included.
  assert set(seen) == {(y, x) for y in (-1, 0, 1) for x in (-2, -1, 0, 1, 2)}
  counts = [seen.count(shift) for shift in set(seen)]
  assert min(counts) > 5 and max(counts) < 40  # 20 expected.


@pytest.mark.parametrize('ratio,most', [(0.0, 0), (0.5, 4), (0.3, 2)])
def test_translation_ratio(ratio, most):
  image = jnp.zeros((200, 8, 8, 1)).at[:, 4, 4].set(1.0)
  out = jax.jit(augment.translation(ratio=ratio))(image, keys_of(200))
  _, rows, cols, _ = np.nonzero(np.asarray(out))
  for found in (rows, cols):
    assert found.min() == 4 - most
    assert found.max() == min(4 + most, 7)


def test_instance_noise_is_normal_and_of_every_pixel():
  images = pictures(200) / 1000.0
  out = jax.jit(augment.instance_noise(std=0.3))(images, keys_of(200))
  noise = np.asarray(out - images) / 0.3
  assert abs(noise.mean()) < 0.02 and abs(noise.std() - 1.0) < 0.02
  assert len(np.unique(noise)) > 0.9 * noise.size
  channels = noise.reshape(-1, 2)
  assert abs(np.corrcoef(channels.T)[0, 1]) < 0.03


# Properties of all, of those to come too.


@pytest.mark.parametrize('name', NAMES)
def test_an_image_depends_on_its_own_key_only(name):
  function = jax.jit(lookup.build('gan_jax.augment', dict(name=name)))
  images, keys = pictures(6), keys_of(6)
  out = np.asarray(function(images, keys))
  assert out.shape == images.shape and out.dtype == images.dtype
  np.testing.assert_array_equal(function(images, keys), out)
  np.testing.assert_array_equal(function(images[::-1], keys[::-1]), out[::-1])
  np.testing.assert_allclose(function(images[:2], keys[:2]), out[:2], rtol=1e-6)
  others = [function(images, keys.at[4].set(random.key(seed)))
            for seed in range(12)]
  rest = np.array([0, 1, 2, 3, 5])
  for other in others:
    np.testing.assert_array_equal(other[rest], out[rest])
  assert any((other[4] != out[4]).any() for other in others)


@pytest.mark.parametrize('name', NAMES)
def test_gradients_flow_to_the_images(name):
  """Along a direction the function moves as its gradient says."""
  function = lookup.build('gan_jax.augment', dict(name=name))
  images, way = pictures(4) / 100.0, pictures(4)[::-1] / 100.0
  weight, keys = jnp.sin(pictures(4)), keys_of(4)

  @jax.jit
  def measured(images):
    return jnp.sum(weight * function(images, keys))

  slope = float(jnp.sum(jax.jit(jax.grad(measured))(images) * way))
  moved = float(measured(images + way) - measured(images - way)) / 2
  assert abs(slope) > 0.1
  assert slope == pytest.approx(moved, rel=1e-3, abs=1e-2)
