"""Batch i is a pure function of (seed, i)."""

import time

import numpy as np
import pytest

from gan_jax.data.pipeline import Batches


def test_pinned_values():
  # Recorded once: a run resumes with its own batches after any update.  The
  # order is that of the raw bits of PCG64.
  bits = np.random.PCG64(np.random.SeedSequence(3, spawn_key=(1,)))
  order = sorted(range(7), key=bits.random_raw(7).tolist().__getitem__)
  batches = Batches(7, 7, seed=3)(0, 2)
  assert batches[1].tolist() == order
  assert batches.tolist() == [[4, 6, 1, 5, 0, 3, 2], [0, 6, 5, 2, 1, 4, 3]]


def test_shape_and_dtype():
  batches = Batches(10, 4, 0)
  assert batches(3, 5).shape == (5, 4) and batches(3, 5).dtype == np.int32
  assert batches(3, 0).shape == (0, 4)


@pytest.mark.parametrize('n, b', [(10, 4), (7, 7), (12, 3), (5, 1), (9, 8)])
def test_each_epoch_visits_each_example_once(n, b):
  stream = Batches(n, b, 1)(0, 6 * n).ravel()
  epochs = stream[:6 * b * n].reshape(-1, n)
  np.testing.assert_array_equal(np.sort(epochs, axis=1),
                                np.broadcast_to(np.arange(n), epochs.shape))
  assert len(np.unique(epochs, axis=0)) > 1  # not the same order every time


def test_any_split_of_calls_gives_the_same():
  whole = Batches(50, 16, 5)(0, 40)
  rng = np.random.default_rng(0)
  batches = Batches(50, 16, 5)
  for _ in range(200):  # in any order, so that the cache is hit and missed
    first, last = sorted(rng.integers(0, 41, 2).tolist())
    np.testing.assert_array_equal(batches(first, last - first),
                                  whole[first:last])
  for i in rng.permutation(40):
    np.testing.assert_array_equal(Batches(50, 16, 5)(i, 1), whole[i:i + 1])


def test_result_is_the_callers_own():
  batches = Batches(8, 4, 0)
  batches(0, 2)[:] = -1
  assert batches(0, 2).min() == 0


def test_seeds_differ():
  # 2 ** 32 too: seed and epoch must not run together in the entropy.
  seeds = [0, 1, 2, 2 ** 32, 2 ** 32 + 1, 2 ** 64]
  streams = {Batches(100, 50, s)(0, 6).tobytes() for s in seeds}
  epochs = {e.tobytes() for s in seeds
            for e in Batches(100, 50, s)(0, 6).reshape(-1, 100)}
  assert len(streams) == 6 and len(epochs) == 18


def test_batch_size_does_not_change_the_stream():
  np.testing.assert_array_equal(Batches(60, 4, 2)(0, 45).ravel(),
                                Batches(60, 60, 2)(0, 3).ravel())


def test_shuffles_a_sorted_set():
  # Uniform: the mean of a batch of 1000 is within 5 standard errors of 5000.
  batch = Batches(10_000, 1000, 0)(0, 1)[0]
  assert abs(batch.mean() - 4999.5) < 5 * 10_000 / 12 ** 0.5 / 1000 ** 0.5


@pytest.mark.parametrize('step', [np.int32(2 ** 31 - 2), 2 ** 31 - 2, 2 ** 40])
def test_steps_near_int32(step):
  batches = Batches(60, 64 - 4, 0)
  expected = Batches(60, 60, 0)(int(step) + 1, 1)
  np.testing.assert_array_equal(batches(step, 2)[1:], expected)
  assert sorted(batches(step, 1)[0].tolist()) == list(range(60))


def test_only_two_permutations_are_kept():
  batches = Batches(10, 10, 0)
  batches(0, 9)
  assert sorted(batches._epochs) == [7, 8]
  batches(3, 1)
  assert len(batches._epochs) == 2


@pytest.mark.parametrize('arguments, words', [
    ((10, 11, 0), ['size 10', 'batch_size=11', 'batch_size=10 or less']),
    ((0, 1, 0), ['size 0', 'more images']),
    ((2 ** 31, 5, 0), ['int32']),
])
def test_bad_sizes(arguments, words):
  with pytest.raises(ValueError) as info:
    Batches(*arguments)
  assert all(word in str(info.value) for word in words), info.value


def test_fast():
  batches = Batches(60_000, 64, 0)
  batches(0, 1)
  times = []
  for i in range(4):
    start = time.perf_counter()
    batches(200 * i, 200)
    times.append(time.perf_counter() - start)
  assert min(times) < 1e-3  # about 15 microseconds


def test_flip_mirrors_half_and_keeps_the_order():
  plain, flipped = Batches(50, 10, 3)(0, 40), Batches(50, 10, 3, flip=True)(
      0, 40)
  mirrored = flipped < 0
  np.testing.assert_array_equal(np.where(mirrored, ~flipped, flipped), plain)
  assert 0.4 < mirrored.mean() < 0.6
  # Drawn anew in each epoch.
  assert (mirrored[:5] != mirrored[5:10]).any()


def test_rows_are_drawn_as_a_stream_of_their_own():
  rows = np.array([3, 17, 40, 41, 90])
  found = Batches(5, 7, 2, repeat=2, rows=rows)(0, 10)
  assert set(found.ravel()) == set(rows.tolist())
  # Each epoch has each row twice.
  epochs = np.sort(found.reshape(-1, 10), axis=1)
  np.testing.assert_array_equal(epochs[:, ::2], np.tile(rows, (7, 1)))
  np.testing.assert_array_equal(epochs[:, ::2], epochs[:, 1::2])
  others = rows[Batches(5, 7, 2, repeat=2)(0, 10)]
  assert (found != others).any(axis=1).all()
  flipped = Batches(5, 7, 2, repeat=2, rows=rows, flip=True)(0, 10)
  np.testing.assert_array_equal(np.where(flipped < 0, ~flipped, flipped), found)
  assert found.dtype == np.int32 and 20 < (flipped < 0).sum() < 50


def test_balanced_draws_all_classes_equally_often():
  labels = np.repeat([0, 1, 2], [90, 8, 2])
  stream = Batches(100, 50, 0, labels=labels)(0, 12).reshape(6, 100)
  counts = np.array([np.bincount(labels[e], minlength=3) for e in stream])
  assert counts.min() >= 33 and counts.max() <= 34
  assert counts.sum(0).max() - counts.sum(0).min() <= 6
  # Of a class that has enough, no example comes twice in an epoch; of one that
  # has not, all come equally often.
  for epoch in stream:
    assert np.bincount(epoch, minlength=100)[:90].max() == 1
    rare = np.bincount(epoch, minlength=100)[90:]
    assert rare[:8].min() >= 4 and rare[8:].min() >= 16
  assert not (np.diff(labels[stream[0]]) >= 0).all()
  np.testing.assert_array_equal(Batches(100, 50, 0, labels=labels)(5, 2).ravel(
      ), stream.reshape(12, 50)[5:7].ravel())


def test_repeat_lets_a_batch_be_larger_than_the_set():
  batches = Batches(3, 8, 0, repeat=4)
  stream = batches(0, 3).reshape(2, 12)
  for epoch in stream:
    assert np.bincount(epoch).tolist() == [4, 4, 4]
  with pytest.raises(ValueError, match='data.repeat=3'):
    Batches(3, 8, 0)
