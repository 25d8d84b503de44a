"""Devices: what a runner hands out, how work is spread, 1 to 8 of them."""

import os
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny
from jax import lax

from gan_jax import parallel

RANGE = (-1.0, 1.0)


def test_deterministic_is_said_to_the_compiler(monkeypatch):
  options, jit = [], jax.jit

  def spy(function, *, compiler_options, **kwargs):
    options.append(compiler_options)
    return jit(function, compiler_options=compiler_options, **kwargs)

  monkeypatch.setattr(jax, 'jit', spy)
  mesh = parallel.make_mesh(1)
  images = np.zeros((4, 2, 2, 1), np.uint8)
  for deterministic in (False, True):  # XLA refuses options it does not know.
    state, _ = parallel.make_runner(
        lambda state, *_, pmean: (state + 1, {}), mesh, seed=0,
        image_range=RANGE, deterministic=deterministic)(
            parallel.replicate(jnp.zeros(()), mesh), parallel.replicate(
                parallel.Data(images, np.zeros(4, np.int32)), mesh),
            np.zeros((3, 1, 2), np.int32))
    assert state == 3
  assert options == [None, {'xla_gpu_deterministic_ops': True}]


def test_cores_are_those_that_xla_counts(monkeypatch):
  monkeypatch.setenv('NPROC', '5')
  assert parallel.cores() == 5
  monkeypatch.delenv('NPROC')
  assert parallel.cores() == len(os.sched_getaffinity(0))


@pytest.mark.parametrize('low, high', [(-1.0, 1.0), (0.0, 1.0)])
@pytest.mark.parametrize('devices', [1, 4])
def test_the_batch_is_the_right_rows_scaled(devices, low, high):
  rng = np.random.default_rng(2)
  images = rng.integers(0, 256, (10, 3, 5, 2)).astype(np.uint8)
  images[0], images[1] = 0, 255
  labels = np.arange(10, dtype=np.int32) * 7
  indices = rng.integers(0, 10, (2, 3, 8)).astype(np.int32)
  indices[0, 0, :2] = 0, 1
  mesh = parallel.make_mesh(devices)

  def spy(state, batch, key, *, pmean):
    whole = partial(lax.all_gather, axis_name=parallel.AXIS, tiled=True)
    return state + 1, {
        'image': whole(batch.image, axis=1),
        'label': whole(batch.label, axis=1),
        'position': whole(batch.position),
        'key': jax.random.key_data(key), 'one': pmean(jnp.float32(1))}

  runner = parallel.make_runner(spy, mesh, seed=3, image_range=(low, high))
  state, seen = runner(
      parallel.replicate(jnp.zeros((), jnp.int32), mesh),
      parallel.replicate(parallel.Data(images, labels), mesh), indices)
  assert int(state) == 2
  assert seen['image'].dtype == np.float32
  np.testing.assert_allclose(
      seen['image'], low + (high - low) * images[indices] / 255.0, atol=1e-6)
  assert (seen['image'][0, 0, 0] == low).all()
  np.testing.assert_allclose(seen['image'][0, 0, 1], high, atol=2e-7)
  np.testing.assert_array_equal(seen['label'], labels[indices])
  np.testing.assert_array_equal(seen['position'], [np.arange(8)] * 2)
  np.testing.assert_array_equal(
      seen['key'], [jax.random.key_data(jax.random.key(3))] * 2)
  np.testing.assert_array_equal(seen['one'], [1.0, 1.0])


def test_make_mesh_counts_devices():
  assert parallel.device_count() == 4
  assert parallel.make_mesh().devices.size == 4
  assert parallel.make_mesh(2).devices.size == 2
  assert parallel.make_mesh(2).axis_names == (parallel.AXIS,)


@pytest.mark.parametrize('count', [1, 3, 4, 9])
@pytest.mark.parametrize('devices', [1, 2, 4])
def test_spread_work_is_the_work_of_one(devices, count):
  rng = np.random.default_rng(0)
  weights = rng.normal(size=(5, 3)).astype(np.float32)
  x = rng.normal(size=(count, 5)).astype(np.float32)
  label = np.arange(count, dtype=np.int32)

  def work(tree, x, label):  # The last tells how many examples it was given.
    return x @ tree['w'] + label[:, None], jnp.full(len(x), len(x))

  tree = parallel.replicate({'w': weights}, parallel.make_mesh(devices))
  product, given = parallel.spread(work)(tree, x, label)
  np.testing.assert_allclose(product, x @ weights + label[:, None], rtol=1e-6)
  np.testing.assert_array_equal(given, [-(-count // devices)] * count)


@pytest.mark.slow
def test_a_hundred_steps_are_the_same_on_1_2_and_8_devices(images, tmp_path):
  """Adam, batch norm: equal to 1e-5; sums in another order differ by 1e-7."""
  runs = {devices: tiny.start(
      tiny.MLP + ',data=npz', f'--config.data.path={images}',
      '--config.train_steps=100', '--config.batch_size=16',
      '--config.log_every=10', '--config.steps_per_call=10',
      '--config.checkpoint_every=0', '--config.sample_every=0',
      '--config.eval_every=0', f'--workdir={tmp_path / str(devices)}',
      devices=devices)
      for devices in (1, 2, 8)}
  said = [process.communicate(timeout=300) for process in runs.values()]
  assert [process.returncode for process in runs.values()] == [0] * 3, said
  alone = tiny.rows(tmp_path / '1')
  assert [row['step'] for row in alone] == list(range(10, 101, 10))
  for devices in (2, 8):
    for a, b in zip(alone, tiny.rows(tmp_path / str(devices)), strict=True):
      assert a.keys() == b.keys()
      for name, value in a.items():
        np.testing.assert_allclose(b[name], value, rtol=1e-5, atol=1e-5,
                                   err_msg=f'{devices} {a["step"]} {name}')
