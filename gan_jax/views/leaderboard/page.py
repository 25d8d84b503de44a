"""The leaderboard as one HTML file that sorts and filters by itself."""

import os
import urllib.parse
from typing import NamedTuple

from gan_jax import pictures
from gan_jax.metrics import low_is_better
from gan_jax.views.leaderboard import ranking
from gan_jax.views.templates import asset, data_url, fill

_KEYS = 12  # columns of keys in which the points differ


class _Link(NamedTuple):
  """A link to a run: url from the page, its seed, folder and status."""

  url: str
  seed: str
  title: str
  finished: bool


class _Cell(NamedTuple):
  """A cell: by what it sorts, what it shows, and links to runs."""

  value: float | str | None
  text: str = ''
  links: tuple[_Link, ...] = ()


class _Head(NamedTuple):
  """A column: name, hint, whether low is better (None for neither)."""

  name: str
  hint: str = ''
  low: bool | None = None


def page(board: ranking.Board, cost: str, out: str) -> str:
  """The page of a leaderboard, with a row for each point.

  `cost`: of the Pareto front; by default seconds, or images where no point with
  a score has those. Links to the runs are from `out`, where the page will be.
  """
  for kind in [cost] if cost else ranking.COSTS:
    spent = ranking.costs(board, kind)
    front = ranking.pareto(board, spent)
    if front:
      break
  keys = sorted({key for run in board.runs for key in run.settings})
  named = len(keys) in range(1, _KEYS + 1) and all(
      ranking.point_name(run) == point
      for point, runs in board.points.items() for run in runs)
  rows = [_row(board, point, runs, keys if named else None, spent, front, out)
          for point, runs in board.points.items()]
  heads = [_Head('best', 'no other point is as good for less'),
           *(_Head(key) for key in (keys if named else ['point'])),
           _Head('runs', 'by seed; link to the report, or the folder'),
           _Head('step'),
           *(_Head(name, column, low_is_better(column)) for name, column in zip(
               ranking.heads(board.columns), board.columns, strict=True)),
           _Head(kind, f'{ranking.COSTS[kind]}, mean over the seeds', True)]
  return fill(
      'board.html', heads=heads, rows=rows, kind=ranking.COSTS[kind],
      sorted_by=len(heads) - 1 - len(board.columns), runs=board.runs,
      front=front, floors=ranking.floors(board), columns=board.columns,
      absent=ranking.heads(ranking.absent(board)),
      picture=_picture(board, spent, front, kind), left_out=[
          _link(run, out) for run in board.runs
          if run.folder in board.repeats], failed=[
              _link(run, out) for run in board.runs
              if run.status != 'finished'],
      style=asset('board.css').decode(), script=asset('board.js').decode())


def _row(board, point, runs, keys, spent, front, out) -> list[_Cell]:
  cells = [_Cell(0 if point in front else 1, '★' * (point in front))]
  cells += [_value(runs[0].settings.get(key)) for key in keys or ()]
  if keys is None:
    cells.append(_Cell(point, point))
  cells.append(_Cell(len(runs), links=tuple(_link(run, out) for run in runs)))
  known = [score.step for run in runs for score in run.scores]
  step = max(known) if known else max(run.last_step for run in runs)
  cells.append(_Cell(step, f'{step:,}'))
  played = sum(run.folder not in board.repeats for run in runs)
  for column in board.columns:
    mean = board.means.get((point, column))
    cells.append(_Cell(None) if mean is None else _Cell(
        mean.mean, f'{mean.mean:.4g}'
        + ('' if mean.half is None else f' ± {mean.half:.2g}')
        + f' ({len(mean.values)} runs)' * (len(mean.values) < played)))
  cost = spent.get(point)
  return [*cells, _Cell(cost, '' if cost is None else f'{cost:,.4g}'
                        if cost < 1e4 else f'{cost:,.0f}')]


def _value(value) -> _Cell:
  if isinstance(value, int | float) and not isinstance(value, bool):
    return _Cell(value, f'{value:.6g}')
  return _Cell(None) if value is None else _Cell(str(value), str(value))


def _link(run, out) -> _Link:
  path = os.path.join(run.folder, 'report', 'index.html')
  if not os.path.exists(path):
    path = os.path.join(run.folder, '')
  url = os.path.relpath(path, os.path.dirname(out) or '.')
  finished = run.status == 'finished'
  return _Link(
      urllib.parse.quote(os.fsencode(url)) + '/' * path.endswith(os.sep),
      run.folder if run.seed is None else str(run.seed),
      run.folder if finished else f'{run.folder}: {run.status}', finished)


def _picture(board, spent, front, kind) -> str:
  """The scatter plot of score and cost as a data URL, '' without a front."""
  if not front:
    return ''
  first = board.columns[0]
  points = [point for point in spent if (point, first) in board.means]
  return data_url(pictures.png(pictures.pareto(
      [spent[point] for point in points],
      [board.means[point, first].mean for point in points],
      [point in front for point in points], cost=ranking.COSTS[kind],
      score=ranking.heads(board.columns)[0], floor=ranking.floors(board).get(
          first), low=low_is_better(first))))
