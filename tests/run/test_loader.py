"""Which steps a call plays, and examples that stream as if they were resident.
"""

import itertools
import json
import os
import threading
import time
import types

import jax
import numpy as np
import pytest
import tiny

from gan_jax import parallel
from gan_jax.config import experiment
from gan_jax.data.pipeline import Batches
from gan_jax.data.prepare import make_source
from gan_jax.run import train
from gan_jax.run.loader import (
  Calls,
  Pace,
  examples,
  indices,
  plan,
  read_ahead,
  reseeded,
)


def planned(step=0, *, per_call=20, end=250, log=20, sample=100, score=1000,
            checkpoint=500):
  return list(plan(_every(log, sample, score, checkpoint, train_steps=end),
                   step, per_call))


def _every(log, sample, score, checkpoint, **others):
  return types.SimpleNamespace(
      log_every=log, sample_every=sample, eval_every=score,
      checkpoint_every=checkpoint, **others)


def test_intervals_without_a_divisor_make_few_lengths_of_calls():
  calls = planned(per_call=50, log=50, sample=0, score=0, checkpoint=469,
                  end=5000)
  assert [step for step, _ in calls][:5] == [0, 50, 100, 150, 200]
  assert {count for _, count in calls} <= {50, 32, 16, 8, 4, 2, 1}
  ends = {step + count for step, count in calls}
  assert ends >= {*range(50, 5000, 50), *range(469, 5000, 469), 5000}


def test_a_call_ends_where_something_is_due():
  # The end falls into the last call.
  assert planned() == [(at, 20) for at in range(0, 240, 20)] + [(240, 10)]
  # Rows at 3, 6, 9; pictures at 4, 8; the end at 10. No scores (0).
  assert planned(per_call=5, end=10, log=3, sample=4, score=0,
                 checkpoint=0) == [(0, 3), (3, 1), (4, 2), (6, 2), (8, 1),
                                   (9, 1)]
  # Where all intervals are whole calls, so are all calls.
  assert {count for _, count in planned(end=3000)} == {20}
  assert planned(step=250) == []


def test_a_resumed_run_plays_the_calls_of_the_whole_run():
  whole = planned(per_call=5, end=60, log=7, sample=11, score=13, checkpoint=17)
  for i, (step, _) in enumerate(whole):
    assert planned(step, per_call=5, end=60, log=7, sample=11, score=13,
                   checkpoint=17) == whole[i:]


def _pace(given='auto', every=(1000, 1000, 0, 5000), *, streamed=0,
          labelled=None):
  """streamed: bytes of an example, 0 if they are resident."""
  return Pace(_every(
      *every, config=dict(steps_per_call=given, batch_size=64, disc_steps=1),
      resident=not streamed, labelled=labelled, source=types.SimpleNamespace(
          images=np.zeros((10, streamed), np.uint8))))


@pytest.mark.parametrize('seconds,want', [
    (2.8, 8), (0.11, 8),  # 0.1 to 3 s: nothing is compiled anew
    (0.01, 500),  # 400 steps: a divisor of 1000 is near
    (8.0, 1),  # half a step
    (3.2, 1),  # 1.25 steps
    (1e-5, 1000)])
def test_the_length_of_a_call_is_chosen_by_its_seconds(seconds, want):
  pace = _pace()
  assert pace.length == 8
  pace.look(8, 0.0)  # compiled
  pace.look(5, 60.0)  # a shorter call, before a row
  assert pace.length == 8
  pace.look(8, seconds)
  assert pace.length == want
  pace.look(want, 60.0)  # Chosen once.
  assert pace.length == want


def test_a_length_without_a_near_divisor_is_taken_as_it_is():
  # Shared is 1: 997 and 991 are primes.
  pace = _pace(every=(997, 991, 0, 0))
  pace.look(8, 0.02)
  assert pace.length == 200
  assert _pace(every=(3, 0, 0, 0)).length == 3


def test_a_given_length_stays():
  pace = _pace(20)
  pace.look(20, 1e-5)
  assert pace.length == 20


def test_streamed_examples_of_a_call_fit_in_memory():
  # 64 examples of 1 MiB: one step is 64 MiB.
  assert _pace(streamed=2**20).length == 1
  pace = _pace(streamed=2**13)  # 128 steps
  pace.look(8, 0.001)
  assert pace.length == 125
  # 64 steps, as each has a batch of labelled examples, too.
  pace = _pace(streamed=2**13, labelled=Batches(10, 64, 0, repeat=7))
  pace.look(8, 0.001)
  assert pace.length == 50


def test_calls_go_on_where_the_length_changes(flipped):
  whole = {limit: Calls([run], parallel.make_mesh(1), 0)
           for limit, run in flipped.items()}
  seen = []
  for length in (2, 2, 1, 1, 3):
    (count, index), (again, streamed) = (
        calls.next(length) for calls in whole.values())
    assert count == again and len(index) == count
    np.testing.assert_array_equal(
        streamed.image, examples(flipped[0].source, index).image)
    seen.append(count)
  assert seen == [2, 2, 1, 1, 1] and whole[0].step == 7
  np.testing.assert_array_equal(index, indices(flipped[0], 6, 1))


def source(count=23, shape=(4, 5, 1)):
  rng = np.random.default_rng(0)
  images = rng.integers(0, 256, (count, *shape)).astype(np.uint8)
  return make_source(images, np.arange(count) % 3, 3, name='noise')


def test_reads_what_the_indices_name():
  data = source()
  index = Batches(23, 4, 1, flip=True)(30, 6).reshape(3, 2, 4)
  images, labels = examples(data, index)
  assert images.shape == (3, 2, 4, 4, 5, 1) and labels.shape == (3, 2, 4)
  flat = index.ravel()
  assert (flat < 0).any() and (flat >= 0).any()
  for at, image, label in zip(flat, images.reshape(-1, 4, 5, 1),
                              labels.ravel(), strict=True):
    expected = data.images[at if at >= 0 else ~at]
    np.testing.assert_array_equal(image, expected[:, ::-1] if at < 0
                                  else expected)
    assert label == data.labels[at if at >= 0 else ~at]


def test_calls_are_consecutive_steps_of_the_batches(run):
  updates = run._replace(config=run.config | {'disc_steps': 2})
  whole = indices(updates, 0, 6)
  assert whole.shape == (6, 2, 8) and whole.dtype == np.int32
  assert (whole == run.batches(0, 12).reshape(6, 2, 8)).all()
  assert (np.concatenate([indices(updates, 0, 4), indices(updates, 4, 2)])
          == whole).all()


def test_labelled_batches_follow_the_others(run):
  rows = np.array([2, 3, 30])
  few = Batches(3, 8, 1, repeat=3, rows=rows)
  both = run._replace(config=run.config | {'disc_steps': 2}, labelled=few)
  whole = indices(both, 0, 6)
  assert whole.shape == (6, 4, 8) and whole.dtype == np.int32
  assert (whole[:, :2] == run.batches(0, 12).reshape(6, 2, 8)).all()
  assert (whole[:, 2:] == few(0, 12).reshape(6, 2, 8)).all()
  assert set(whole[:, 2:].ravel()) == set(rows.tolist())
  # A resumed run goes on with the same; after a rollback they are others.
  assert (np.concatenate([indices(both, 0, 4), indices(both, 4, 2)])
          == whole).all()
  other = indices(reseeded(both, 99), 0, 6)
  assert (other[:, 2:] != whole[:, 2:]).any(axis=(1, 2)).all()
  assert set(other[:, 2:].ravel()) == set(rows.tolist())


def test_batches_of_another_seed_leave_the_old_ones_alone(run):
  before = run.batches(0, 3).tolist()
  other = reseeded(run, 99)
  assert other.batches(0, 3).tolist() != before
  assert run.batches(0, 3).tolist() == before
  assert reseeded(run, run.config['seed']).batches(0, 3).tolist() == before


def test_jobs_are_read_ahead_in_their_order_by_threads():
  begun, may = [], threading.Event()

  def read(i):
    begun.append(i)
    if i == 0:
      may.wait(60)  # The others are read meanwhile.
    return i

  results = read_ahead(read, ((i,) for i in itertools.count()), ahead=4)
  first = threading.Thread(target=lambda: begun.append(f'got {next(results)}'))
  first.start()
  limit = time.time() + 60
  while not {0, 1, 2, 3} <= set(begun) and time.time() < limit:
    time.sleep(0.001)
  may.set()
  first.join()
  assert {0, 1, 2, 3} <= set(begun[:begun.index('got 0')])
  assert [next(results) for _ in range(5)] == [1, 2, 3, 4, 5]
  results.close()
  assert max(i for i in begun if isinstance(i, int)) <= 10  # Not for ever.
  assert list(read_ahead(lambda i: i, [(1,), (2,)])) == [1, 2]


def test_an_error_comes_in_the_place_of_its_call():
  def read(i):
    if i == 2:
      raise OSError('bad sector')
    return i

  results = read_ahead(read, ((i,) for i in range(9)))
  assert [next(results), next(results)] == [0, 1]
  with pytest.raises(OSError, match='bad sector'):
    next(results)


@pytest.fixture(scope='module')
def flipped(images):
  """Experiments with mirrored images, {MiB that may be resident: ...}."""
  return {limit: experiment.load(tiny.config(images, train_steps=7, data=dict(
      name='npz', path=images, flip=True, resident_limit=limit)))
          for limit in (4096, 0)}


def test_a_streamed_run_is_the_resident_run(tmp_path, flipped):
  """Also where it goes on because its data no longer fit; 7 is no call."""
  assert [run.resident for run in flipped.values()] == [True, False]
  for folder, launches in (('resident', [(4096, 7)]), ('streamed', [(0, 7)]),
                           ('both', [(4096, 4), (0, 7)])):
    for limit, steps in launches:
      assert train.train(flipped[limit]._replace(train_steps=steps),
                         tmp_path / folder) == 0
  run = flipped[0]
  want = tiny.saved_digest(run, tmp_path / 'resident')
  for folder in ('streamed', 'both'):
    assert tiny.saved_digest(run, tmp_path / folder) == want
    assert tiny.rows(tmp_path / folder) == tiny.rows(tmp_path / 'resident')
  assert [row['step'] for row in tiny.rows(tmp_path / 'both')] == [2, 4, 6]


def test_flip_mirrors_on_the_device():
  images = np.arange(2 * 2 * 3, dtype=np.uint8).reshape(2, 2, 3, 1)
  mesh = parallel.make_mesh(1)

  def step(state, batch, key, *, pmean):
    return state, {'image': batch.image}

  runner = parallel.make_runner(step, mesh, seed=0, image_range=(0.0, 255.0))
  data = parallel.replicate(parallel.Data(images, np.zeros(2, np.int32)), mesh)
  _, out = runner(jax.numpy.zeros(()), data, np.array([[[0, ~1]]], np.int32))
  seen = np.asarray(out['image'])[0, 0]
  np.testing.assert_array_equal(seen[0], images[0])
  np.testing.assert_array_equal(seen[1], images[1][:, ::-1])


def test_dry_run_says_that_data_stream(flipped):
  assert 'streamed from the host' in experiment.describe(flipped[0])


def test_host_share_counts_waiting_for_data(tmp_path, flipped):
  class Slow:
    """Images on a slow disk, which reads for one at a time."""

    def __init__(self, images):
      self.images, self.lock = images, threading.Lock()
      self.shape, self.dtype = images.shape, images.dtype
      self.nbytes = images.nbytes

    def __len__(self):
      return len(self.images)

    def __getitem__(self, rows):
      if threading.current_thread() is not threading.main_thread():
        with self.lock:  # The main thread measures the state.
          time.sleep(0.3)
      return self.images[rows]

  run = flipped[0]
  source = run.source._replace(images=Slow(run.source.images))
  run = run._replace(source=source, train_steps=12, log_every=6)
  train.train(run, tmp_path)
  with open(os.path.join(tmp_path, 'scalars.jsonl')) as file:
    share = [json.loads(line).get('perf/host_share') for line in file][-1]
  assert share > 0.8
