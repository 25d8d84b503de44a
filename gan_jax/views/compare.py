"""--mode=compare: leaderboard of runs, with means over seeds."""

import glob
import os

import pandas as pd
from scipy import stats

from gan_jax.base.errors import RequestError, WorkdirError
from gan_jax.base.files import read_rows, write_file
from gan_jax.config import fields
from gan_jax.evaluators.score import short_hash
from gan_jax.metrics import low_is_better
from gan_jax.run import files, lock, status
from gan_jax.views.templates import fill

# Keys that do not affect training, and so make no other point. The watchdog is
# not among them: it may roll back or stop.
_ASIDE = ('seed', 'log_every', 'sample_every', 'sample_grid', 'eval_every',
          'evaluators', 'loggers', 'best_metric', 'checkpoint_every',
          'keep_checkpoints')
_LONG = 100  # characters of a point's name
_COLUMNS = ('point', 'folder', 'seed', 'status', 'last_step', 'score', 'step',
            'value', 'floor')


def compare(patterns, *, sort: str = '', out: str = '') -> str:
  """Makes the leaderboard of all runs that match the patterns, in Markdown.

  A point (configuration) is all runs whose configs differ only in the seed. Its
  score is the mean over finished runs at their last scored step, with a 95 %
  interval over seeds (Student's t), which excludes sampling error. Points are
  ordered by `sort`, or by their first score; ties by the other scores.
  Unfinished runs are named below the table.

  Args:
    patterns: folders, or patterns such as 'runs/sweep/*'.
    sort: name of a score.
    out: F.md or F.csv to write as well.

  Raises:
    WorkdirError: no run there.
    RequestError: no such score, or another suffix.
  """
  if os.path.splitext(out)[1] not in ('', '.md', '.csv'):
    raise RequestError(f'--out={out}: must end in .md or .csv')
  frame = load(patterns)
  columns = frame.score.dropna().unique().tolist()
  # The name may be given without the hash, if unique.
  known = [c for c in columns if sort in (c, c.partition(' (')[0])]
  sort = known[0] if len(known) == 1 else sort
  if sort and sort not in columns:
    raise RequestError(f'--sort={sort}: no such score; there are '
                       f'{", ".join(columns) or "none"}')
  columns.sort(key=lambda column: column != sort)
  means = _means(frame)
  # Sorts ascending; numbers that print alike are ties.
  ranks = means['mean'].map('{:.4g}'.format).astype(float).unstack().reindex(
      index=frame.point[frame.point != ''].unique(), columns=columns) * [
          1 if low_is_better(column) else -1 for column in columns]
  if columns:
    ranks = ranks.sort_values(columns, kind='stable')
  text = _markdown(frame, ranks.index, columns, means)
  if out:
    write_file(out, (_csv(frame, ranks.index, columns, means) if out.endswith(
        '.csv') else text).encode())
  return text


def load(patterns) -> pd.DataFrame:
  """Reads run folders: a row for each run and score.

  Returns:
    point: in which config values it differs from the others, '' without config.
    folder, seed: of the run.
    repeats: whether there is a run of this point and seed already.
    status: 'finished', 'running', 'stopped at step 300 of 1000', 'not finite',
      'never started'.
    last_step: of its newest checkpoint.
    score, step, value, floor: name, scored step, value, and the same score of
      real examples; None for a run without scores.

  Raises:
    WorkdirError: no run there.
  """
  configs, rows = {}, []
  for folder in find(patterns):
    try:
      config = files.read_json(folder, 'config.json')
    except OSError:
      config = {}
    if not config:
      # Only log.txt: a run of a sweep that failed at its start.
      if os.path.exists(os.path.join(folder, 'log.txt')):
        rows.append({'folder': folder, 'status': 'never started'})
      continue
    configs[folder] = fields.flat(config)
    progress = status.read(folder)
    rows += [{'folder': folder, 'seed': configs[folder].get('seed'),
              'status': state(folder, progress), 'last_step': progress.step,
              **score} for score in _scores(folder) or [{}]]
  if not rows:
    raise WorkdirError(f'no run in {", ".join(patterns) or "no folder"}: give '
                       "the folders of runs, for example 'runs/sweep/*'")
  names = _points(configs)
  frame = pd.DataFrame([row | {'point': names.get(row['folder'], '')}
                        for row in rows], columns=_COLUMNS)
  runs = frame[frame.point != ''].drop_duplicates('folder').sort_values(
      'status', key=lambda found: found != 'finished', kind='stable')
  again = runs.folder[runs.duplicated(['point', 'seed'])]
  return frame.assign(repeats=frame.folder.isin(again))


def find(patterns) -> list[str]:
  """Paths that match the patterns, sorted, each once."""
  # A folder may be named penalties[0].weight=1, which is a pattern too.
  return list(dict.fromkeys(sorted(path for pattern in patterns for path in (
      [pattern] if os.path.isdir(pattern) else glob.glob(pattern)))))


def state(folder: str, progress: status.Progress) -> str:
  """Status of a run in words, see `load`."""
  if lock.is_held(folder):
    return 'running'
  if progress.finished:  # nonfinite.json may be left from before.
    return 'finished'
  if os.path.exists(os.path.join(folder, 'nonfinite.json')):
    return 'not finite'
  if not progress.train_steps:
    return 'never started'
  return f'stopped at step {progress.step} of {progress.train_steps}'


def _scores(folder) -> list[dict]:
  """Scores of the last scored step.

  Equal names with different extractors or data get columns of their own.
  """
  rows = [row for _, row in read_rows(os.path.join(folder, 'scores.jsonl'))
          if row]
  last, found = max((row['step'] for row in rows), default=0), []
  for row in rows:
    if row['step'] == last:
      how = row.get('protocol', {})
      what = short_hash([how.get(key) for key in (
          'extractor_sha256', 'data_fingerprint', 'num_real', 'num_test',
          'weights')])
      found.append({'score': f'{row["name"]} ({what[:6]})', 'step': last,
                    'value': row['value'], 'floor': row.get('floor')})
  return found


def _points(configs) -> dict[str, str]:
  """{folder: name of its point}, the config values in which points differ."""
  kinds = {folder: {key: value for key, value in config.items()
                    if key.split('.')[0].split('[')[0] not in _ASIDE}
           for folder, config in configs.items()}
  differing = [key for key in sorted(set().union(*kinds.values())) if len(
      {repr(kind.get(key)) for kind in kinds.values()}) > 1]
  names, groups = {}, {}
  for folder, kind in kinds.items():
    names[folder] = ', '.join(f'{key}={kind[key]}' for key in differing
                              if key in kind)
    groups.setdefault(names[folder], []).append(folder)
  places = {name: _shared_folder(folders) for name, folders in groups.items()}
  # Too many differences for a name, or none.
  if max(map(len, groups), default=0) > _LONG and (
      len(set(places.values())) == len(places)):
    return {folder: places[name] for folder, name in names.items()}
  return {folder: name or os.path.basename(groups[name][0])
          for folder, name in names.items()}


def _shared_folder(folders):
  path = os.path.commonpath(list(map(os.path.abspath, folders)))
  if os.path.basename(path).startswith('seed='):
    path = os.path.dirname(path)
  return os.path.basename(path)


def _means(frame) -> pd.DataFrame:
  """Mean, half interval and runs by (point, score), of finished runs only."""
  counted = frame[~frame.repeats & (frame.status == 'finished')
                  & frame.value.notna()]
  means = counted.groupby(['point', 'score'], sort=False).agg(
      mean=('value', 'mean'), half=('value', 'sem'), seeds=('value', 'size'),
      values=('value', lambda found: ' '.join(map(repr, found.tolist()))),
      folders=('folder', ' '.join),
      steps=('step', lambda found: ' '.join(f'{step:.0f}' for step in found)))
  means['half'] *= stats.t.ppf(0.975, means.seeds - 1)
  return means


def _markdown(frame, points, columns, means) -> str:
  names = [column.partition(' (')[0] for column in columns]
  # A hash only if a name is ambiguous.
  heads = [name if names.count(name) == 1 else column
           for name, column in zip(names, columns, strict=True)]
  runs = frame.drop_duplicates('folder')
  kept = runs[~runs.repeats & (runs.point != '')]
  seeds = kept.groupby('point').size()
  last = kept[kept.status == 'finished'].groupby('point').last_step.max()
  # Points that do not differ significantly from the best one.
  first = means[means.index.isin(columns[:1], 'score')].droplevel('score')
  best = first.reindex(points)[:1].squeeze()
  like = set(first.index[(first['mean'] - best['mean']).abs()
                         <= first.half + best.half]) - set(points[:1])
  lines = []
  for point in points:
    line, steps = [], []
    for column in columns:
      if (point, column) not in means.index:
        line.append('-')
        continue
      one = means.loc[point, column]
      steps += map(int, one.steps.split())
      line.append(
          f'{one["mean"]:.4g}'
          + (f' +- {one.half:.2g}' if one.seeds > 1 else '')
          + (f' ({one.seeds} runs)' if one.seeds < seeds[point] else '')
          + ' ~' * (point in like and column == columns[0]))
    at = ' to '.join(f'{step:,}' for step in sorted(
        {min(steps), max(steps)})) if steps else '-'
    if steps and min(steps) < last[point]:
      at += f' of {last[point]:,.0f}'
    lines.append([point, seeds[point], at, *line])
  floors = frame.groupby('score').floor.mean().dropna()
  if len(floors):
    lines.append(['real examples', '', '', *(
        f'{floors[column]:.4g}' if column in floors else '-'
        for column in columns)])
  return fill('leaderboard.md', heads=heads, lines=lines, like=like,
              single=(means.seeds < 2).any(), low_is_better=low_is_better,
              runs=list(runs.itertuples()),
              failed=list(runs[runs.status != 'finished'].itertuples()))


def _csv(frame, points, columns, means) -> str:
  """CSV with a line per point and score, including missing values and failures.

  `folders` and `steps` are those of the runs of the values, in their order;
  `failures` are 'folder: status' of unfinished runs.
  """
  failed = frame[frame.status != 'finished'].drop_duplicates('folder')
  failed = (failed.folder + ': ' + failed.status).groupby(failed.point).agg(
      failed='size', failures='; '.join)
  index = [(point, column) for point in points for column in columns or ['']]
  if '' in failed.index:  # Runs without a config.
    index.append(('', ''))
  table = means.reindex(pd.MultiIndex.from_tuples(
      index, names=['point', 'score'])).reset_index().join(failed, on='point')
  return table.rename(columns={'half': 'half_interval'}).fillna(
      {'seeds': 0, 'failed': 0}).astype({'seeds': int, 'failed': int})[[
          'point', 'score', 'mean', 'half_interval', 'seeds', 'values',
          'folders', 'failed', 'failures', 'steps']].to_csv(index=False)
