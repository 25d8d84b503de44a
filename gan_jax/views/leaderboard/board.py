"""The leaderboard as Markdown and CSV, and its runs as a frame."""

import contextlib
import csv
import gc
import io
import os
from typing import TYPE_CHECKING

from gan_jax.base.errors import RequestError
from gan_jax.base.files import utf8, write_file, writing_out
from gan_jax.metrics import low_is_better
from gan_jax.views.leaderboard import ranking, store
from gan_jax.views.templates import fill

if TYPE_CHECKING:
  import pandas as pd

_SUFFIXES = ('.md', '.csv', '.tex', '.html', '.bib')
_COLUMNS = ('point', 'folder', 'seed', 'status', 'last_step', 'score', 'step',
            'value', 'floor')


def compare(patterns, *, where: str = '', sort: str = '', cost: str = '',
            out: str = '') -> str:
  """Makes the leaderboard of all runs that match the patterns, in Markdown.

  A point (configuration) is all runs whose configs differ only in the seed. Its
  score is the mean over finished runs at their last scored step, with a 95 %
  interval over seeds (Student's t). As each seed draws its own samples, their
  sampling error is in it. Points are ordered by `sort`, as `ranking.ranked`
  does; ties by the other scores. Unfinished runs are named below the table.

  Args:
    patterns: folders, or patterns such as 'runs/sweep/*'; see `store.read`.
    where: filter, such as 'loss.name=hinge,status=finished'; see `filters`.
    sort: name of a score.
    cost: 'seconds' or 'images', beside which the score is seen: names the
      points that no other point beats in both. The page has it anyway.
    out: F.md, F.csv, F.tex, F.html or F.bib to write as well.

  Raises:
    WorkdirError: no run there.
    RequestError: no such score or key, a filter that cannot be read, or `out`
      has another suffix or cannot be written.
  """
  suffix = os.path.splitext(out)[1]
  if out and suffix not in _SUFFIXES:
    raise RequestError(f'--out={out}: must end in {", ".join(_SUFFIXES[:-1])} '
                       f'or {_SUFFIXES[-1]}')
  if cost and cost not in ranking.COSTS:
    raise RequestError(f'--cost={cost}: must be {" or ".join(ranking.COSTS)}')
  with _uncollected():
    found = ranking.ranked(store.read(patterns, where), sort)
    text = _markdown(found, cost)
  if out:
    made = _made(suffix, text, found, cost, out, patterns, where)
    with writing_out(out):
      write_file(out, utf8(made).encode())
  return text


@contextlib.contextmanager
def _uncollected():
  """Without a search for circles among objects, which have none.

  With ten thousand runs it takes a sixth of the time.
  """
  was = gc.isenabled()
  gc.disable()
  try:
    yield
  finally:
    if was:
      gc.enable()


def _made(suffix, text, found, cost, out, patterns, where) -> str:
  """What goes into the file of a suffix."""
  if suffix == '.html':
    from gan_jax.views.leaderboard import page  # Here: it draws.
    return page.page(found, cost, out)
  if suffix == '.bib':
    from gan_jax.views.leaderboard import bibliography  # It needs JAX.
    return bibliography.of(store.used(patterns, where))
  return {'.csv': _csv, '.tex': _tex}.get(suffix, lambda _: text)(found)


def load(patterns) -> 'pd.DataFrame':
  """Reads run folders: a row for each run and score.

  Returns:
    point: in which config values it differs from the others, '' without config.
    folder, seed: of the run.
    repeats: whether there is a run of this point and seed already.
    status, last_step: see `store.Run`.
    score, step, value, floor: name, scored step, value, and the same score of
      real examples; None for a run without scores.

  Raises:
    WorkdirError: no run there.
  """
  import pandas as pd  # Here: it takes longer than all the rest.
  runs = store.read(patterns)
  names = ranking.points_of(runs)
  again = ranking.repeats_of(runs, names)
  return pd.DataFrame(
      [(names.get(run.folder, ''), utf8(run.folder), run.seed, run.status,
        run.last_step, *score) for run in runs
       for score in run.scores or [(None,) * 4]], columns=_COLUMNS).assign(
           repeats=lambda frame: frame.folder.isin({*map(utf8, again)}))


def _markdown(found, cost) -> str:
  columns, lines = found.columns, []
  like = ranking.alike(found, columns[0]) - {*list(found.points)[:1]} if (
      columns) else ()
  other = False  # Whether a point has scores, but not all of them.
  for point, runs in found.points.items():
    kept = [run for run in runs if run.folder not in found.repeats]
    has = {score.score for run in ranking.counted(runs, found.repeats)
           for score in run.scores}
    other |= bool(has) and not has.issuperset(columns)
    line, steps = [], []
    for column in columns:
      if not (one := found.means.get((point, column))):
        line.append('-')
        continue
      steps += one.steps
      line.append(
          f'{one.mean:.4g}'
          + (f' +- {one.half:.2g}' if one.half is not None else '')
          + (f' ({len(one.values)} runs)' if len(one.values) < len(kept)
             else '')
          + ' ~' * (point in like and column == columns[0]))
    at = ' to '.join(f'{step:,}' for step in sorted(
        {min(steps), max(steps)})) if steps else '-'
    if steps and min(steps) < (last := max(
        run.last_step for run in kept if run.status == 'finished')):
      at += f' of {last:,}'
    lines.append([point, len(kept), at, *line])
  if known := ranking.floors(found):
    lines.append(['real examples', '', '', *(
        f'{known[column]:.4g}' if column in known else '-'
        for column in columns)])
  spent = ranking.costs(found, cost) if cost else {}
  return fill(
      'leaderboard.md', heads=ranking.heads(columns), lines=lines, like=like,
      other=other, single=any(one.half is None for one in found.means.values()),
      low_is_better=low_is_better, runs=found.runs, repeats=found.repeats,
      failed=[run for run in found.runs if run.status != 'finished'],
      bare=[run for run in found.runs
            if run.status == 'finished' and not run.scores],
      null=[(run, names) for run in found.runs if (names := [
          score.score.partition(' (')[0] for score in run.scores
          if score.value is None])],
      cost=ranking.COSTS.get(cost), front=[
          (point, spent[point], found.means[point, columns[0]].mean)
          for point in ranking.pareto(found, spent)])


def _tex(found) -> str:
  """A LaTeX table of the points, for a paper."""
  columns, cells = found.columns, {}
  for column in columns:
    best = ranking.alike(found, column)
    for point in found.points:
      cells.setdefault(point, []).append(
          _number(found.means.get((point, column)), point in best))
  return fill(
      'leaderboard.tex', heads=ranking.heads(columns), columns=columns,
      known=ranking.floors(found), low_is_better=low_is_better, rows=[
          (point, len(ranking.counted(runs, found.repeats)),
           sum(run.folder not in found.repeats for run in runs),
           cells.get(point, ()))
          for point, runs in found.points.items()]) + '\n'


def _number(one, bold) -> str:
  """A mean as LaTeX, with half of its interval."""
  if not one:
    return '--'
  mean = f'{one.mean:.4g}'
  return (f'$\\mathbf{{{mean}}}' if bold else f'${mean}') + (
      f' \\pm {one.half:.2g}$' if one.half is not None else '$')


def _csv(found) -> str:
  """CSV with a line per point and score, including missing values and failures.

  `folders` and `steps` are those of the runs of the values, in their order;
  `failures` are 'folder: status' of unfinished runs; `seconds` and `images` are
  the mean cost of the finished ones.
  """
  table = io.StringIO()
  writer = csv.writer(table, lineterminator='\n')
  writer.writerow(['point', 'score', 'mean', 'half_interval', 'seeds', 'values',
                   'folders', 'failed', 'failures', 'steps', *ranking.COSTS])
  spent = [ranking.costs(found, cost) for cost in ranking.COSTS]
  rows = [(point, column) for point in found.points
          for column in [*found.columns, *ranking.absent(found)] or ['']]
  bare = [run for run in found.runs if not run.has_config]
  for point, column in rows + [('', '')] * bool(bare):
    one = found.means.get((point, column), ranking.Mean('', None, [], [], []))
    failed = [f'{run.folder}: {run.status}'
              for run in (found.points[point] if point else bare)
              if run.status != 'finished']
    writer.writerow([
        point, column, one.mean, '' if one.half is None else one.half,
        len(one.values), ' '.join(map(repr, one.values)),
        ' '.join(one.folders), len(failed), '; '.join(failed),
        ' '.join(map(str, one.steps)),
        *(known.get(point, '') for known in spent)])
  return table.getvalue()
