"""Augmentations against what numpy says of the drawn shifts and flips."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import random

from gan_jax import augment, lookup
from gan_jax.augment import adaptive, warp

NAMES = lookup.names('gan_jax.augment')
SHAPE = (8, 16, 2)
# A memory of the midst of training, in which everything has its part.
LATER = {'ada': {'p': 0.7}}


def build(name, **arguments):
  """(images, keys) -> images, with the memory of later if it has one."""
  return bound(lookup.build('gan_jax.augment', dict(name=name, **arguments)),
               **LATER.get(name, {}))


def bound(augmentation, **memory):
  if not isinstance(augmentation, augment.Augmentation):
    return augmentation
  kept = {**augmentation.memory,
          **{k: jnp.float32(v) for k, v in memory.items()}}
  return lambda images, keys: augmentation.apply(images, keys, kept)


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


def test_instance_noise_fades():
  noise = augment.instance_noise(std=0.4, decay_steps=100)
  assert noise.memory == {'step': 0.0}
  images, keys = jnp.zeros((50, 8, 8, 1)), keys_of(50)
  apply = jax.jit(noise.apply)
  whole = apply(images, keys, noise.memory)
  np.testing.assert_allclose(
      whole, augment.instance_noise(std=0.4)(images, keys), rtol=1e-6)
  for step, part in [(25, 0.75), (100, 0.0), (1000, 0.0)]:
    memory = noise.remember(noise.memory, jnp.zeros(50), jnp.int32(step))
    assert memory['step'].dtype == jnp.float32
    np.testing.assert_allclose(apply(images, keys, memory), part * whole,
                               rtol=1e-5, atol=1e-6)
  with pytest.raises(ValueError, match='decay_steps -1 is negative'):
    augment.instance_noise(decay_steps=-1)


# DiffAugment.


def test_colour_recovers_its_draws():
  """Each draw by itself, from what it leaves unchanged."""
  images = jax.random.uniform(random.key(3), (400, 4, 6, 3), minval=-1.0)
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
  images = jnp.ones((600, *shape, 1))
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
  one = augment.diffaugment(policy=(name,))(images, keys)
  function = getattr(augment, name.replace('color', 'colour'))()
  keys = jax.vmap(lambda key: random.fold_in(key, 0))(keys)
  np.testing.assert_array_equal(one, function(images, keys))


def test_diffaugment_draws_anew_for_each_of_its_policy():
  images = pictures(20, (16, 16, 1))
  twice = augment.diffaugment(policy=('translation', 'translation'))
  out = np.asarray(twice(images, keys_of(20)))
  down = {d for image, moved in zip(np.asarray(images), out, strict=True)
          for d in range(-4, 5) for r in range(-4, 5)
          if (moved[4:12, 4:12] == shifted(image, d, r)[4:12, 4:12]).all()}
  assert {d % 2 for d in down} == {0, 1}  # Odd: the two were not equal.
  for wrong in ((), ('colour',)):
    with pytest.raises(ValueError, match='policy'):
      augment.diffaugment(policy=wrong)


# ADA.


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
  images = jnp.full((3000, 4, 4, 1), 0.5)
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


# The warp.


def moved(image, *moves):
  matrix, offset = warp.chain(*moves)
  return np.asarray(jax.jit(warp.sample)(image, matrix, offset))


def turn(degrees):
  angle = jnp.deg2rad(jnp.float32(degrees))
  return warp.rotation(jnp.cos(angle), jnp.sin(angle))


def test_warps_of_whole_pixels_are_copies():
  image = pictures(1, (8, 8, 2))[0]
  want = np.asarray(image)
  np.testing.assert_array_equal(moved(image), want)
  np.testing.assert_array_equal(
      moved(image, (warp.diagonal(1.0, -1.0), None)), want[:, ::-1])
  exact = warp.rotation(jnp.float32(0.0), jnp.float32(1.0))
  np.testing.assert_array_equal(
      moved(image, (exact, None)), np.rot90(want))
  np.testing.assert_array_equal(
      moved(image, (None, jnp.array([2.0, -3.0])))[2:, :5],
      shifted(want, 2, -3)[2:, :5])
  # Beyond the border: 2 1 0 1 2 ...
  np.testing.assert_array_equal(
      moved(image, (None, jnp.array([2.0, -3.0]))),
      np.pad(want, ((2, 0), (0, 3), (0, 0)), mode='reflect')[:8, 3:])


def test_warps_are_done_in_their_order():
  """A bright pixel goes where the movements, one by one, take its centre."""
  image = jnp.zeros((21, 31, 1)).at[8, 18].set(1.0)
  moves = [(None, jnp.array([1.0, 2.0])), (turn(35.0), None),
           (warp.diagonal(1.6, 0.8), None), (None, jnp.array([2.0, -1.0]))]
  point = np.array([8 - 10, 18 - 15], np.float64)
  for matrix, offset in moves:
    point = point if matrix is None else np.float64(matrix) @ point
    point = point if offset is None else point + np.float64(offset)
  out = moved(image, *moves)[..., 0]
  centre = [(out.sum(1 - i) * np.arange(n)).sum() / out.sum()
            for i, n in enumerate(out.shape)]
  np.testing.assert_allclose(centre, point + [10, 15], atol=0.15)


def test_interpolation_is_exact_on_a_plane():
  rows, cols = np.mgrid[0:12, 0:15]
  image = jnp.asarray(2.0 * rows - cols, jnp.float32)[..., None]
  matrix, offset = warp.chain((turn(20.0), None),
                              (None, jnp.array([0.3, -0.6])))
  out = np.asarray(warp.sample(image, matrix, offset))[..., 0]
  points = np.stack([rows - 5.5, cols - 7.0])
  source = (np.einsum('ij,jhw->ihw', np.float64(matrix), points)
            + np.float64(offset)[:, None, None]
            + np.array([5.5, 7.0])[:, None, None])
  last = np.array([11, 14])[:, None, None]
  inside = ((source >= 0) & (source <= last)).all(0)
  assert inside.sum() > 90
  np.testing.assert_allclose(out[inside], (2 * source[0] - source[1])[inside],
                             atol=1e-4)


# Properties of all, of those to come too.


@pytest.mark.parametrize('name', NAMES)
def test_an_image_depends_on_its_own_key_only(name):
  function = jax.jit(build(name))
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
  function = build(name)
  images, way = pictures(4) / 100.0, pictures(4)[::-1] / 100.0
  weight, keys = jnp.sin(pictures(4)), keys_of(4)

  @jax.jit
  def measured(images):
    return jnp.sum(weight * function(images, keys))

  slope = float(jnp.sum(jax.jit(jax.grad(measured))(images) * way))
  moved = float(measured(images + way) - measured(images - way)) / 2
  assert abs(slope) > 0.1
  assert slope == pytest.approx(moved, rel=1e-3, abs=1e-2)


@pytest.mark.parametrize('shape', [(9, 4, 1), (6, 11, 3)])
@pytest.mark.parametrize('name', NAMES)
def test_any_size_and_number_of_channels(name, shape):
  function = build(name)
  images = jnp.tanh(random.normal(random.key(5), (6, *shape)))
  weight = jnp.cos(jnp.arange(images.size, dtype=jnp.float32)).reshape(
      images.shape)

  @jax.jit
  def both(images, keys):
    return function(images, keys), jax.grad(
        lambda x: jnp.sum(weight * function(x, keys)))(images)

  out, slope = both(images, keys_of(6))
  assert out.shape == images.shape
  assert jnp.isfinite(out).all() and jnp.isfinite(slope).all()
  assert jnp.abs(slope).max() > 0
  half = jax.eval_shape(function, images.astype(jnp.bfloat16), keys_of(6))
  assert half.dtype == jnp.bfloat16


@pytest.mark.parametrize('name', sorted(
    set(NAMES) - {'instance_noise', 'apa'}))
def test_vectors_are_refused(name):
  with pytest.raises(ValueError, match=f'augment {name} moves pixels'):
    build(name)(jnp.zeros((3, 2)), keys_of(3))


@pytest.mark.parametrize('name,arguments', [
    ('ada', {}), ('apa', {}), ('instance_noise', dict(decay_steps=10))])
def test_memory_is_float32_scalars_and_is_kept_by_remember(name, arguments):
  made = lookup.build('gan_jax.augment', dict(name=name, **arguments))
  for value in made.memory.values():
    assert value.shape == () and value.dtype == np.float32
  after = jax.eval_shape(made.remember, made.memory, jnp.zeros(4), jnp.int32(3))
  assert after == jax.eval_shape(lambda: made.memory)
