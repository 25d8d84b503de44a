"""--mode=compare: the leaderboard of runs, with means over seeds."""

import glob
import json
import os

import pandas as pd
from scipy import stats

from gan_jax.base.errors import RequestError, WorkdirError
from gan_jax.base.files import read_rows, write_file
from gan_jax.config import fields
from gan_jax.evaluators.score import digest
from gan_jax.metrics.direction import low_is_better
from gan_jax.run import files, status

# What cannot change the game makes no other point of a run: when it is looked
# at and by whom, as evaluators see a copy of the average only. A watchdog that
# goes back or stops does change it.
_ASIDE = ('seed', 'log_every', 'sample_every', 'sample_grid', 'eval_every',
          'evaluators', 'best_metric', 'checkpoint_every', 'keep_checkpoints')
_LONG = 100  # characters of a point's name
_COLUMNS = ('point', 'folder', 'seed', 'status', 'last_step', 'score', 'step',
            'value', 'floor')


def compare(patterns, *, sort: str = '', out: str = '') -> str:
  """The leaderboard of all runs that the patterns match.

  A point is all runs whose configs differ in their seed only. A score is that
  of the last scored step, its mean that of the finished runs, one for each
  seed, with a 95 % interval over seeds (Student's t), which says nothing of
  the sample of one run. Points are ordered by `sort`, or by their first score,
  and where they are equal by the other scores. Runs that are not finished are
  named below the table.

  Args:
    patterns: folders, or patterns of them such as 'runs/sweep/*'.
    sort: name of a score.
    out: F.md or F.csv to write, beside what is returned.

  Returns:
    A table in Markdown.

  Raises:
    WorkdirError: no run there.
    RequestError: no such score, or no such kind of file.
  """
  if os.path.splitext(out)[1] not in ('', '.md', '.csv'):
    raise RequestError(f'--out={out}: must end in .md or .csv')
  frame = load(patterns)
  columns = frame.score.dropna().unique().tolist()
  # The digest of what made a score may be left out where there is only one.
  known = [c for c in columns if sort in (c, c.partition(' (')[0])]
  sort = known[0] if len(known) == 1 else sort
  if sort and sort not in columns:
    raise RequestError(f'--sort={sort}: no such score; there are '
                       f'{", ".join(columns) or "none"}')
  columns.sort(key=lambda column: column != sort)
  means = _means(frame)
  # Lower is better, and what looks the same in the table is the same.
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
  """What the folders of runs hold, a row for each run and score.

  Returns:
    point: what its config differs in from the others, '' for no config.
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
  # A folder may be named penalties[0].weight=1, which is a pattern too.
  found = sorted(path for pattern in patterns for path in (
      [pattern] if os.path.isdir(pattern) else glob.glob(pattern)))
  configs, rows = {}, []
  for folder in dict.fromkeys(found):
    try:
      with open(os.path.join(folder, 'config.json')) as file:
        configs[folder] = fields.flat(json.load(file))
    except OSError:
      # log.txt alone: a sweep started a run there, which got no further.
      if os.path.exists(os.path.join(folder, 'log.txt')):
        rows.append({'folder': folder, 'status': 'never started'})
      continue
    progress = status.read(folder)
    rows += [{'folder': folder, 'seed': configs[folder].get('seed'),
              'status': _status(folder, progress), 'last_step': progress.step,
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


def _scores(folder) -> list[dict]:
  """The scores of the last scored step.

  Scores of one name whose extractors or data differ get columns of their own.
  """
  rows = [row for _, row in read_rows(os.path.join(folder, 'scores.jsonl'))
          if row]
  last, found = max((row['step'] for row in rows), default=0), []
  for row in rows:
    if row['step'] == last:
      how = row.get('protocol', {})
      what = digest([how.get(key) for key in (
          'extractor_sha256', 'data_fingerprint', 'num_real', 'num_test',
          'weights')])
      found.append({'score': f'{row["name"]} ({what[:6]})', 'step': last,
                    'value': row['value'], 'floor': row.get('floor')})
  return found


def _points(configs) -> dict[str, str]:
  """{folder: name of its point}, the settings in which points differ."""
  groups = {}
  for folder, config in configs.items():
    own = {key: value for key, value in config.items()
           if key.split('.')[0].split('[')[0] not in _ASIDE}
    groups.setdefault(digest(own), (own, []))[1].append(folder)
  kinds = [config for config, _ in groups.values()]
  differing = [key for key in sorted({key for kind in kinds for key in kind})
               if len({repr(kind.get(key)) for kind in kinds}) > 1]
  names = [', '.join(f'{key}={kind[key]}' for key in differing if key in kind)
           or os.path.basename(folders[0]) for kind, folders in groups.values()]
  places = [_shared_folder(folders) for _, folders in groups.values()]
  if max(map(len, names), default=0) > _LONG and (
      len(set(places)) == len(places)):
    names = places  # Other recipes, that differ in too much to be named by it.
  return {folder: name for name, (_, folders) in zip(
      names, groups.values(), strict=True) for folder in folders}


def _shared_folder(folders):
  """The name of the folder that the seeds of a point share."""
  path = os.path.commonpath(list(map(os.path.abspath, folders)))
  if os.path.basename(path).startswith('seed='):
    path = os.path.dirname(path)
  return os.path.basename(path)


def _means(frame) -> pd.DataFrame:
  """By (point, score): mean, half of its interval, and what they are of.

  Only of runs that are finished: others would be of another length.
  """
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
  """A line for each point and one for real examples, and who is missing."""
  names = [column.partition(' (')[0] for column in columns]
  # With the digest only where one name stands for two.
  heads = [name if names.count(name) == 1 else column
           for name, column in zip(names, columns, strict=True)]
  runs = frame.drop_duplicates('folder')
  best, lines = None, []
  for point in points:
    seeds = (~runs.repeats & (runs.point == point)).sum()
    line, steps = [point, str(seeds)], set()
    for column in columns:
      if (point, column) not in means.index:
        line.append('-')
        continue
      one = means.loc[point, column]
      steps.update(map(int, one.steps.split()))
      line.append(f'{one["mean"]:.4g}'
                  + (f' +- {one.half:.2g}' if one.seeds > 1 else '')
                  + (f' ({one.seeds} runs)' if one.seeds < seeds else ''))
      if column == columns[0]:
        if best is not None and (abs(one['mean'] - best['mean'])
                                 <= one.half + best.half):
          line[-1] += ' ~'
        best = one if best is None else best
    line.insert(2, ' to '.join(f'{step:,}' for step in sorted(
        {min(steps), max(steps)})) if steps else '-')
    lines.append(line)
  floors = frame.groupby('score').floor.mean().reindex(columns)
  if floors.notna().any():
    lines.append(['real examples', '', '', *(
        '-' if pd.isna(floor) else f'{floor:.4g}' for floor in floors)])
  lines = [['point', 'seeds', 'step', *heads], ['---'] * (3 + len(heads)),
           *lines]
  return '\n'.join([*('| ' + ' | '.join(line) + ' |' for line in lines), '',
                    *_notes(runs, columns, heads, means, lines)])


def _notes(runs, columns, heads, means, lines) -> list[str]:
  """What the table is sorted by, what its marks mean, and who is missing."""
  notes = []
  if columns:
    first, *others = (f'{head} ({"lower" if low_is_better(head) else "higher"} '
                      'is better)' for head in heads)
    notes.append(f'Sorted by {first}' + (
        f', then by {", ".join(others)}' if others else ''))
  if any(line[-len(columns)].endswith('~') for line in lines if columns):
    notes.append('~ its 95 % interval overlaps that of the best point: these '
                 'seeds do not tell them apart')
  if (means.seeds < 2).any():
    notes.append('A point of one seed has no interval: nothing says whether it '
                 'differs from the others')
  failed = runs[runs.status != 'finished']
  notes += ['', f'{len(runs)} runs, {len(failed)} of them not finished'
            + ':' * bool(len(failed))]
  notes += [f'* {run.folder}: {run.status}' for run in failed.itertuples()]
  notes += [f'* {run.folder}: left out, its seed {run.seed:.0f} is there '
            'already' for run in runs[runs.repeats].itertuples()]
  notes += [f'* {run.folder}: scored at step {run.step:,.0f} of '
            f'{run.last_step:,.0f}; --mode=evaluate --workdir={run.folder} '
            'scores the others'
            for run in runs[runs.step < runs.last_step].itertuples()]
  return notes


def _csv(frame, points, columns, means) -> str:
  """A line for each point and score, without values too, and who failed.

  `folders` and `steps` are those of the runs that the values are of, in their
  order; `failures` are 'folder: status' of runs that are not finished.
  """
  failed = frame[frame.status != 'finished'].drop_duplicates('folder')
  failed = (failed.folder + ': ' + failed.status).groupby(failed.point).agg(
      failed='size', failures='; '.join)
  index = [(point, column) for point in points for column in columns or ['']]
  if '' in failed.index:  # Of no point: they have no config.
    index.append(('', ''))
  table = means.reindex(pd.MultiIndex.from_tuples(
      index, names=['point', 'score'])).reset_index().join(failed, on='point')
  return table.rename(columns={'half': 'half_interval'}).fillna(
      {'seeds': 0, 'failed': 0}).astype({'seeds': int, 'failed': int})[[
          'point', 'score', 'mean', 'half_interval', 'seeds', 'values',
          'folders', 'failed', 'failures', 'steps']].to_csv(index=False)
