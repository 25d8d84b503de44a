"""--mode=judge: an idea beside baselines on five tasks, within a budget.

The same command makes the study, joins those that play it, or goes on with it
after a kill.

A budget is kept in three steps. Before anything is measured, `plan.fitting`
keeps the tasks whose shortest runs take at most 0.9 of it, by a table. Once all
games are measured, `plan.choose_steps` makes the runs so long that all of them
end at `_PLANNED` of it, less `_PAGE` seconds for the verdict. As measurements
err, a stage begins only if it should end by `_LATEST` of it. The training of
classifiers does not count.
"""

import logging
import os
import re
import time
from collections.abc import Mapping, Sequence

from gan_jax.base import lookup
from gan_jax.base.errors import RequestError, WorkdirError
from gan_jax.run import lock
from gan_jax.run.signals import StopRequest
from gan_jax.studies.judge import ideas, page, plan, workers
from gan_jax.studies.judge.study import Study, once
from gan_jax.studies.judge.tasks import SEEDS, TASKS

_LOG = logging.getLogger(__name__)
_PLANNED, _LATEST = 0.95, 1.08  # shares of the budget, see above
_PAGE = 12  # seconds that the verdict itself takes


def judge(text: str, folder: str, *, budget: str = '15m',
          names: Sequence[str] = (), seeds: int = SEEDS,
          seed: int = 0) -> tuple[int, str]:
  """Judges an idea, or goes on with it.

  Args:
    text: of --idea, see `ideas.read`.
    folder: of the study, '' for runs/judge-NAME.
    budget: of wall time, as '90s', '15m' or '2h'.
    names: of tasks, () for all.
    seeds: of each game in the test, 3 or more.
    seed: the first of them.

  Returns:
    (exit status, the verdict as text; '' after a signal).

  Raises:
    RequestError: the command line; the idea fits no task; another study is in
      the folder.
    WorkdirError: as `lock.hold`.
  """
  begin = time.monotonic()
  seconds = plan.read_budget(budget)
  if seeds < 3:
    raise RequestError(f'--seeds={seeds}: must be 3 or more, as intervals are '
                       'over seeds')
  if unknown := [name for name in names if name not in TASKS]:
    raise RequestError(f'--tasks={unknown[0]}: no such task; there are '
                       f'{", ".join(TASKS)}')
  idea = ideas.read(text)
  folder = folder or os.path.join('runs', 'judge-' + re.sub(
      r'[^\w.,=+-]+', '_', idea.name)[:100])
  asked = {'idea': idea.name, 'arguments': idea.arguments, 'budget': seconds,
           'tasks': [name for name in TASKS if not names or name in names],
           'seeds': [(seed + i) % 2**32 for i in range(seeds)]}
  with lock.writing(folder), StopRequest() as stop:
    planned, made = once(folder, 'plan.json', lambda: plan.make(
        asked, idea, text, processes=workers.count()))
    _check_same(planned, asked, folder)
    if made:  # By this process, which has also trained the classifiers.
      begin += planned['prepared']
    study = Study(folder, planned)
    with workers.started(study, until=begin + _LATEST * seconds) as playing:
      _follow(study, playing, stop, begin + _PLANNED * seconds - _PAGE)
    if status := stop.exit_status or playing.status:
      return status, ''
    if (why := playing.failed()) and not study.finished():
      raise WorkdirError(
          'processes that played have ended before their time; the same '
          'command goes on. Why:\n' + '\n'.join(dict.fromkeys(why)))
    return 0, page.write(study, time.monotonic() - begin)


def _check_same(planned: Mapping, asked: Mapping, folder: str) -> None:
  """Refuses to go on with the study of another idea or budget."""
  if {key: planned[key] for key in asked} != asked:
    raise RequestError(
        f'{folder} holds the study {planned["arguments"]} with budget '
        f'{planned["budget"]:g}s, seeds {planned["seeds"][0]} to '
        f'{planned["seeds"][-1]}; give the same, or another --workdir')
  if changed := planned['sources'].items() - lookup.sources(
      [asked['arguments']]).items():
    raise RequestError(
        f'{folder} was begun with another '
        f'{", ".join(sorted(name for name, _ in changed))}, and a verdict is '
        'of one idea: undo the change to go on, or give another --workdir')


def _follow(study, playing, stop, deadline) -> None:
  """Waits for the workers; fixes the steps once all games are measured."""
  logged = study.done()
  while not stop.signum:
    for item in study.done() - logged:
      logged.add(item)
      _LOG.info('%s (%d of %d)', study.summary(item), len(logged),
                len(study.items()))
    if not study.steps() and study.all_measured():
      left = (deadline - time.monotonic()) * workers.count()
      chosen = plan.choose_steps(study.measured(), left,
                                 len(study.plan['seeds']))
      once(study.folder, 'steps.json', lambda chosen=chosen: chosen)
    if not playing.advance():
      return
    time.sleep(0.2)
  playing.stop(stop.signum)
