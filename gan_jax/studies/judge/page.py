"""The verdict of a study as a page, Markdown and JSON."""

import collections
import glob
import json
import math
import os
from typing import NamedTuple

import numpy as np

from gan_jax import pictures
from gan_jax.base.files import write_file
from gan_jax.metrics import low_is_better
from gan_jax.studies import statistics, trials
from gan_jax.studies.judge import tasks, verdict
from gan_jax.studies.judge.study import MEASURE, TEST, TUNE, Study
from gan_jax.studies.judge.tasks import BASELINES, TASKS, TITLES
from gan_jax.views.templates import data_url, fill

_COLOURS = {'better': '#009E73', 'worse': '#D55E00', 'cannot tell': '#777777'}

# (what, how) of the protocol, for `_protocol`.
_PROTOCOL = (
    ('Games', 'The idea: {idea} in the plain game of each task, non-saturating '
     'without a penalty. Baselines: {baselines}. All games of a task have the '
     'same networks, but for what they say themselves, the same batches, '
     'optimisers and number of steps.'),
    ('Tuned, for each game alike', 'four points (as given, both rates / 3, '
     'both rates x 3, and the weights of its penalties / 10, or both rates / '
     '10 if it has none), with the seeds {tuning}. The best mean is chosen, '
     'but the game as given if it is within two standard errors of it. Nothing '
     'else was tuned for anybody.'),
    ('Tested', 'with the other seeds {first} to {last}, the same in each game. '
     'A difference is paired: the run of the idea with a seed minus that of '
     'the baseline with the same seed. Distances are compared by their '
     'logarithms, so that a difference is a factor.'),
    ('Told', "by a paired t test with Holm's correction for all {count} "
     'comparisons of this page, at {level:.0%} together. What does not pass '
     'is called "cannot tell", and nothing is ranked. Intervals are of 95 % '
     'each, not corrected, so one may lie beside the line without being told. '
     "The chance that the idea is better is that of Student's t around the "
     'measured mean. The seeds that would tell are for 80 % power, if the true '
     'difference and spread are those measured here.'),
    ('Failed', 'runs that became non-finite have no score and take the worst '
     'of all runs of the task, tuning included. Those that the watchdog calls '
     'collapsed keep their score.'),
    ('Beware', 'these are short runs of small networks: what learns fast is '
     'favoured.'))


class Game(NamedTuple):
  """A game of a task as the page shows it.

  score: mean and interval over seeds, in the score's own unit.
  losses: [S], see `verdict`; filled where runs failed.
  effect: the idea beside it, in words; '' of the idea itself.
  """

  name: str
  title: str
  score: statistics.Interval
  losses: list
  difference: verdict.Difference | None
  effect: str
  others: dict
  failures: str
  findings: str
  gradients: dict
  milliseconds: float
  relative: float
  chosen: str
  tried: list
  sample: str
  command: str


class Judged(NamedTuple):
  """A task that was played to its end.

  lower: whether lower scores are better.
  factor: whether differences are of their logarithms.
  """

  name: str
  what: str
  unit: str
  lower: bool
  factor: bool
  steps: int
  games: list[Game]


def write(study: Study, seconds: float) -> str:
  """Writes verdict.html, verdict.md and verdict.json; returns the text.

  Of the stages that have been played; `seconds`: wall time of this launch.
  """
  left_out = dict(study.plan['left_out']) | study.steps().get('cut', {})
  results = {}
  for name in study.plan['played']:
    found, why = _results(study, name)
    if found:
      results[name] = found
    else:
      left_out.setdefault(name, why)
  losses = {name: _losses(TASKS[name].score, found)
            for name, found in results.items()}
  found = verdict.differences(losses)
  judged = [_judged(study, name, results[name], losses[name],
                    [d for d in found if d.task == name]) for name in results]
  sentences = [verdict.sentence(TITLES[game], mine) for game in BASELINES
               if (mine := [d for d in found if d.baseline == game])]
  values = {
      'plan': study.plan, 'judged': judged, 'sentences': sentences,
      'left_out': left_out, 'seconds': seconds,
      'protocol': _protocol(study.plan, len(found)),
      'dropped': [f'{TITLES[game]} on {name}' for name in results
                  for game in BASELINES if game not in results[name]]}
  text = fill('verdict.md', **values, forest='forest.png' if found else '')
  files = {'verdict.md': text + '\n', 'verdict.json': json.dumps({
      'idea': study.plan['idea'], 'arguments': study.plan['arguments'],
      'sentences': sentences, 'left_out': left_out, 'seconds': seconds,
      'differences': [d._asdict() for d in found],
      'losses': losses, 'results': results}, indent=1) + '\n'}
  if found:
    forest = pictures.png(_forest(judged))
    write_file(study.path('forest.png'), forest)
    values['forest'] = data_url(forest)
  files['verdict.html'] = fill('verdict.html', **values) + '\n'
  for name, content in files.items():
    write_file(study.path(name), content.encode())
  return '\n'.join([*(sentences or ['No verdict: no task was played to its '
                                    'end.']),
                    *(f'{name} is left out: {why}'
                      for name, why in left_out.items()),
                    f'in {study.path("verdict.html")}'])


def _protocol(plan, count) -> list[tuple[str, str]]:
  return [(what, how.format(
      idea=plan['arguments'], tuning=' and '.join(map(str, plan[
          'tuning_seeds'])), first=plan['seeds'][0], last=plan['seeds'][-1],
      count=count, level=verdict.LEVEL, baselines='; '.join(
          f'{TITLES[game]} ({arguments})' for game, arguments in
          BASELINES.items()))) for what, how in _PROTOCOL]


def _results(study, name):
  """({game: {stage: result}} of those played to the end, '' or why none)."""
  played = {game: {stage: study.result(name, game, stage)
                   for stage in (TUNE, TEST)} for game in study.plan['games']}
  error = next((r['error'] for r in (
      study.result(name, 'idea', stage) for stage in (MEASURE, TUNE, TEST))
                if r and 'error' in r), '')
  if error:
    return None, f'the idea cannot be played: {error}'
  done = {game: stages for game, stages in played.items()
          if all(r and 'error' not in r for r in stages.values())}
  if not all(r for stages in played.values() for r in stages.values()):
    return None, ('the time was over before its games were played; the same '
                  'command goes on')
  values = _values(TASKS[name].score, done).values()
  if len(done) < 2 or not any(np.isfinite(v).any() for v in values):
    return None, 'no baseline could be played there'
  return done, ''


def _losses(score, results) -> dict[str, list]:
  """{game: [S]} of the test, the task's worst in place of what failed."""
  parts = _values(score, results)
  # Together, so that all are logarithms or none.
  turned = trials.losses_of(score, np.concatenate(list(parts.values())))
  split = dict(zip(parts, np.split(
      turned, np.cumsum([len(part) for part in parts.values()])[:-1]),
                   strict=True))
  return verdict.filled({game: split[game, TEST].tolist() for game in results},
                        float(np.nanmax(turned)))


def _values(score, results) -> dict[tuple, np.ndarray]:
  """{(game, stage): scores of its runs, NaN of those that failed}."""
  return {(game, stage): np.array(r['scores'][score], float)
          for game, stages in results.items() for stage, r in stages.items()}


def _judged(study, name, results, losses, found) -> Judged:
  task, by = TASKS[name], {d.baseline: d for d in found}
  steps = study.steps()['steps'][name]
  own = results['non_saturating' if 'non_saturating' in results else 'idea']
  factor = trials.is_log(task.score, np.concatenate(list(
      _values(task.score, results).values())))
  games = []
  for game, stages in results.items():
    test, tune, difference = stages[TEST], stages[TUNE], by.get(game)
    shown = np.array(losses[game])
    shown = np.exp(shown) if factor else (
        shown if low_is_better(task.score) else -shown)
    point = tune['points'][tune['chosen']]
    games.append(Game(
        game, TITLES.get(game, study.plan['idea']), statistics.interval(shown),
        losses[game], difference,
        difference and _effect(difference, factor, task.score),
        {other: _mean(values) for other, values in test['scores'].items()
         if other != task.score},
        _counted(test['failed'], len(test['failed'])),
        _counted([f for row in test['findings'] for f in row], len(
            test['failed'])),
        {player: _mean(values) for player, values in test['gradients'].items()},
        1000 * _cost(stages), _cost(stages) / max(1e-12, _cost(own)),
        tune['words'][tune['chosen']],
        [(words, _mean(values)) for words, values in zip(
            tune['words'], np.array(tune['scores'][task.score], object).reshape(
                len(tune['points']), -1), strict=True)],
        _sample(study.path(name, game, TEST, 'member_0')),
        tasks.command(task, study.plan['games'][game], point | {
            'train_steps': steps, 'seed': study.plan['seeds'][0]})))
  return Judged(name, task.what, task.unit, low_is_better(task.score), factor,
                steps, games)


def _effect(difference, factor, score) -> str:
  """The idea beside a baseline in the score's own unit, in words."""
  numbers = difference.mean, difference.low, difference.high
  if factor:
    mean, low, high = map(math.exp, numbers)
    return f'x {mean:.3g} [{low:.3g}, {high:.3g}]'
  if not low_is_better(score):
    numbers = -numbers[0], -numbers[2], -numbers[1]
  mean, low, high = (0.0 + number for number in numbers)  # no -0
  return f'{mean:+.3g} [{low:+.3g}, {high:+.3g}]'


def _mean(values) -> float | None:
  """Mean of those that are there."""
  known = [v for v in values if v is not None]
  return float(np.mean(known)) if known else None


def _cost(stages) -> float:
  """Seconds of a step of one run, in the stage that was disturbed least."""
  return min(result['per_step'] / len(result['failed'])
             for result in stages.values())


def _counted(names, total) -> str:
  """'3 of 8 collapse' of names, '' for none."""
  counts = collections.Counter(filter(None, names))
  return ', '.join(f'{name} {count} of {total}'
                   for name, count in counts.most_common())


def _sample(folder) -> str:
  """The last sheet of samples of a run, for an img element; '' if none."""
  found = sorted(glob.glob(os.path.join(glob.escape(folder), 'samples',
                                        'step_*.png')))
  if not found or not os.path.basename(found[-1])[5:-4].strip('0'):
    return ''
  with open(found[-1], 'rb') as file:
    return data_url(file.read())


def _forest(judged) -> np.ndarray:
  """What the idea gains, to the right of the line."""
  panels = []
  for task in judged:
    rows = []
    for game in task.games:
      if d := game.difference:
        rows.append((f'beside {game.title}', -d.mean, -d.high, -d.low,
                     _COLOURS[d.said]))
    text = ('how many times smaller' if task.factor else 'how much lower' if
            task.lower else 'how much higher') + ' the score of the idea is'
    panels.append((f'{task.name}: {task.unit}', text, rows, task.factor))
  return pictures.forest(panels)

