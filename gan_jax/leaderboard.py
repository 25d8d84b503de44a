"""The table of compared runs: points, means over seeds, intervals."""

import csv
import io
import math
from typing import NamedTuple

import numpy as np
from scipy import stats

from gan_jax.metrics.direction import low_is_better


class Run(NamedTuple):
  """What a working directory says of its run.

  config: flat, {'loss.name': 'hinge'}.
  step: of its newest checkpoint.
  status: 'finished', 'running', 'stopped at step 300 of 1000', 'not finite'.
  scores: {column: value or None}, of its last scored step.
  floors: {column: the same score of real examples}, where there is one.
  """

  folder: str
  config: dict
  step: int
  status: str
  scores: dict
  floors: dict


class Point(NamedTuple):
  """Runs that differ in their seed only."""

  name: str
  runs: list


def mean_interval(values) -> tuple[float, float]:
  """Mean, and half of its 95 % interval: NaN for a single value."""
  values = np.asarray(values, np.float64)
  if len(values) < 2:
    return float(values.mean()), math.nan
  error = values.std(ddof=1) / math.sqrt(len(values))
  return float(values.mean()), float(
      stats.t.ppf(0.975, len(values) - 1) * error)


def _values(point, column):
  return [run.scores[column] for run in _valued(point, column)]


def _valued(point, column) -> list[Run]:
  """Of the runs that are finished: others would be of another length."""
  return [run for run in _distinct(point)
          if run.status == 'finished' and run.scores.get(column) is not None]


def _distinct(point) -> list[Run]:
  """One run of each seed: the same run twice is not another seed."""
  found = {}
  for run in sorted(point.runs, key=lambda run: run.status != 'finished'):
    found.setdefault(run.config.get('seed'), run)
  return list(found.values())


def rank(point: Point, column: str) -> float:
  """A number that is lower for the better point, inf without any score."""
  values = _values(point, column)
  if not values:
    return math.inf
  return np.mean(values) if low_is_better(column) else -np.mean(values)


def markdown(points, columns, runs, lost) -> str:
  """A line for each point and one for real examples, and who is missing."""
  lines = ['| ' + ' | '.join(['point', 'seeds', *_heads(columns)]) + ' |',
           '|---|---|' + '---|' * len(columns)]
  for point in points:
    cells = []
    for column in columns:
      values = _values(point, column)
      if not values:
        cells.append('-')
        continue
      mean, half = mean_interval(values)
      less = '' if len(values) == len(_distinct(point)) else (
          f' ({len(values)} runs)')
      cells.append(f'{mean:.4g}{less}' if math.isnan(half)
                   else f'{mean:.4g} +- {half:.2g}{less}')
    lines.append('| ' + ' | '.join(
        [point.name, str(len(_distinct(point))), *cells]) + ' |')
  floors = [[run.floors[column] for run in runs if column in run.floors]
            for column in columns]
  if any(floors):
    lines.append('| ' + ' | '.join(['real examples', '', *(
        f'{np.mean(found):.4g}' if found else '-' for found in floors)]) + ' |')
  failed = {run.folder: run.status for run in runs
            if run.status != 'finished'} | dict.fromkeys(lost, 'never started')
  lines += ['', f'{len(runs) + len(lost)} runs, {len(failed)} of them not '
            'finished' + (':' if failed else '')]
  lines += [f'* {folder}: {status}' for folder, status in failed.items()]
  lines += [f'* {run.folder}: left out, its seed {run.config.get("seed")} is '
            'there already' for point in points for run in point.runs
            if run not in _distinct(point)]
  return '\n'.join(lines)


def _heads(columns):
  """Names of columns, with the digest only where one name stands for two."""
  names = [column.partition(' (')[0] for column in columns]
  return [name if names.count(name) == 1 else column
          for name, column in zip(names, columns, strict=True)]


def in_csv(points, columns, lost) -> str:
  """A line for each point and score, without values too, and who failed.

  `folders` are those of the runs that the values are of, in their order;
  `failures` are 'folder: status' of the point's runs that are not finished.
  """
  text = io.StringIO()
  table = csv.writer(text)
  table.writerow(['point', 'score', 'mean', 'half_interval', 'seeds', 'values',
                  'folders', 'failed', 'failures'])
  for point in points:
    failures = [f'{run.folder}: {run.status}' for run in point.runs
                if run.status != 'finished']
    for column in columns or ['']:
      values = _values(point, column)
      table.writerow([
          point.name, column, *(mean_interval(values) if values else ('', '')),
          len(values), ' '.join(map(repr, values)),
          ' '.join(run.folder for run in _valued(point, column)),
          len(failures), '; '.join(failures)])
  if lost:  # Of no point: they have no config.
    table.writerow(['', '', '', '', 0, '', '', len(lost), '; '.join(
        f'{folder}: never started' for folder in lost)])
  return text.getvalue()
