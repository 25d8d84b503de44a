"""Which stage is next, and what is kept of the runs of a stage."""

import json
import time
from types import SimpleNamespace

import pytest

from gan_jax.base.errors import LockedError, WorkdirError
from gan_jax.run import lock
from gan_jax.studies import workers
from gan_jax.studies.workers import Study

MEASURED = {'overhead': 4.0, 'per_step': 0.01, 'steps': 40}


@pytest.fixture
def study(tmp_path):
  """Two tasks by two games, of which none is played."""
  return Study(str(tmp_path), {
      'played': ['ring', 'digits'], 'games': {'idea': 'loss=hinge', 'b': ''},
      'seeds': [0, 1, 2, 3], 'tuning_seeds': [8, 9]})


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


def test_what_does_not_end_in_time_is_not_started(study):
  measured(study)
  choose(study, ring=600)
  # 4 + 600 x 0.01 s of eight members, half of that of four.
  assert study.seconds(('ring', 'idea', 'tune')) == pytest.approx(10)
  assert study.seconds(('ring', 'idea', 'test')) == pytest.approx(5)
  now = time.monotonic()
  assert following(study, now + 9) == 'nothing'
  assert following(study, now + 20) == ('ring', 'idea', 'tune')


def test_an_error_of_a_component_is_a_result_and_a_full_disk_is_not(
    study, monkeypatch):
  def raising(error):
    def stage(*_):
      raise error
    monkeypatch.setitem(workers._STAGES, 'measure', stage)

  raising(ZeroDivisionError('no'))
  assert study.play(('ring', 'idea', 'measure')) == 0
  assert study.result('ring', 'idea', 'measure')['error'].startswith(
      'ZeroDivisionError: no')
  # Of the machine: the next launch plays it again.
  for error in (WorkdirError('full'), MemoryError(), OSError('I/O')):
    raising(error)
    with pytest.raises(type(error)):
      study.play(('ring', 'b', 'measure'))
    assert study.result('ring', 'b', 'measure') is None
  # Without the idea there is nothing to compare.
  put(study, *((name, game, 'measure') for name, game in (
      ('ring', 'b'), ('digits', 'idea'), ('digits', 'b'))), **MEASURED)
  assert list(study.measured()) == ['digits']


def test_facts_of_runs():
  rows = {'grad_norm/gen': ([1, 2, 3, 4], [9.0, 9.0, 1.0, 3.0]),
          'perf/images_per_second': ([2, 3, 4], [50.0, 100.0, 100.0])}

  def record(score, *found):
    return SimpleNamespace(
        curves=rows, findings=lambda: [('1', name, '', '') for name in found],
        scores=lambda: {} if score is None else {'fd': [{'value': score}]})

  found = workers.facts({'best_metric': 'fd', 'batch_size': 25,
                         'disc_steps': 2},
                        [record(1.5), record(None, 'non-finite'),
                         record(9.0, 'vanishing', 'collapse')])
  assert found['scores'] == {'fd': [1.5, None, 9.0]}
  assert found['failed'] == ['', 'non-finite', 'collapse']
  assert found['findings'][2] == ['collapse', 'vanishing']
  assert found['gradients'] == {'gen': [2.0] * 3, 'disc': [None] * 3}
  assert found['per_step'] == 0.5  # 50 images at 100 in a second
  assert json.loads(json.dumps(found)) == found
