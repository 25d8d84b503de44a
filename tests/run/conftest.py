"""Runs of seconds: one tiny experiment for all, compiled once."""

import contextlib

import pytest
import tiny

from gan_jax import parallel
from gan_jax.config import experiment
from gan_jax.run import evaluator, results, train

_MADE = {}


@contextlib.contextmanager
def _quickly():
  """No curves, which take a second each; the same is compiled once."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(results.pictures, 'curves', lambda *_, **__: b'')
    patch.setattr(results.pictures, 'gif', lambda *_: b'')

    def once(module, name, key_of):
      make = getattr(module, name)

      def made(*args, **kwargs):
        key = name, *key_of(*args), *sorted(kwargs.items())
        if key not in _MADE:
          # With args, so that their ids are not given to others.
          _MADE[key] = args, make(*args, **kwargs)
        return _MADE[key][1]

      patch.setattr(module, name, made)

    once(parallel, 'make_runner', lambda step, mesh: (step, mesh))
    once(results, 'equilibrium', lambda loss, size: (id(loss), size))
    once(evaluator, 'Sampler', lambda game, image_range, units, standing: (
        id(game), image_range, units, standing is None or standing.tobytes()))
    # Of the Diagnoser, which measures one game like another of the same rules.
    once(parallel, 'everywhere', lambda function, mesh, axes=None: (
        id(getattr(getattr(function, '__self__', function), '_game', function)),
        mesh, axes is None))
    yield


@pytest.fixture(autouse=True, scope='module')
def _quick():
  """Of a module, so that its runs that several tests look at are quick, too."""
  with _quickly():
    yield


@pytest.fixture(scope='session')
def images(tmp_path_factory):
  """An npz of noise images, the same for all."""
  return tiny.write_images(tmp_path_factory.mktemp('data') / 'noise.npz')


@pytest.fixture(scope='session')
def run(images):
  """The experiment of `tiny.config`, four steps."""
  found = experiment.load(tiny.config(images))
  state = found.init()  # To trace it again in each run takes a while.
  return found._replace(init=lambda: state)


@pytest.fixture(scope='session')
def four_steps(run, tmp_path_factory):
  """The folder of a run of four steps."""
  folder = tmp_path_factory.mktemp('run')
  with _quickly():  # It may be made before the first module's.
    assert train.train(run, folder) == 0
  return folder
