"""Means of the scalars of all steps since the last row."""

import json

import numpy as np

from gan_jax.base.files import try_write_file


class Means:
  """Sums of scalars, step by step in float64.

  So a mean depends neither on the number of steps in a call, which may be
  chosen by measurement, nor on where a run was stopped: the sums of
  checkpoints between two rows are kept in a file, those of the last ones, as
  a run may go on from a checkpoint before the newest.
  """

  def __init__(self, path: str, keep: int = 1):
    """Takes the path of the file, and how many checkpoints are kept."""
    self._path, self._keep = path, keep + 1  # one that is not published yet
    self._sums, self._count = {}, 0

  def add(self, scalars, steps: int) -> None:
    """Adds {name: [K]} of K `steps`."""
    for name, values in scalars.items():
      # One after the other, whatever K is; `sum` adds in pairs.
      self._sums[name] = float(np.cumsum(
          [self._sums.get(name, 0.0), *values], dtype=np.float64)[-1])
    self._count += steps

  def take(self) -> dict[str, float]:
    """Means since the last time."""
    found = {name: total / self._count for name, total in self._sums.items()}
    self._sums, self._count = {}, 0
    return found

  def save(self, step: int) -> None:
    """Writes the sums of a checkpoint, none where a row ends at it.

    Those of this step and later ones are of a branch that was given up.
    """
    before = self._read()
    kept = {at: sums for at, sums in before.items() if int(at) < step}
    if self._count:
      kept[str(step)] = [self._count, self._sums]
    if kept != before:
      last = sorted(kept, key=int)[-self._keep:]
      try_write_file(self._path, json.dumps(
          {at: kept[at] for at in last}).encode())

  def load(self, step: int) -> None:
    """Goes on with the sums of a step, or with none."""
    self._count, self._sums = self._read().get(str(step), (0, {}))

  def _read(self):
    try:
      with open(self._path) as file:
        return dict(json.load(file))
    except (OSError, ValueError, TypeError):
      return {}  # None was written.
