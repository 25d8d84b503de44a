"""What a search found: text, and the page WORKDIR/report/index.html."""

import contextlib
import os
import shlex
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from gan_jax import pictures
from gan_jax.base.errors import WorkdirError
from gan_jax.base.files import unwritten, write_file
from gan_jax.metrics import low_is_better
from gan_jax.studies.search.batches import curves_of, folders_of
from gan_jax.studies.search.plan import Plan
from gan_jax.studies.search.pruning import WARM_UP, foresight
from gan_jax.studies.search.space import arguments
from gan_jax.studies.statistics import interval
from gan_jax.views import report
from gan_jax.views.templates import asset, fill

_TOP = 5  # trials in the table
_AGAIN, _SEEDS = 3, 3  # trials that are worth repeating, with how many seeds
_FEWEST = 8  # trials whose importances say anything
_RESAMPLED = 20


class Row(NamedTuple):
  """A trial.

  number: in the study.
  state: complete, pruned, fail, running.
  value: of a complete one, the mean over its seeds; None of others.
  half: of its 95 % interval over seeds (Student's t), None of one seed.
  texts: {key: text} of its point.
  step, train_steps: of its last score, and of a whole trial; 0 if unknown.
  reason: of a failed one.
  folders: of its runs.
  """

  number: int
  state: str
  value: float | None
  half: float | None
  texts: dict
  step: int
  train_steps: int
  reason: str
  folders: list[str]


def write(study: Any, plan: Plan, folder: str) -> str:
  """Writes the page; returns what was found as text.

  Raises:
    WorkdirError: it cannot be written.
  """
  rows = rows_of(study, plan, folder)
  low = low_is_better(plan.score)
  best = sorted((row for row in rows if row.state == 'complete'),
                key=lambda row: row.value if low else -row.value)
  found = {
      'score': plan.score, 'low': low, 'rows': rows, 'best': best[:_TOP],
      'counts': {state: sum(row.state == state for row in rows) for state in (
          'complete', 'pruned', 'fail', 'running')},
      'complete': len(best), 'keys': list(plan.space.axes),
      'seeds': max(1, len(plan.space.seeds)), 'steps': _steps(rows),
      'importances': importances(study) if len(best) >= _FEWEST else {},
      'foresight': foresight(curves_of(study, plan), plan.train_steps),
      'train': shlex.join([
          'python', '-m', 'gan_jax.main',
          *arguments(plan.given, best[0].texts)]) if best else '',
      'again': [_again(plan, folder, row.texts) for row in best[:_AGAIN]],
      'compare': shlex.join(['python', '-m', 'gan_jax.main', '--mode=compare',
                             os.path.join(folder, 'again', '*')]),
      'page': os.path.join(folder, 'report', 'index.html')}
  try:
    _write_page(found, plan, best, folder)
  except OSError as e:
    raise WorkdirError(f'{found["page"]}: cannot write it: '
                       f'{unwritten(found["page"], e)}; then rerun the '
                       'command') from e
  return fill('search.txt', **found)


def rows_of(study, plan: Plan, folder: str) -> list[Row]:
  """All trials of a study, in their order."""
  rows = []
  for trial in study.get_trials(deepcopy=False):
    values = trial.user_attrs.get('values', [])
    complete = trial.state.name == 'COMPLETE'
    half = interval(values).half if complete and len(values) > 1 else None
    rows.append(Row(
        trial.number, trial.state.name.lower(),
        trial.value if complete else None, half,
        plan.space.texts(trial.params),
        max(trial.intermediate_values, default=0),
        trial.user_attrs.get('train_steps', 0),
        trial.user_attrs.get('reason', ''),
        folders_of(folder, trial.number, plan.space.seeds)))
  return rows


def importances(study) -> dict[str, tuple[float, float, float]]:
  """{key: (share, low, high)} of complete trials, the largest first.

  Functional ANOVA (Hutter et al. 2014): the share of the variance of the score
  that a key explains alone, by a random forest. low to high has 80 % of the
  shares that resampled trials give. {} if all scores are the same.
  """
  import optuna
  from optuna.importance import FanovaImportanceEvaluator, get_param_importances
  judge = FanovaImportanceEvaluator(n_trees=32, seed=0)
  trials = [t for t in study.get_trials(deepcopy=False)
            if t.state.name == 'COMPLETE']
  if len({t.value for t in trials}) < 2:
    return {}
  found = get_param_importances(study, evaluator=judge)
  rng, drawn = np.random.default_rng(0), [found]
  for _ in range(_RESAMPLED):
    other = optuna.create_study(direction=study.direction)
    other.add_trials([trials[i] for i in rng.integers(0, len(trials),
                                                      len(trials))])
    # Raised if the scores that were drawn are equal.
    with contextlib.suppress(RuntimeError):
      drawn.append(get_param_importances(other, evaluator=judge))
  return {key: (float(value), *np.quantile([each.get(key, 0) for each in drawn],
                                           (0.1, 0.9)).tolist())
          for key, value in found.items()}


def _steps(rows) -> dict[str, int]:
  """Steps of all trials: played, and saved by stopping some early."""
  pruned = [row for row in rows if row.state == 'pruned']
  return {'played': sum(row.step for row in rows),
          'saved': sum(row.train_steps - row.step for row in pruned)}


def _again(plan, folder, texts) -> str:
  """The command that plays a point with seeds that were not used."""
  used = plan.space.seeds or (plan.config['seed'],)
  seeds = ','.join(str((max(used) + 1 + i) % 2**32) for i in range(_SEEDS))
  return shlex.join([
      'experiments/sweep.sh', f'--out={os.path.join(folder, "again")}',
      *plan.given, *(f'{key}={text}' for key, text in texts.items()),
      f'seed={seeds}'])


def _write_page(found: Mapping, plan, best, folder) -> None:
  out = os.path.dirname(found['page'])
  drawn = dict(_drawn(found, plan, best)) if best else {}
  for name, pixels in drawn.items():
    write_file(os.path.join(out, name), pictures.png(pixels))
  write_file(os.path.join(out, 'report.css'), asset('report.css'))
  top = [each for row in best[:_TOP] for each in row.folders]
  if len(top) > 1:
    report.overlay(top, out=os.path.join(out, 'best'))
  write_file(found['page'], fill(
      'search.html', **found, overlaid=len(top) > 1,
      pictures={name: pixels.shape for name, pixels in drawn.items()},
      name=os.path.basename(os.path.abspath(folder)), warm_up=WARM_UP,
      link=lambda path: os.path.relpath(path, out)).encode())


def _drawn(found, plan, best):
  """Yields (file, pixels) of the page."""
  score, axes = plan.score, plan.space.axes
  done = sorted(best, key=lambda row: row.number)
  values = np.array([row.value for row in done])
  aside = {name: numbers for name, state in (
      ('stopped early', 'pruned'), ('failed', 'fail')) if (
          numbers := [row.number for row in found['rows']
                      if row.state == state])}
  yield 'history.png', pictures.history(
      [row.number for row in done], values, aside, low=found['low'],
      score=score)
  if found['importances']:
    yield 'importances.png', pictures.importances(found['importances'])
  columns = {key: [row.texts[key] if axis.values else float(row.texts[key])
                   for row in done] for key, axis in axes.items()}
  logs = [axis.log for axis in axes.values()]
  yield 'slices.png', pictures.slices(columns, logs, values, score=score)
  # The two that matter most.
  if len(two := list(found['importances'])[:2]) == 2:
    yield 'pair.png', pictures.pair(
        {key: columns[key] for key in two}, [axes[key].log for key in two],
        values, low=found['low'], score=score)
  if found['foresight']:
    yield 'foresight.png', pictures.foresight(
        found['foresight'], first=WARM_UP * plan.train_steps)
