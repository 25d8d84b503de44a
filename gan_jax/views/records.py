"""Reads the files of a run folder, incrementally, for the HTML page."""

import array
import glob
import json
import math
import os
import re

import numpy as np

from gan_jax.base.errors import ConfigError, WorkdirError
from gan_jax.base.files import read_rows
from gan_jax.config import fields, recipe
from gan_jax.run import detectors, files, health, lock, status
from gan_jax.views.leaderboard import settings_of

_NUMBERS = float, int, type(None)


class Record:
  """A run folder that may still be written.

  folder, name: of the run.
  config: dict, as in config.json.
  curves: {scalar: (steps, values)}; NaN for null.
  step: of the newest row, 0 if none.
  """

  def __init__(self, folder: str):
    """Reads what is there.

    Raises:
      WorkdirError: not a run folder, or unreadable.
    """
    self.folder = os.fspath(folder)
    self.name = os.path.basename(os.path.abspath(folder))
    self.config, self.info = files.read_run(self.folder)
    self._rows = self._path('scalars.jsonl')
    self._forget()
    self.read()

  def read(self) -> None:
    """Reads new rows; all rows again after a rollback or resume."""
    try:
      with open(self._rows, 'rb') as file:
        found = os.fstat(file.fileno())
        if found.st_ino != self._file or found.st_size < self._at:
          self._forget()
        self._file = found.st_ino
        file.seek(self._at)
        data = file.read()
    except FileNotFoundError:
      return self._forget()
    except OSError as e:
      raise WorkdirError(f'{self._rows}: cannot read it: {e.strerror}') from e
    end = data.rfind(b'\n') + 1  # The last line may be incomplete.
    self._at += end
    for line in data[:end].splitlines():
      try:
        row = json.loads(line)
        step = row.pop('step')
      except (ValueError, TypeError, AttributeError, KeyError):
        continue  # Torn line; resuming drops it.
      if type(step) is not int or not 0 <= step < 2**53:
        continue
      self.step = max(self.step, step)
      for name, value in row.items():
        if type(value) in _NUMBERS:  # isinstance takes twice as long.
          curve = self.curves.get(name)
          if curve is None:
            curve = self.curves[name] = array.array('q'), array.array('d')
          curve[0].append(step)
          curve[1].append(math.nan if value is None else value)

  @property
  def version(self) -> str:
    """Changes when any file of the run does."""
    names = ('scalars.jsonl', 'scores.jsonl', 'report.md', 'samples',
             'checkpoints', 'launches.jsonl', 'nonfinite.json')
    return f'{lock.is_held(self.folder)}' + ''.join(
        f' {found.st_size},{found.st_mtime_ns}' for name in names
        if (found := _stat(self._path(name))))

  def scores(self) -> dict[str, list[dict]]:
    """{name: rows with the settings of the newest, sorted by step}."""
    found = {}
    for row in read_rows(self._path('scores.jsonl')):
      if isinstance(row.get('name'), str):
        found.setdefault(row['name'], {})[row['step']] = row
    return {name: [row for _, row in sorted(rows.items())
                   if settings_of(row) == settings_of(rows[max(rows)])]
            for name, rows in found.items()}

  def grids(self) -> list[int]:
    """Steps of the sample grids, `samples/step_00000100.png`."""
    names = glob.glob(os.path.join(glob.escape(self.folder), 'samples',
                                   'step_*.png'))
    return sorted(int(found[1]) for name in names if (found := re.search(
        r'step_(\d{8,})\.png$', name)))

  def findings(self) -> list[tuple[str, str, str, str]]:
    """(step, finding, numbers, advice) of the watchdog."""
    return health.read_report(self._path('report.md'))

  def unseen(self) -> str:
    """What the watchdog could not look for, '' if it could."""
    rows = max((len(steps) for steps, _ in self.curves.values()), default=0)
    return health.unseen(
        rows >= detectors.WINDOW and self.step > (
            detectors.WARM_UP * status.read(self.folder).train_steps),
        'auc' in self.curves and 'gap/logits' not in self.curves)

  def recipe(self) -> str:
    """--config of the first launch, '' if unknown."""
    return dict(files.launched(self.folder)).get('config', '')

  def changes(self) -> tuple[str, list[tuple[str, str, str]]]:
    """(name of the recipe, [(key, its value, value here)]).

    The name is '' for a comparison with the defaults. Only recipes of this
    package are executed: the run folder may come from an untrusted source.
    """
    name = os.path.basename(self.recipe().partition(':')[0]).removesuffix('.py')
    try:
      there = recipe.shipped(name)
    except ConfigError:
      name, there = '', recipe.base()
    return name, sorted(fields.differences(fields.plain(there), self.config))

  def _forget(self):
    self.curves, self.step, self._at, self._file = {}, 0, 0, 0

  def _path(self, name):
    return os.path.join(self.folder, name)


def _stat(path):
  try:
    return os.stat(path)
  except OSError:
    return None


def thin(steps, values, most: int) -> tuple[list, list, list]:
  """Reduces a curve, [N] and [N], to at most `most` points (6 or more).

  A longer curve is split into buckets of equally many points; the minimum, the
  maximum and the first non-finite point of each are kept, and so its spikes.

  Returns:
    steps; values, None if not finite; means of the buckets, for smoothing, []
    if the curve is not reduced.
  """
  steps, values = np.asarray(steps), np.asarray(values, np.float64)
  if len(values) <= most:
    return steps.tolist(), [_short(value) for value in values], []
  size = -(-len(values) // (most // 3))
  parts = np.pad(values, (0, -len(values) % size),
                 constant_values=np.nan).reshape(-1, size)
  padding = np.arange(parts.size).reshape(parts.shape) >= len(values)
  finite = np.isfinite(parts)
  bad = ~finite & ~padding
  some, starts = finite.any(axis=1), size * np.arange(len(parts))
  kept = np.unique(np.concatenate([
      (starts + np.where(finite, parts, np.inf).argmin(axis=1))[some],
      (starts + np.where(finite, parts, -np.inf).argmax(axis=1))[some],
      (starts + bad.argmax(axis=1))[bad.any(axis=1)]]))
  means = np.where(finite, parts, 0).sum(axis=1) / np.maximum(
      finite.sum(axis=1), 1)
  means[~some] = np.nan
  return (steps[kept].tolist(), [_short(value) for value in values[kept]],
          [_short(value) for value in means[kept // size]])


def _short(value):
  """Six digits, to save bytes; None if not finite."""
  return float(f'{value:.6g}') if math.isfinite(value) else None
