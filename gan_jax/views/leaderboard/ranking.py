"""Ranks runs: points, their means over seeds, what they cost."""

import math
import os
import re
from typing import NamedTuple

from gan_jax.base.errors import RequestError
from gan_jax.metrics import low_is_better
from gan_jax.metrics.intervals import student
from gan_jax.views.leaderboard.store import Run

COSTS = {'seconds': 'seconds of training',
         'images': 'number of real images seen'}
_LONG = 100  # characters of a point's name


class Mean(NamedTuple):
  """A score of a point over its seeds.

  mean: of the values.
  half: of the 95 % interval (Student's t), None of one seed.
  values, steps, folders: of the runs, in the order of their folders.
  """

  mean: float
  half: float | None
  values: list
  steps: list
  folders: list


class Board(NamedTuple):
  """The leaderboard.

  runs: all that were asked for.
  repeats: folders of runs whose point and seed are there already.
  columns: scores that any run has, that by which points are sorted first.
  points: {name: its runs}, the best one first.
  means: {(point, score): Mean}, of finished runs.
  """

  runs: list[Run]
  repeats: set[str]
  columns: list[str]
  points: dict[str, list[Run]]
  means: dict[tuple[str, str], Mean]


def ranked(runs: list[Run], sort: str = '') -> Board:
  """Ranks the points of runs by a score.

  By default it is the `best_metric` of all these runs, or else the first score.

  Raises:
    RequestError: no such score.
  """
  columns = list(dict.fromkeys(
      score.score for run in runs for score in run.scores
      if score.value is not None))
  # The name may be given without the hash, if unique.
  known = [c for c in columns if sort in (c, c.partition(' (')[0])]
  sort = known[0] if len(known) == 1 else sort
  if sort and sort not in columns:
    raise RequestError(f'--sort={sort}: no such score; there are '
                       f'{", ".join(columns) or "none"}')
  if not sort:
    metrics = {run.best_metric for run in runs if run.has_config}
    sort = metrics.pop() if len(metrics) == 1 else ''
  columns.sort(key=lambda column: sort not in (
      column, column.partition(' (')[0]))
  names = points_of(runs)
  repeats, points = repeats_of(runs, names), {}
  for run in runs:
    if run.has_config:
      points.setdefault(names[run.folder], []).append(run)
  means = _means(points, repeats)

  def rank(point):
    # Numbers that print alike are ties; what has no score comes last.
    found = [means.get((point, column)) for column in columns]
    return [math.inf if mean is None else float(f'{mean.mean:.4g}')
            * (1 if low_is_better(column) else -1)
            for mean, column in zip(found, columns, strict=True)]

  return Board(runs, repeats, columns,
               {point: points[point] for point in sorted(points, key=rank)},
               means)


def point_name(run: Run) -> str:
  """The values in which a run differs from others."""
  return ', '.join(f'{key}={value}'
                   for key, value in sorted(run.settings.items()))


def points_of(runs) -> dict[str, str]:
  """{folder: name of its point}, the config values in which points differ.

  Where these are none, or too many for a name, the folder that its runs share.
  """
  names, groups = {}, {}
  for run in runs:
    if run.has_config:
      names[run.folder] = point_name(run)
      groups.setdefault(names[run.folder], []).append(run.folder)
  if '' in groups or max(map(len, groups), default=0) > _LONG:
    places = dict(zip(groups, _places(list(groups.values())), strict=True))
    return {folder: places[name] for folder, name in names.items()}
  return names


def _places(groups):
  """The shortest names that tell groups of folders apart."""
  shared = [os.path.commonpath(list(map(_seedless, paths))) for paths in groups]
  places = list(map(os.path.basename, shared))
  if len(set(places)) == len(places):
    return places
  if len(set(shared)) < len(shared):
    shared = [os.path.abspath(paths[0]) for paths in groups]
  root = os.path.commonpath(shared)
  return [os.path.relpath(path, root) for path in shared]


def _seedless(folder):
  # Sweeps write weight=1-seed=0, seed=0-weight=1, or seed=0 below weight=1.
  return re.sub(r'(?<=/)seed=\d+(-|$)|-seed=\d+', '',
                os.path.abspath(folder)).rstrip('/')


def repeats_of(runs, names) -> set[str]:
  """Folders of runs of a point and seed that are there already."""
  seen, repeats = set(), set()
  # A finished one is kept.
  for run in sorted(runs, key=lambda run: run.status != 'finished'):
    if run.has_config:
      one = names[run.folder], run.seed
      if one in seen:
        repeats.add(run.folder)
      seen.add(one)
  return repeats


def _means(points, repeats) -> dict[tuple[str, str], Mean]:
  found = {}
  for point, runs in points.items():
    for run in counted(runs, repeats):
      for score in run.scores:
        if score.value is not None:
          found.setdefault((point, score.score), []).append(
              (score.value, score.step, run.folder))
  means, quantiles = {}, {}
  for key, rows in found.items():
    values, steps, paths = map(list, zip(*rows, strict=True))
    count, half = len(values), None
    mean = math.fsum(values) / count
    if count > 1:
      if count not in quantiles:
        quantiles[count] = student(count - 1)
      variance = math.fsum((v - mean) ** 2 for v in values) / (count - 1)
      half = quantiles[count] * math.sqrt(variance / count)
    means[key] = Mean(mean, half, values, steps, paths)
  return means


def counted(runs, repeats) -> list[Run]:
  """The runs of a point that its means are of."""
  return [run for run in runs
          if run.status == 'finished' and run.folder not in repeats]


def costs(found: Board, cost: str) -> dict[str, float]:
  """{point: mean cost of its finished runs}, of the points that know it."""
  result = {}
  for point, runs in found.points.items():
    known = [getattr(run, cost) for run in counted(runs, found.repeats)]
    if known and None not in known:
      result[point] = math.fsum(known) / len(known)
  return result


def pareto(found: Board, spent: dict[str, float]) -> list[str]:
  """Points that no other point beats in score and cost, the cheapest first.

  One beats another if it is as good in both, the first score and what `costs`
  says it has spent, and better in one.
  """
  if not found.columns:
    return []
  first = found.columns[0]
  sign = 1 if low_is_better(first) else -1
  known = sorted((spent[point], sign * found.means[point, first].mean, point)
                 for point in spent if (point, first) in found.means)
  front, best, price = [], math.inf, None
  for cost, value, point in known:
    if value < best or (value == best and cost == price):
      front.append(point)
      best, price = value, cost
  return front


def alike(found: Board, column: str) -> set[str]:
  """Points that a score does not tell from the best one, with it.

  Those whose intervals overlap; where one of the two has none, the other's must
  have its value in it: a mean of one seed is no surer than one of many. Of two
  without, only ties are alike.
  """
  known = {point: found.means[point, column] for point in found.points
           if (point, column) in found.means}
  if not known:
    return set()
  shown = {point: float(f'{one.mean:.4g}') for point, one in known.items()}
  best = (min if low_is_better(column) else max)(shown, key=shown.get)
  return {point for point, one in known.items() if abs(
      shown[point] - shown[best]) <= (one.half or 0) + (known[best].half or 0)}


def heads(columns) -> list[str]:
  """Names of scores, with a hash only if a name is ambiguous."""
  names = [column.partition(' (')[0] for column in columns]
  return [name if names.count(name) == 1 else column
          for name, column in zip(names, columns, strict=True)]


def absent(found: Board) -> list[str]:
  """Scores that no run has a value of, which are no columns."""
  return sorted({score.score for run in found.runs for score in run.scores
                 } - {*found.columns})


def floors(found: Board) -> dict[str, float]:
  """{score: its mean of real examples}."""
  known = {}
  for run in found.runs:
    for score in run.scores:
      if score.floor is not None:
        known.setdefault(score.score, []).append(score.floor)
  return {score: math.fsum(values) / len(values)
          for score, values in known.items()}
