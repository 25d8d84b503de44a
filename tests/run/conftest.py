"""Runs of seconds: one tiny experiment for all, compiled once."""

import pytest
import tiny

from gan_jax import parallel
from gan_jax.config import experiment
from gan_jax.run import results


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
  """No curves, which take a second each; a step is compiled once."""
  monkeypatch.setattr(results.pictures, 'curves', lambda *_, **__: b'')
  monkeypatch.setattr(results.pictures, 'gif', lambda *_: b'')
  make = parallel.make_runner
  monkeypatch.setattr(
      parallel, 'make_runner', lambda step, mesh, **kwargs: _RUNNERS.setdefault(
          (step, mesh, *sorted(kwargs.items())), make(step, mesh, **kwargs)))


_RUNNERS = {}


@pytest.fixture(scope='session')
def images(tmp_path_factory):
  """An npz of noise images, the same for all."""
  return tiny.write_images(tmp_path_factory.mktemp('data') / 'noise.npz')


@pytest.fixture(scope='session')
def run(images):
  """The experiment of `tiny.config`, four steps."""
  return experiment.load(tiny.config(images))
