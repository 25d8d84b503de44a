"""Augmentations against what numpy says of the draws; properties of all."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from augmented import NAMES, bound, build, keys_of, pictures, shifted
from jax import random

from gan_jax import augment
from gan_jax.base import lookup


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


@pytest.mark.parametrize('size,ratio,most', [
    (8, 0.0, 0), (8, 0.5, 4), (8, 0.3, 2), (20, 0.125, 3), (36, 0.125, 5),
    (100, 0.125, 13)])
def test_translation_ratio(size, ratio, most):
  middle = size // 2
  image = np.zeros((200, size, size, 1), np.float32)
  image[:, middle, middle] = 1.0
  out = jax.jit(augment.translation(ratio=ratio))(image, keys_of(200))
  _, rows, cols, _ = np.nonzero(np.asarray(out))
  for found in (rows, cols):
    assert found.min() == middle - most
    assert found.max() == min(middle + most, size - 1)


def test_instance_noise_is_normal_and_of_every_pixel():
  images = pictures(200) / 1000.0
  out = jax.jit(bound(augment.instance_noise()))(images, keys_of(200))
  noise = (np.asarray(out) - images) / 0.1
  assert abs(noise.mean()) < 0.02 and abs(noise.std() - 1.0) < 0.02
  assert len(np.unique(noise)) > 0.9 * noise.size
  channels = noise.reshape(-1, 2)
  assert abs(np.corrcoef(channels.T)[0, 1]) < 0.03


def test_instance_noise_fades():
  noise = augment.instance_noise(std=optax.linear_schedule(0.4, 0.0, 100))
  assert noise.memory == {}
  images, keys = np.zeros((50, 8, 8, 1), np.float32), keys_of(50)
  apply = jax.jit(noise.apply)
  whole = apply(images, keys, {'step': jnp.int32(0)})
  np.testing.assert_allclose(
      whole, jax.jit(augment.instance_noise(std=0.4).apply)(images, keys, {}),
      rtol=1e-6)
  for step, part in [(25, 0.75), (100, 0.0), (1000, 0.0)]:
    faded = apply(images, keys, {'step': jnp.int32(step)})
    np.testing.assert_allclose(faded, part * np.asarray(whole), rtol=1e-5,
                               atol=1e-6)


def test_bgc_is_ada_with_a_given_probability():
  images, keys = pictures(6) / 300.0, keys_of(6)
  options = dict(noise=True, cutout=True)
  adaptive = jax.jit(augment.ada(**options).apply)
  rising = jax.jit(augment.bgc(
      p=optax.linear_schedule(0.0, 2.0, 10), **options).apply)
  assert augment.bgc().memory == {}
  # 1.8 is as much as 1.
  for step, p in [(0, 0.0), (3, 0.6), (9, 1.0), (1, 0.2)]:
    want = adaptive(images, keys, {'p': jnp.float32(p)})
    got = rising(images, keys, {'step': jnp.int32(step)})
    np.testing.assert_allclose(got, want, atol=1e-5)
  fixed = jax.jit(augment.bgc(**options).apply)  # Always 0.2.
  np.testing.assert_allclose(fixed(images, keys, {}), want, atol=1e-5)
  with pytest.raises(ValueError, match='p 1.5 is not in'):
    augment.bgc(p=1.5)


# DiffAugment.


def test_colour_recovers_its_draws():
  """Each draw by itself, from what it leaves unchanged."""
  images = np.float32(np.random.default_rng(3).uniform(
      -1.0, 1.0, (400, 4, 6, 3)))
  out = np.float64(jax.jit(augment.colour())(images, keys_of(400)))
  images = np.float64(images)

  def centred(x, axes):
    return x - x.mean(axes, keepdims=True)

  def ratio(new, old):
    """The factor of all values of an image, which must be one."""
    factor = (new * old).sum((1, 2, 3)) / (old ** 2).sum((1, 2, 3))
    np.testing.assert_allclose(new, factor[:, None, None, None] * old,
                               atol=1e-5)
    return factor

  brightness = (out - images).mean((1, 2, 3))
  grey, old_grey = (x.mean(3, keepdims=True) for x in (out, images))
  contrast = ratio(centred(grey, (1, 2, 3)), centred(old_grey, (1, 2, 3)))
  saturation = ratio(centred(out, 3), centred(images, 3)) / contrast
  for drawn, low, high in [(brightness, -0.5, 0.5), (contrast, 0.5, 1.5),
                           (saturation, 0.0, 2.0)]:
    assert low - 1e-4 <= drawn.min() < low + 0.05 * (high - low)
    assert high - 0.05 * (high - low) < drawn.max() <= high + 1e-4
    assert abs(drawn.mean() - (low + high) / 2) < 0.07 * (high - low)
  draws = np.corrcoef([brightness, contrast, saturation])
  assert np.abs(draws - np.eye(3)).max() < 0.2


@pytest.mark.parametrize('shape', [(8, 6), (7, 9)])
def test_cutout_hides_one_window_anywhere(shape):
  images = np.ones((600, *shape, 1), np.float32)
  out = np.asarray(jax.jit(augment.cutout())(images, keys_of(600)))[..., 0]
  assert set(np.unique(out)) == {0.0, 1.0}
  seen = set()
  for hidden in out == 0:
    rows, cols = (np.flatnonzero(hidden.any(axis)) for axis in (1, 0))
    assert hidden[rows[0]:rows[-1] + 1, cols[0]:cols[-1] + 1].all()
    assert hidden.sum() == len(rows) * len(cols)
    seen |= {(i, n, len(x), x[0], x[-1]) for i, (n, x) in enumerate(
        zip(shape, (rows, cols), strict=True))}
  for i, n in enumerate(shape):
    # Half of it, rounded; centres from border to border.
    size = int(n / 2 + 0.5)
    want = {tuple(x for x in range(start, start + size) if 0 <= x < n)
            for start in range(-(size // 2), n + 1 - size % 2 - size // 2)}
    assert {(i, n, len(x), x[0], x[-1]) for x in want} == {
        found for found in seen if found[:2] == (i, n)}


@pytest.mark.parametrize('name', ['color', 'translation', 'cutout'])
def test_diffaugment_does_what_its_policy_says(name):
  images, keys = pictures(5, (8, 8, 3)) / 1000.0, keys_of(5)
  function = getattr(augment, name.replace('color', 'colour'))()

  @jax.jit
  def found(images, keys):
    folded = jax.vmap(lambda key: random.fold_in(key, 0))(keys)
    return (augment.diffaugment(policy=(name,))(images, keys),
            function(images, folded))

  np.testing.assert_array_equal(*found(images, keys))


def test_diffaugment_draws_anew_for_each_of_its_policy():
  images = pictures(20, (16, 16, 1))
  twice = augment.diffaugment(policy=('translation', 'translation'))
  out = np.asarray(jax.jit(twice)(images, keys_of(20)))
  down = {d for image, moved in zip(np.asarray(images), out, strict=True)
          for d in range(-4, 5) for r in range(-4, 5)
          if (moved[4:12, 4:12] == shifted(image, d, r)[4:12, 4:12]).all()}
  assert {d % 2 for d in down} == {0, 1}  # Odd: the two were not equal.
  for wrong in ((), ('colour',)):
    with pytest.raises(ValueError, match='policy'):
      augment.diffaugment(policy=wrong)


# Properties of all, of those to come too.


@functools.cache
def both(name):
  """(images, keys) -> (output, slope of a weighted sum of it), compiled."""
  function = build(name)

  def measured(images, keys):
    out = function(images, keys)
    weight = jnp.sin(1.0 + jnp.arange(out[0].size)).reshape(1, *out.shape[1:])
    return jnp.sum(weight * out), out

  return jax.jit(lambda images, keys: jax.value_and_grad(
      measured, has_aux=True)(images, keys))


@pytest.mark.parametrize('name', NAMES)
def test_an_image_depends_on_its_own_key_only(name):
  images, keys = pictures(6) / 100.0, keys_of(6)

  def function(*args):
    return np.asarray(both(name)(*args)[0][1])

  out = function(images, keys)
  assert out.shape == images.shape and out.dtype == images.dtype
  np.testing.assert_array_equal(function(images, keys), out)
  np.testing.assert_array_equal(function(images[::-1], keys[::-1]), out[::-1])
  # An image does not depend on the others.
  others = np.concatenate([images[:2], 0.5 * images[2:]])
  np.testing.assert_array_equal(function(others, keys)[:2], out[:2])
  if name == 'apa':  # What it does is `mix`, not `apply`.
    return
  def with_another(seed):
    data = np.array(random.key_data(keys))
    data[4] = seed
    return random.wrap_key_data(data)

  others = [function(images, with_another(seed)) for seed in range(12)]
  rest = np.array([0, 1, 2, 3, 5])
  for other in others:
    np.testing.assert_array_equal(other[rest], out[rest])
  assert any((other[4] != out[4]).any() for other in others)


@pytest.mark.parametrize('name', NAMES)
def test_gradients_flow_to_the_images(name):
  """Along a direction the function moves as its gradient says."""
  images, way = pictures(6) / 100.0, pictures(6)[::-1] / 100.0
  keys = keys_of(6)
  slope = np.sum(np.asarray(both(name)(images, keys)[1]) * way)
  ahead, behind = (float(both(name)(x, keys)[0][0])
                   for x in (images + way, images - way))
  assert abs(slope) > 0.1
  assert slope == pytest.approx((ahead - behind) / 2, rel=1e-3, abs=1e-2)


@pytest.mark.parametrize('shape', [(9, 4, 1), (6, 11, 3)])
@pytest.mark.parametrize('name', NAMES)
def test_any_size_and_number_of_channels(name, shape):
  images = np.tanh(pictures(6, shape) / 100.0 - 1.0)
  (_, out), slope = both(name)(images, keys_of(6))
  assert out.shape == images.shape
  assert np.isfinite(out).all() and np.isfinite(slope).all()
  assert np.abs(slope).max() > 0
  half = jax.eval_shape(build(name), images.astype(jnp.bfloat16), keys_of(6))
  assert half.dtype == jnp.bfloat16


@pytest.mark.parametrize('name', sorted(
    set(NAMES) - {'instance_noise', 'apa'}))
def test_vectors_are_refused(name):
  with pytest.raises(ValueError, match=f'augment {name} moves pixels'):
    build(name)(jnp.zeros((3, 2)), keys_of(3))


@pytest.mark.parametrize('name', ['ada', 'apa'])
def test_memory_is_float32_scalars_and_is_kept_by_remember(name):
  made = lookup.build('gan_jax.augment', dict(name=name))
  for value in made.memory.values():
    assert value.shape == () and value.dtype == np.float32
  after = jax.eval_shape(made.remember, made.memory, jnp.zeros(4), jnp.int32(3))
  assert after == jax.eval_shape(lambda: made.memory)
