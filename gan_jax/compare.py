"""--mode=compare: a leaderboard of runs, the seeds of a point together."""

import csv
import glob
import io
import json
import math
import os
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from gan_jax import fields, status, workdir
from gan_jax.evaluation.score import digest
from gan_jax.metrics.direction import low_is_better
from gan_jax.workdir import WorkdirError
from gan_jax.writers import read_rows, write_file

# Where a run lies and how it is watched make no other point of it.
_ASIDE = ('seed', 'log_every', 'sample_every', 'sample_grid', 'eval_every',
          'evaluators', 'best_metric', 'checkpoint_every', 'keep_checkpoints',
          'watchdog')


class Run(NamedTuple):
  """What a working directory says of its run.

  config: flat, {'loss.name': 'hinge'}.
  step: of its newest checkpoint.
  status: 'finished', 'running', 'stopped at step 300 of 1000', 'not finite'.
  scores: {column: value or None}, of its last scored step.
  """

  folder: str
  config: dict
  step: int
  status: str
  scores: dict


class Point(NamedTuple):
  """Runs that differ in their seed only."""

  name: str
  runs: list


def compare(patterns, *, sort: str = '', out: str = '') -> str:
  """The leaderboard of all runs that the patterns match.

  A score is that of the last scored step. Points are ordered by `sort`, or by
  their first score. Of several seeds the mean is shown with its 95 % interval
  over seeds (Student's t), of finished runs; it says nothing of the sample of
  one run. Runs that are not finished are named below the table.

  Args:
    patterns: folders, or patterns of them such as 'runs/sweep/*'.
    sort: name of a score.
    out: F.md or F.csv to write, beside what is returned.

  Returns:
    A table in Markdown.

  Raises:
    WorkdirError: no run there.
    ValueError: no such score, or no such kind of file.
  """
  if os.path.splitext(out)[1] not in ('', '.md', '.csv'):
    raise ValueError(f'--out={out}: must end in .md or .csv')
  found = _folders(patterns)
  runs = [read(path) for path in found if _holds(path, 'config.json')]
  lost = [path for path in found if not _holds(path, 'config.json')]
  if not found:
    raise WorkdirError(f'no run in {", ".join(patterns) or "no folder"}: give '
                       "the folders of runs, for example 'runs/sweep/*'")
  columns = list(dict.fromkeys(name for run in runs for name in run.scores))
  points = _points(runs)
  # The digest of what made a score may be left out where there is only one.
  known = [c for c in columns if sort in (c, c.partition(' (')[0])]
  sort = known[0] if len(known) == 1 else sort
  if sort and sort not in columns:
    raise ValueError(f'--sort={sort}: no such score; there are '
                     f'{", ".join(columns) or "none"}')
  by = sort or next(iter(columns), '')
  if by:
    points.sort(key=lambda point: _rank(point, by))
  text = _markdown(points, columns, runs, lost)
  if out:
    table = _csv(points, columns) if out.endswith('.csv') else text
    write_file(out, table.encode())
  return text


def read(folder: str) -> Run:
  """A run from its folder, whatever state it is in."""
  with open(os.path.join(folder, 'config.json')) as file:
    config = json.load(file)
  progress = status.read(folder)
  return Run(folder, fields.flat(config), progress.step,
             _status(folder, progress), _scores(folder))


def mean_interval(values) -> tuple[float, float]:
  """Mean, and half of its 95 % interval: NaN for a single value."""
  values = np.asarray(values, np.float64)
  if len(values) < 2:
    return float(values.mean()), math.nan
  error = values.std(ddof=1) / math.sqrt(len(values))
  return float(values.mean()), float(
      stats.t.ppf(0.975, len(values) - 1) * error)


def _folders(patterns):
  # A folder may be named penalties[0].weight=1, which is a pattern too.
  found = sorted(path for pattern in patterns for path in (
      [pattern] if os.path.isdir(pattern) else glob.glob(pattern)))
  # log.txt alone: a sweep started a run there, which got no further.
  return [path for path in dict.fromkeys(found)
          if _holds(path, 'config.json') or _holds(path, 'log.txt')]


def _holds(folder, name):
  return os.path.exists(os.path.join(folder, name))


def _rows(folder, name):
  path = os.path.join(folder, name)
  return [row for _, row in read_rows(path) if row is not None]


def _status(folder, progress):
  if workdir.is_held(folder):
    return 'running'
  if progress.finished:  # A number that was not finite has been overcome.
    return 'finished'
  if os.path.exists(os.path.join(folder, 'nonfinite.json')):
    return 'not finite'
  if not progress.train_steps:
    return 'never started'
  return f'stopped at step {progress.step} of {progress.train_steps}'


def _scores(folder) -> dict[str, Any]:
  """{name: value} of the last scored step.

  Scores of one name whose extractors or data differ get columns of their own.
  """
  rows = _rows(folder, 'scores.jsonl')
  last = max((row['step'] for row in rows), default=0)
  found = {}
  for row in rows:
    if row['step'] == last:
      how = row.get('protocol', {})
      what = digest([how.get(key) for key in (
          'extractor_sha256', 'data_fingerprint', 'num_real', 'num_test',
          'weights')])
      found[f'{row["name"]} ({what[:6]})'] = row['value']
  return found


def _points(runs) -> list[Point]:
  groups = {}
  for run in runs:
    config = {key: value for key, value in run.config.items()
              if key.split('.')[0].split('[')[0] not in _ASIDE}
    groups.setdefault(digest(config), (config, []))[1].append(run)
  configs = [config for config, _ in groups.values()]
  keys = sorted({key for config in configs for key in config})
  differing = [key for key in keys if len(
      {repr(config.get(key)) for config in configs}) > 1]
  return [Point(', '.join(f'{key}={config[key]}' for key in differing
                          if key in config) or os.path.basename(
                              runs[0].folder), runs)
          for config, runs in groups.values()]


def _values(point, column):
  """Of the runs that are finished: others would be of another length."""
  return [run.scores[column] for run in _distinct(point)
          if run.status == 'finished' and run.scores.get(column) is not None]


def _distinct(point) -> list[Run]:
  """One run of each seed: the same run twice is not another seed."""
  found = {}
  for run in sorted(point.runs, key=lambda run: run.status != 'finished'):
    found.setdefault(run.config.get('seed'), run)
  return list(found.values())


def _rank(point, column):
  values = _values(point, column)
  if not values:
    return math.inf
  return np.mean(values) if low_is_better(column) else -np.mean(values)


def _markdown(points, columns, runs, lost) -> str:
  lines = ['| ' + ' | '.join(['point', 'seeds', *columns]) + ' |',
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
  failed = {run.folder: run.status for run in runs
            if run.status != 'finished'} | dict.fromkeys(lost, 'never started')
  lines += ['', f'{len(runs) + len(lost)} runs, {len(failed)} of them not '
            'finished' + (':' if failed else '')]
  lines += [f'* {folder}: {status}' for folder, status in failed.items()]
  lines += [f'* {run.folder}: left out, its seed {run.config.get("seed")} is '
            'there already' for point in points for run in point.runs
            if run not in _distinct(point)]
  return '\n'.join(lines)


def _csv(points, columns) -> str:
  """A line for each point and score."""
  text = io.StringIO()
  table = csv.writer(text)
  table.writerow(['point', 'score', 'mean', 'half_interval', 'seeds', 'values',
                  'folders'])
  for point in points:
    for column in columns:
      if values := _values(point, column):
        table.writerow([point.name, column, *mean_interval(values),
                        len(values), ' '.join(map(repr, values)),
                        ' '.join(run.folder for run in point.runs)])
  return text.getvalue()
