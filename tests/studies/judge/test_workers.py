"""Which stage is next, and who is stopped."""

import json
import multiprocessing
import os
import signal
import time
import types

import pytest

from gan_jax.base.errors import LockedError, WorkdirError
from gan_jax.run import lock
from gan_jax.studies.judge import study as study_module
from gan_jax.studies.judge import workers

# 4 s without 40 steps and 3 s of compiling.
MEASURED = {'seconds': 7.4, 'compiling': 3.0, 'per_step': 0.01, 'steps': 40,
            'members': 8}


def put(study, *items, **result):
  for name, game, stage in items:
    folder = study.path(name, game)
    with lock.hold(folder):
      pass
    with open(study.path(name, game, f'{stage}.json'), 'w') as file:
      json.dump({'seconds': 1.0} | result, file)


def choose(study, **steps):
  with open(study.path('steps.json'), 'w') as file:
    json.dump({'steps': steps, 'cut': {}}, file)


def measured(study):
  put(study, *(item for item in study.items() if item[2] == 'measure'),
      **MEASURED)


def following(study, until=1e9):
  """The next item, None to wait, 'nothing' if there is none."""
  found = workers._next(study, until)
  if found is None:
    return 'nothing'
  with found as item:
    return item


def test_all_are_measured_first(study):
  assert [stage for *_, stage in study.items()][:5] == ['measure'] * 4 + [
      'tune']
  assert following(study) == ('ring', 'idea', 'measure')
  measured(study)
  assert study.all_measured() and not study.finished()
  assert following(study) is None  # until the steps are chosen


def test_then_task_by_task_tuned_before_tested(study):
  measured(study)
  choose(study, ring=600)
  assert study.items()[4:] == [
      ('ring', game, stage) for stage in ('tune', 'test')
      for game in ('idea', 'b')]
  put(study, ('ring', 'idea', 'tune'))
  with lock.hold(study.path('ring', 'b')):
    assert following(study) == ('ring', 'idea', 'test')
    put(study, ('ring', 'idea', 'test'))
    assert following(study) is None  # The other one is being tuned.
  assert following(study) == ('ring', 'b', 'tune')
  put(study, ('ring', 'b', 'tune'), ('ring', 'b', 'test'))
  assert following(study) == 'nothing' and study.finished()


def test_a_lock_that_is_freed_while_one_waits_is_no_error(study, monkeypatch):
  def hold(place):
    raise LockedError(f'{place} is locked')  # It was, a moment ago.
  monkeypatch.setattr(workers.lock, 'hold', hold)
  assert following(study) is None


def test_looking_for_the_next_stage_asks_for_each_file_once(study, monkeypatch):
  """Every worker looks thrice a second, in a folder that machines share."""
  asked = []
  exists, read = os.path.exists, study_module.read_json
  monkeypatch.setattr(os.path, 'exists', lambda path: (
      asked.append(path), exists(path))[1])
  monkeypatch.setattr(study_module, 'read_json', lambda folder, name: (
      asked.append(os.path.join(folder, name)), read(folder, name))[1])

  def looks():
    asked.clear()
    item = following(study)
    return item, [path for path in asked if path.endswith('.json')]

  results = [study.path(name, game, f'{stage}.json')
             for name, game, stage in study.items()]
  measured(study)
  item, found = looks()
  assert item is None and {*found} == {*results, study.path('steps.json')}
  assert len(found) <= len(results) + 3  # items() reads the steps if absent.
  choose(study, ring=600)
  # What is known is not asked for again; seconds() reads what was measured.
  item, found = looks()
  assert item == ('ring', 'idea', 'tune')
  assert sorted(found) == sorted(
      [study.path('steps.json'), study.path('ring/idea/measure.json'),
       study.path('ring/idea/tune.json')] + [
           path for path in results if '/ring/' in path
           and not path.endswith('measure.json')])


def test_what_does_not_end_in_time_is_not_started(study):
  measured(study)
  choose(study, ring=600)
  # 4 + 600 x 0.01 s of eight members, half of that of four.
  assert study.seconds(('ring', 'idea', 'tune')) == pytest.approx(10)
  assert study.seconds(('ring', 'idea', 'test')) == pytest.approx(5)
  now = time.monotonic()
  assert following(study, now + 9) == 'nothing'
  assert following(study, now + 20) == ('ring', 'idea', 'tune')


def test_ctrl_c_is_of_the_first_process_alone(monkeypatch):
  """Else the others end their imports with a traceback each."""
  seen = []

  class Process:
    pid = 123

    def __init__(self, **_):
      """Takes what it would run."""

    def start(self):
      seen.append(signal.getsignal(signal.SIGINT))

    def is_alive(self):
      return True

    def join(self):
      """Has ended."""

  before = signal.getsignal(signal.SIGINT)
  monkeypatch.setattr(workers, 'count', lambda: 2)
  monkeypatch.setattr(workers.multiprocessing, 'get_context',
                      lambda _: types.SimpleNamespace(
                          Process=Process, SimpleQueue=lambda: None))
  monkeypatch.setattr(workers.os, 'kill', lambda _, signum: seen.append(signum))
  pool = workers.Pool(types.SimpleNamespace(folder='', plan={}), 0.0)
  assert seen == [signal.SIG_IGN] * 2  # Which a process takes along.
  assert signal.getsignal(signal.SIGINT) == before
  seen.clear()
  for signum in (signal.SIGINT, signal.SIGUSR1):  # They ignore the first.
    pool.stop(signum)
  assert seen == [signal.SIGTERM] * 2 + [signal.SIGUSR1] * 2


def test_why_processes_failed_is_told_though_their_logs_are_on_a_full_disk(
    study, monkeypatch):
  class Full(workers.Worker):
    def advance(self):
      raise WorkdirError('the disk is full')

  class Process:
    """The first meets an error, the second is killed, the third ends."""

    def __init__(self, *, target, args, name, daemon):
      self.name, self._work = name, lambda: target(*args)
      self.exitcode = {'1': -9, '2': 0}.get(name)

    def start(self):
      if self.name == '0':
        with pytest.raises(SystemExit) as found:
          self._work()
        self.exitcode = found.value.code

  for module, name in ((os, 'setsid'), (os, 'sched_setaffinity'), (os, 'dup2'),
                       (workers.parallel, 'use_compilation_cache')):
    monkeypatch.setattr(module, name, lambda *_: None)
  monkeypatch.setattr(workers.threading, 'Thread', lambda **_: (
      types.SimpleNamespace(start=lambda: None)))
  monkeypatch.setattr(workers, 'Worker', Full)
  monkeypatch.setattr(workers, 'count', lambda: 3)
  monkeypatch.setattr(workers.multiprocessing, 'get_context', lambda _: (
      types.SimpleNamespace(Process=Process,
                            SimpleQueue=multiprocessing.SimpleQueue)))
  pool = workers.Pool(study, 0.0)
  assert [each.exitcode for each in pool._processes] == [4, -9, 0]
  assert pool.failed() == ['the disk is full', study.path(workers._log(1))]
