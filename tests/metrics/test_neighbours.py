"""Nearest neighbours, precision, recall, density, coverage, authenticity."""

import math

import numpy as np
import pytest

from gan_jax.metrics import neighbours
from gan_jax.metrics.neighbours import (
  authenticity,
  blocks,
  manifold,
  manifolds,
  nearest,
)

SIZES = [(1024, 4096), (15, 25)]


@pytest.fixture(params=SIZES)
def small_blocks(request, monkeypatch):
  monkeypatch.setattr(neighbours, 'ROWS', request.param[0])
  monkeypatch.setattr(neighbours, 'COLUMNS', request.param[1])


def draws(count=1000, size=64):
  draw = np.random.RandomState(0)
  return draw.randn(count, size), draw.randn(count, size)


def distances(x, y):
  return np.sqrt(np.square(x[:, None] - y[None]).sum(-1))


def values(*args, **more):
  return tuple(manifold(*args, **more).values())


def plain(real, fake, k):
  """The definitions, with all distances of differences at once."""
  radii = [np.sort(distances(x, x) + np.diag([np.inf] * len(x)))[:, k - 1]
           for x in (real, fake)]
  between = distances(real, fake)
  in_real = between < radii[0][:, None]
  return (in_real.any(0).mean(), (between < radii[1][None]).any(1).mean(),
          in_real.sum(0).mean() / k, in_real.any(1).mean())


def test_golden():
  real, fake = draws()
  assert manifold(real, fake) == pytest.approx(dict(
      precision=0.704, recall=0.738, density=0.947, coverage=0.971), abs=1e-12)
  assert values(real, real.copy()) == (1, 1, 1, 1)
  few = manifold(3 * real, 0.1 * fake)
  assert few['precision'] > 0.8 and few['recall'] < 0.3


def test_by_hand():
  # On a line, k = 1: balls of radius 1 round 0 and 1, 3 round 4; of the fakes
  # radius 1.5 round -0.5 and 1, and 4 round 5.
  real = np.array([[0.0], [1.0], [4.0]])
  fake = np.array([[-0.5], [1.0], [5.0]])
  # -0.5 is in the ball of 0; 1 in that of 1 only, as it is at the very edge of
  # those of 0 and 4; 5 in that of 4.
  assert values(real, fake, k=1) == pytest.approx((1, 1, 1, 1))
  # 2 is at the edge of the ball of 1, and in that of 4; 9 in none.
  far = np.array([[2.0], [9.0]])
  assert values(real, far, k=1) == pytest.approx((1 / 2, 1, 1 / 2, 1 / 3))


@pytest.mark.usefixtures('small_blocks')
def test_manifold_is_the_definition():
  real, fake = draws(60, 4)
  fake = 1.3 * fake[:50] + 100
  real = real + 100
  for k in (1, 3, 5):
    assert values(real, fake, k=k) == pytest.approx(plain(real, fake, k),
                                                    rel=1e-12)


@pytest.mark.usefixtures('small_blocks')
@pytest.mark.parametrize('total', [12, 120])
def test_of_parts_in_one_pass_is_that_of_each(total):
  real, fake = draws(total, 4)
  groups = np.random.RandomState(1).permutation(total) % 10
  kept = np.stack([groups != i for i in range(-1, 10)])
  found = manifolds(real, fake, kept)
  for i, part in enumerate(kept):
    assert {name: values[i] for name, values in found.items()} == (
        pytest.approx(manifold(real, fake[part]), rel=1e-12))


@pytest.mark.parametrize('where', ['turned', 'far'])
def test_examples_at_the_edge_of_a_ball_are_outside(where):
  # In a grid all neighbours are at one distance, but for rounding.
  grid = np.stack(np.meshgrid(*[np.arange(4.0)] * 3), -1).reshape(-1, 3)
  turn = np.linalg.qr(np.random.RandomState(0).randn(3, 3))[0]
  x = grid @ turn if where == 'turned' else grid + 1e6
  # Inside each ball of radius 1 is its centre only.
  assert values(x, x.copy(), k=1) == (1, 1, 1, 1)
  assert values(x, x[::-1], k=3) == pytest.approx((1, 1, 1 / 3, 1))


def test_reals_at_the_edge_of_a_ball_of_a_fake_are_outside():
  # Fakes 2 apart, and reals 2 from the nearest of them, but for rounding.
  fake, real = np.array([[0.0, 0], [2, 0]]), np.array([[4.0, 0], [-2, 0]])
  for angle in range(20):
    turn = np.array([[np.cos(angle), np.sin(angle)],
                     [-np.sin(angle), np.cos(angle)]])
    assert values(real @ turn, fake @ turn, k=1) == (1, 0, 2, 1)


def test_a_collapsed_generator_and_identical_images():
  real, fake = draws(60, 4)
  same = np.repeat(fake[:1], 60, 0)
  assert values(same, same) == (0, 0, 0, 0)  # No ball has an inside.
  collapsed = manifold(real, np.repeat(real[:1], 60, 0))
  assert collapsed['precision'] == 1 and collapsed['recall'] == 0
  assert collapsed['coverage'] < 0.5


@pytest.mark.parametrize('bad', [math.nan, math.inf, 1e300])
def test_of_what_is_not_finite_is_nan(bad):
  real, fake = draws(20, 3)
  wrong = fake.copy()
  wrong[4, 1] = bad
  assert np.isnan(values(real, wrong)).all()
  assert np.isnan(values(wrong, fake)).all()
  assert math.isnan(authenticity(wrong, fake))
  assert math.isnan(authenticity(real, wrong))


@pytest.mark.parametrize('call,words', [
    (lambda: manifold(np.ones((5, 2)), np.ones((6, 2))), '6 or more'),
    (lambda: manifold(np.ones((6, 2)), np.ones((5, 2))), '6 or more'),
    (lambda: manifold(np.ones((6, 2)), np.ones((6, 3))), '2 and 3 dim'),
    (lambda: authenticity(np.ones((1, 2)), np.ones((6, 2))), '2 or more'),
    (lambda: authenticity(np.ones((6, 2)), np.ones((0, 2))), '1 or more')])
def test_refuses(call, words):
  with pytest.raises(ValueError, match=words):
    call()


# Neighbours.


@pytest.mark.usefixtures('small_blocks')
@pytest.mark.parametrize('same', [False, True])
def test_nearest_is_that_of_all(same):
  x, y = draws(50, 4)
  x = y if same else x[:30]
  every = distances(x, y)
  if same:
    every += np.diag([np.inf] * 50)
  # Parts of several blocks, and of fewer examples than neighbours.
  index, distance = nearest(x, [y[:30], y[30:47], y[47:]], 4, same=same)
  np.testing.assert_array_equal(index, every.argsort(1)[:, :4])
  np.testing.assert_allclose(distance, np.sort(every)[:, :4], rtol=1e-14)


def test_the_example_that_was_copied_is_found():
  train = np.random.RandomState(0).randn(300, 5).astype(np.float32) + 1000
  chosen = np.random.RandomState(1).randint(0, 300, 40)
  index, distance = nearest(train[chosen], [train], 1)
  np.testing.assert_array_equal(index[:, 0], chosen)
  np.testing.assert_array_equal(distance, 0.0)


@pytest.mark.parametrize('count,most', [(1, 7), (7, 7), (50, 7), (5000, 1024)])
def test_blocks_are_small_and_of_two_sizes(count, most):
  x = np.random.RandomState(0).randn(count, 2)
  parts, index = zip(*blocks(x, most), strict=True)
  np.testing.assert_array_equal(np.concatenate(parts), x)
  np.testing.assert_array_equal(np.concatenate(index), np.arange(count))
  sizes = {len(part) for part in parts}
  assert max(sizes) <= most and len(sizes) <= 2
  assert len(parts) == math.ceil(count / most)


# Authenticity.


def test_authenticity_golden():
  train, fake = draws(1000, 16)
  assert authenticity(train, fake) == pytest.approx(0.699, abs=1e-12)
  assert authenticity(train, train.copy()) == 0


def test_authenticity_by_hand():
  train = np.array([[0.0], [1.0], [10.0]])
  # 1.5 is a near copy of 1, whose neighbour is 1 away; 2.5 is not, nor is 30,
  # 20 from 10, whose neighbour is 9 away; 2 is as far, and not authentic.
  fake = np.array([[1.5], [2.5], [30.0], [2.0]])
  assert authenticity(train, fake) == 0.5


def test_authenticity_of_a_collapsed_generator_and_of_identical_images():
  train, fake = draws(60, 4)
  assert authenticity(train, np.full((60, 4), 50.0)) == 1
  same = np.repeat(train[:1], 60, 0)
  assert authenticity(same, same) == 0


# Examples in parts.


def _noise(count, height, width, channels):
  rng = np.random.default_rng(0)
  return rng.integers(0, 256, (count, height, width, channels)).astype(np.uint8)


def test_nearest_by_hand():
  parts = np.array([[[3.0, 4.0], [0.0, 1.0]], [[6.0, 8.0], [0.0, -1.0]]])
  index, distance = nearest(np.zeros((1, 2)), parts, 3)
  # Of two at distance 1 the first in the set.
  assert index.tolist() == [[1, 3, 0]]
  assert distance.tolist() == [[1.0, 1.0, 5.0]]


@pytest.mark.parametrize('part', [1, 3, 7, 50])
@pytest.mark.parametrize('dtype', [np.uint8, np.float32])
def test_nearest_is_what_all_distances_say(part, dtype):
  data = _noise(50, 1, 1, 12).reshape(50, 12).astype(dtype)
  queries = _noise(4, 1, 1, 12).reshape(4, 12).astype(dtype)
  index, distance = nearest(
      queries, (data[i:i + part] for i in range(0, 50, part)), 5)
  every = np.sqrt(((queries[:, None].astype(float) - data[None]) ** 2).sum(-1))
  np.testing.assert_array_equal(index, np.argsort(every, 1, 'stable')[:, :5])
  np.testing.assert_allclose(distance, np.sort(every, 1)[:, :5], rtol=1e-12)


@pytest.mark.parametrize('scale', [1, 1e-3])
def test_a_copy_is_at_distance_0(scale):
  data = _noise(30, 8, 8, 1).reshape(30, -1)
  data = data if scale == 1 else data * np.float32(scale)
  index, distance = nearest(data[[17, 4]], [data[:10], data[10:]], 2)
  assert index[:, 0].tolist() == [17, 4]
  assert distance[:, 0].tolist() == [0.0, 0.0]
  assert (distance[:, 1] > 0).all()


def test_fewer_examples_than_neighbours():
  index, distance = nearest(np.zeros((2, 3)), [np.ones((2, 3))], 5)
  assert index.shape == distance.shape == (2, 2)
