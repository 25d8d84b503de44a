"""Small states, their checkpoints, and what Orbax leaves of failed reads."""

import contextlib

import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import parallel
from gan_jax.run.checkpoint import Checkpoints

# Reads that Orbax gives up leave callbacks behind for a closed event loop.
UNREAD = pytest.mark.filterwarnings(
    'ignore::pytest.PytestUnraisableExceptionWarning')


def filled(fill=1.0, width=3, dtype=jnp.float32):
  return {'gen': {'w': jnp.full((2, width), fill, dtype),
                  'n': jnp.arange(4, dtype=jnp.int32)},
          'step': jnp.int32(fill if np.isfinite(fill) else 0)}


def abstract(state):
  return parallel.abstract(state, parallel.make_mesh(1))


def opened(folder, keep=3):
  return contextlib.closing(Checkpoints(folder, keep=keep))


def save_two(folder):
  """Checkpoints 1 and 2, finished and closed."""
  checkpoints = Checkpoints(folder, keep=3)
  for step in (1, 2):
    checkpoints.save(step, filled(step))
  checkpoints.close()
