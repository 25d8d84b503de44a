"""What a logger is."""

import os
import uuid
from collections.abc import Mapping

import numpy as np

from gan_jax.base.files import write_file


class Logger:
  """Hears of a run; a logger overrides what it has a use for.

  One that raises is left out for the rest of the run, with one warning.
  """

  def open(self, folder: str, step: int, config: Mapping) -> None:
    """The run of a working directory starts, or goes on from `step`."""

  def write(self, step: int, scalars: Mapping[str, float]) -> None:
    """A row of finite and other numbers; one row a step."""

  def image(self, step: int, name: str, image: np.ndarray) -> None:
    """A picture, uint8 [H, W, C] with C in (1, 3, 4)."""

  def rewind(self, step: int) -> None:
    """What came after `step` is void, and will come again."""

  def flush(self) -> None:
    """Returns when everything is on the disk."""

  def close(self) -> None:
    """The run ends, or is stopped."""


def kept_id(path: str, step: int) -> str:
  """The id in a file, which a run that starts at step 0 writes anew."""
  if not step or not os.path.exists(path):
    write_file(path, uuid.uuid4().hex.encode())
  with open(path) as file:
    return file.read()
