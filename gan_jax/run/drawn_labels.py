"""Labels of generated sets, the same in training and afterwards."""

import io
import os

import numpy as np

from gan_jax import models
from gan_jax.base.errors import WorkdirError
from gan_jax.base.files import write_file
from gan_jax.config.experiment import Experiment
from gan_jax.data.pipeline import Batches

NAME = 'labels.npy'
_MOST = 50_000  # of a set that a score usually draws


def of_experiment(experiment: Experiment) -> np.ndarray:
  """Labels int32 [M], or vectors float32 [M, L], of generated sets.

  Example i of a set has label i mod M. They are those of at most 50,000
  examples of the data in a fixed random order, so that each is as frequent as
  there; of a `balanced` set the classes in turn; one 0 for a generator that
  does not look at them.
  """
  config, labels = experiment.config, experiment.source.labels
  if not models.is_conditional(config['generator']):
    return np.zeros(1, np.int32)
  if config['data'].get('balanced'):
    return np.array(experiment.info.classes, np.int32)
  size = min(len(labels), _MOST)
  return labels[Batches(len(labels), size, 0)(0, 1)[0]]


def write(folder: str, experiment: Experiment) -> None:
  """Writes them into a run folder."""
  buffer = io.BytesIO()
  np.save(buffer, of_experiment(experiment))
  write_file(os.path.join(folder, NAME), buffer.getvalue())


def describe(config) -> str:
  """How frequent they are, in words: '' if the generator has none."""
  if not models.is_conditional(config['generator']):
    return ''
  return 'equally often' if config['data'].get('balanced') else 'as in the data'


def read(folder: str) -> np.ndarray | None:
  """Those of a run, None if it is older than they are.

  Raises:
    WorkdirError: the file is damaged.
  """
  path = os.path.join(folder, NAME)
  try:
    found = np.load(path, allow_pickle=False)
    if found.dtype in (np.int32, np.float32) and found.ndim and len(found):
      return found
  except FileNotFoundError:
    return None
  except (OSError, ValueError, EOFError):
    pass
  raise WorkdirError(f'{path} is damaged; bring it back from a copy, or start '
                     'the run once more, which writes it')
