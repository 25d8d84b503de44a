"""A set that does not fit on the device plays the same game."""

import json
import os
import threading
import time

import jax
import numpy as np
import pytest
import tiny

from gan_jax import parallel
from gan_jax.config import experiment
from gan_jax.data.pipeline import Batches
from gan_jax.data.prepare import make_source
from gan_jax.data.stream import Reader, stream
from gan_jax.run import train


def source(count=23, shape=(4, 5, 1)):
  rng = np.random.default_rng(0)
  images = rng.integers(0, 256, (count, *shape)).astype(np.uint8)
  return make_source(images, np.arange(count) % 3, 3, name='noise')


def test_reads_what_the_indices_name():
  data, batches = source(), Batches(23, 4, 1, flip=True)
  images, labels = Reader(data, batches, (3, 2))[5]
  assert images.shape == (3, 2, 4, 4, 5, 1) and labels.shape == (3, 2, 4)
  flat = batches(30, 6).ravel()
  assert (flat < 0).any() and (flat >= 0).any()
  for index, image, label in zip(flat, images.reshape(-1, 4, 5, 1),
                                 labels.ravel(), strict=True):
    expected = data.images[index if index >= 0 else ~index]
    if index < 0:
      expected = expected[:, ::-1]
    np.testing.assert_array_equal(image, expected)
    assert label == data.labels[index if index >= 0 else ~index]


def test_processes_read_disjoint_parts_of_one_batch():
  data, batches = source(), Batches(23, 8, 1)
  whole, _ = Reader(data, batches, (2, 1))[3]
  parts = [Reader(data, batches, (2, 1), (i, 4))[3][0] for i in range(4)]
  assert all(part.shape[2] == 2 for part in parts)
  np.testing.assert_array_equal(np.concatenate(parts, axis=2), whole)


@pytest.mark.parametrize('first', [0, 7])
def test_starts_anywhere(first):
  reader = Reader(source(), Batches(23, 4, 1), (2, 1))
  calls = stream(reader, first)
  for i in range(first, first + 5):
    for got, wanted in zip(next(calls), reader[i], strict=True):
      np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize('flip', [False, True])
def test_a_streamed_run_is_the_resident_run(tmp_path, flip):
  path = tiny.write_images(tmp_path / 'set.npz')
  digests, rows = [], []
  for limit in (4096, 0):
    data = dict(name='npz', path=path, flip=flip, resident_limit=limit)
    run = experiment.load(tiny.config(path, data=data, train_steps=8))
    assert run.resident == (limit > 0)
    folder = str(tmp_path / f'run{limit}')
    assert train.train(run, folder) == 0
    digests.append(tiny.saved_digest(run, folder))
    rows.append(tiny.rows(folder))
  assert digests[0] == digests[1] and rows[0] == rows[1]


def test_flip_changes_the_run_and_mirrors_on_the_device():
  images = np.arange(2 * 2 * 3, dtype=np.uint8).reshape(2, 2, 3, 1)
  mesh = parallel.make_mesh(1)

  def step(state, batch, key, *, pmean):
    return state, {'image': batch.image}

  runner = parallel.make_runner(step, mesh, seed=0, image_range=(0.0, 255.0))
  data = parallel.replicate(parallel.Data(images, np.zeros(2, np.int32)), mesh)
  _, out = runner(jax.numpy.zeros(()), data,
                  np.array([[[0, ~1]]], np.int32))
  seen = np.asarray(out['image'])[0, 0]
  np.testing.assert_array_equal(seen[0], images[0])
  np.testing.assert_array_equal(seen[1], images[1][:, ::-1])


def test_dry_run_says_that_data_stream(tmp_path):
  path = tiny.write_images(tmp_path / 'set.npz')
  data = dict(name='npz', path=path, resident_limit=0)
  run = experiment.load(tiny.config(path, data=data))
  assert 'streamed from the host' in experiment.describe(run)


def test_host_share_counts_waiting_for_data(tmp_path, monkeypatch):
  path = tiny.write_images(tmp_path / 'set.npz')
  data = dict(name='npz', path=path, resident_limit=0)
  run = experiment.load(tiny.config(path, data=data, train_steps=12))
  read = Reader.__getitem__

  def slow(self, call):
    # In turn: the threads of the stream would hide the sleep.
    with lock:
      time.sleep(0.5)
    return read(self, call)

  lock = threading.Lock()
  monkeypatch.setattr(Reader, '__getitem__', slow)
  train.train(run, str(tmp_path / 'run'))
  with open(os.path.join(tmp_path, 'run', 'scalars.jsonl')) as file:
    share = [json.loads(line).get('perf/host_share') for line in file][-1]
  assert share > 0.8


def test_a_run_goes_on_where_its_data_no_longer_fit(tmp_path):
  path = tiny.write_images(tmp_path / 'set.npz')
  for limit, steps in ((4096, 4), (0, 8)):
    data = dict(name='npz', path=path, resident_limit=limit)
    run = experiment.load(tiny.config(path, data=data, train_steps=steps))
    assert train.train(run, str(tmp_path / 'run')) == 0
  assert [row['step'] for row in tiny.rows(tmp_path / 'run')] == [2, 4, 6, 8]
