"""The table of compared runs: points, means over seeds, intervals."""

import csv
import glob
import io
import json
import math
import os
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from gan_jax.base.errors import WorkdirError
from gan_jax.base.files import read_rows, write_file
from gan_jax.config import fields
from gan_jax.evaluators.score import short_hash
from gan_jax.metrics import low_is_better
from gan_jax.run import files, status


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
  """Names of columns, with a hash only where one name stands for two."""
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


# What cannot change the game makes no other point of a run: when it is looked
# at and by whom, as evaluators see a copy of the average only. A watchdog that
# goes back or stops does change it.
_ASIDE = ('seed', 'log_every', 'sample_every', 'sample_grid', 'eval_every',
          'evaluators', 'best_metric', 'checkpoint_every', 'keep_checkpoints')
_LONG = 100  # characters of a point's name


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
  # The hash of what made a score may be left out where there is only one.
  known = [c for c in columns if sort in (c, c.partition(' (')[0])]
  sort = known[0] if len(known) == 1 else sort
  if sort and sort not in columns:
    raise ValueError(f'--sort={sort}: no such score; there are '
                     f'{", ".join(columns) or "none"}')
  by = sort or next(iter(columns), '')
  if by:
    points.sort(key=lambda point: rank(point, by))
  text = markdown(points, columns, runs, lost)
  if out:
    table = in_csv(points, columns, lost) if out.endswith('.csv') else text
    write_file(out, table.encode())
  return text


def read(folder: str) -> Run:
  """A run from its folder, whatever state it is in."""
  with open(os.path.join(folder, 'config.json')) as file:
    config = json.load(file)
  progress = status.read(folder)
  return Run(folder, fields.flat(config), progress.step,
             _status(folder, progress), *_scores(folder))


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
  if files.is_held(folder):
    return 'running'
  if progress.finished:  # A number that was not finite has been overcome.
    return 'finished'
  if os.path.exists(os.path.join(folder, 'nonfinite.json')):
    return 'not finite'
  if not progress.train_steps:
    return 'never started'
  return f'stopped at step {progress.step} of {progress.train_steps}'


def _scores(folder) -> tuple[dict[str, Any], dict[str, float]]:
  """({name: value}, {name: floor}) of the last scored step.

  Scores of one name whose extractors or data differ get columns of their own.
  """
  rows = _rows(folder, 'scores.jsonl')
  last = max((row['step'] for row in rows), default=0)
  found, floors = {}, {}
  for row in rows:
    if row['step'] == last:
      how = row.get('protocol', {})
      what = short_hash([how.get(key) for key in (
          'extractor_sha256', 'data_fingerprint', 'num_real', 'num_test',
          'weights')])
      name = f'{row["name"]} ({what[:6]})'
      found[name] = row['value']
      if row.get('floor') is not None:
        floors[name] = row['floor']
  return found, floors


def _points(runs) -> list[Point]:
  groups = {}
  for run in runs:
    config = {key: value for key, value in run.config.items()
              if key.split('.')[0].split('[')[0] not in _ASIDE}
    groups.setdefault(short_hash(config), (config, []))[1].append(run)
  configs = [config for config, _ in groups.values()]
  keys = sorted({key for config in configs for key in config})
  differing = [key for key in keys if len(
      {repr(config.get(key)) for config in configs}) > 1]
  names = [', '.join(f'{key}={config[key]}' for key in differing
                     if key in config) or os.path.basename(runs[0].folder)
           for config, runs in groups.values()]
  places = [_place(runs) for _, runs in groups.values()]
  if max(map(len, names), default=0) > _LONG and (
      len(set(places)) == len(places)):
    names = places  # Other recipes, that differ in too much to be named by it.
  return [Point(name, runs) for name, (_, runs) in zip(
      names, groups.values(), strict=True)]


def _place(runs):
  """The name of the folder that the seeds of a point share."""
  path = os.path.commonpath([os.path.abspath(run.folder) for run in runs])
  if os.path.basename(path).startswith('seed='):
    path = os.path.dirname(path)
  return os.path.basename(path)
