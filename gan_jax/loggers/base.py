"""Interface of loggers."""

import os
import uuid
from collections.abc import Mapping

import numpy as np

from gan_jax.base.files import write_file


class Logger:
  """Base class; subclasses override what they need.

  A logger that raises is dropped for the rest of the run, with a warning.
  """

  def open(self, folder: str, step: int, config: Mapping) -> None:
    """Starts logging the run of a folder, or resumes at `step`."""

  def write(self, step: int, scalars: Mapping[str, float]) -> None:
    """Logs a row, at most one per step; values may be NaN or infinite."""

  def image(self, step: int, name: str, image: np.ndarray) -> None:
    """Logs an image, uint8 [H, W, C] with C in (1, 3, 4)."""

  def rewind(self, step: int) -> None:
    """Discards rows after `step`, which will be logged again."""

  def flush(self) -> None:
    """Fsyncs everything written."""

  def close(self) -> None:
    """Ends logging; idempotent."""


def kept_id(path: str, step: int) -> str:
  """The id in a file; a new one for a run that starts at step 0."""
  if not step or not os.path.exists(path):
    write_file(path, uuid.uuid4().hex.encode())
  with open(path) as file:
    return file.read()
