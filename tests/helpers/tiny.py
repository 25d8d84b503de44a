"""What the integration tests share: tiny data, configs, command lines."""

import functools
import io
import json
import os
import pathlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from experiments.reliability.soak import digest
from gan_jax import parallel
from gan_jax.config import experiment, recipe
from gan_jax.run import checkpoint

ROOT = str(pathlib.Path(__file__).resolve().parents[2])
# A warning of ml_collections, when it reads a config file.
READS_CONFIGS = pytest.mark.filterwarnings('ignore:the load_module')
MLP = '--config=configs/keras_mlp.py:quick'


def write_images(path, *, count=40, size=8, channels=1, classes=3, seed=0,
                 labels=None):
  """An npz of noise images; `classes=0` leaves out the labels.  -> str."""
  rng = np.random.default_rng(seed)
  arrays = {'images': rng.integers(
      0, 256, (count, size, size, channels)).astype(np.uint8)}
  if classes:
    arrays['labels'] = (np.arange(count) % classes if labels is None else
                        np.asarray(labels))
  np.savez(path, **arrays)
  return str(path)


def config(path, **changes):
  """A run of seconds on the images of `path`, as a plain dict."""
  values = dict(
      data=dict(name='npz', path=path), batch_size=8,
      latent=dict(name='normal', size=4),
      generator=dict(name='mlp.Generator', widths=(8,)),
      discriminator=dict(name='mlp.Discriminator', widths=(8,)),
      gen_optimizer=dict(name='sgd', learning_rate=0.05),
      disc_optimizer=dict(name='sgd', learning_rate=0.05),
      train_steps=4, steps_per_call=2, log_every=2, sample_every=2,
      sample_grid=(2, 2), eval_every=0, checkpoint_every=2)
  return {**experiment.plain(recipe.base()), **values, **changes}


def saved(run, folder, step=0):
  """The state in the newest, or another, checkpoint of a run."""
  checkpoints = checkpoint.Checkpoints(folder)
  abstract = parallel.abstract(jax.eval_shape(run.init),
                               parallel.make_mesh(1))
  state = checkpoints.restore(abstract, step)
  checkpoints.close()
  return state


def saved_digest(run, folder, step=0):
  """Its sha256."""
  return digest(saved(run, folder, step))


def with_a_bad_average(run):
  """The run with an average that is not finite from step 4 on."""
  return run._replace(step=_bad_average(run.step))


@functools.cache  # One function is compiled once.
def _bad_average(good):
  def step(state, batch, key, *, pmean):
    state, scalars = good(state, batch, key, pmean=pmean)
    bad = jnp.where(state.step >= 4, jnp.inf, 1.0)
    ema = jax.tree.map(lambda x: x * bad, state.ema)
    return state.replace(ema=ema), scalars

  return step


def rows(folder):
  """scalars.jsonl without what depends on the clock."""
  with open(os.path.join(folder, 'scalars.jsonl')) as file:
    found = [json.loads(line) for line in file]
  return [{k: v for k, v in row.items() if not k.startswith('perf/')}
          for row in found]


def finished(folder):
  """Steps of the checkpoints that are whole, by the folder alone."""
  path = os.path.join(folder, 'checkpoints')
  if not os.path.isdir(path):
    return []
  return sorted(int(name) for name in os.listdir(path) if name.isdigit())


def environment(devices=4):
  """Of a process of its own, by default on as many devices as the tests."""
  return {**os.environ, 'JAX_PLATFORMS': 'cpu',
          'JAX_NUM_CPU_DEVICES': str(devices), 'NPROC': '16',
          'PYTHONWARNINGS': '',
          'JAX_COMPILATION_CACHE_DIR': jax.config.jax_compilation_cache_dir}


def start(*args, devices=4, **kwargs):
  """The program in a process of its own."""
  return subprocess.Popen(
      [sys.executable, '-m', 'gan_jax.main', *args], cwd=ROOT,
      env=environment(devices), text=True, stdout=subprocess.PIPE,
      stderr=subprocess.PIPE, **kwargs)


def decoded(data):
  """The picture of a file's bytes, by Pillow."""
  return Image.open(io.BytesIO(data), formats=['PNG', 'GIF'])
