"""Means of the scalars of all steps since the last row."""

import json

import numpy as np

from gan_jax.base.files import try_write_file


class Means:
  """Sums of scalars, step by step in float64.

  So a mean depends neither on the number of steps in a call, which may be
  chosen by measurement, nor on where a run was stopped: the sums of a
  checkpoint between two rows are kept in a file. Of an older checkpoint than
  the newest they are lost, and the first row counts fewer steps.
  """

  def __init__(self, path: str):
    """Takes the path of the file."""
    self._path = path
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
    """Writes the sums of a checkpoint that lies between two rows."""
    if self._count:
      try_write_file(self._path, json.dumps(
          {'step': step, 'count': self._count, 'sums': self._sums}).encode())

  def load(self, step: int) -> None:
    """Goes on with the sums of a step, or with none."""
    self._sums, self._count = {}, 0
    try:
      with open(self._path) as file:
        found = json.load(file)
      if step and found['step'] == step:
        self._sums, self._count = found['sums'], found['count']
    except (OSError, ValueError, KeyError, TypeError):
      pass  # None was written, or not by this version.
