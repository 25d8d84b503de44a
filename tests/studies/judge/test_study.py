"""What is kept of the runs of a stage, and who makes a file of the study."""

import json
from types import SimpleNamespace

import pytest

from gan_jax.base.errors import WorkdirError
from gan_jax.run import lock
from gan_jax.studies.judge import study as studies


def test_an_error_of_a_component_is_a_result_and_a_full_disk_is_not(
    study, monkeypatch):
  def raising(error):
    def stage(*_):
      raise error
    monkeypatch.setattr(studies, '_played', stage)

  raising(ZeroDivisionError('no'))
  assert study.play(('ring', 'idea', 'measure')) == 0
  assert study.result('ring', 'idea', 'measure')['error'].startswith(
      'ZeroDivisionError: no')
  # Of the machine: the next launch plays it again.
  for error in (WorkdirError('full'), MemoryError(), OSError('I/O')):
    raising(error)
    with pytest.raises(type(error)):
      study.play(('ring', 'b', 'measure'))
    assert study.result('ring', 'b', 'measure') == {}
  # Without the idea there is nothing to compare.
  monkeypatch.setattr(studies, '_played', lambda *_: (
      0, {'steps': 40, 'per_step': 1e-6}))
  for item in (('ring', 'b'), ('digits', 'idea'), ('digits', 'b')):
    assert study.play((*item, 'measure')) == 0
  assert list(study.measured()) == ['digits']


def test_facts_of_runs():
  rows = {'grad_norm/gen': ([1, 2, 3, 4], [9.0, 9.0, 1.0, 3.0]),
          'perf/images_per_second': ([2, 3, 4], [50.0, 100.0, 100.0])}

  def record(score, *found):
    return SimpleNamespace(
        curves=rows, findings=lambda: [('1', name, '', '') for name in found],
        scores=lambda: {} if score is None else {'fd': [{'value': score}]})

  found = studies.facts({'best_metric': 'fd', 'batch_size': 25,
                         'disc_steps': 2},
                        [record(1.5), record(None, 'non-finite'),
                         record(9.0, 'vanishing', 'collapse')])
  assert found['scores'] == {'fd': [1.5, None, 9.0]}
  assert found['failed'] == ['', 'non-finite', 'collapse']
  assert found['findings'][2] == ['collapse', 'vanishing']
  assert found['gradients'] == {'gen': [2.0] * 3, 'disc': [None] * 3}
  assert found['per_step'] == 0.5  # 50 images at 100 in a second
  assert json.loads(json.dumps(found)) == found


def test_a_file_of_the_study_is_made_once(study, monkeypatch):
  made = []

  def make():
    made.append('here')
    return {'steps': 3}

  assert studies.once(study.folder, 'steps.json', make) == ({'steps': 3}, True)
  assert studies.once(study.folder, 'steps.json', make) == ({'steps': 3}, False)
  assert made == ['here'] and study.steps() == {'steps': 3}


def test_the_file_that_another_process_makes_is_waited_for(study, monkeypatch):
  """It holds the lock, and is done while this one sleeps."""
  other = lock.hold(study.path('plan'))
  other.__enter__()

  def sleep(_):
    with open(study.path('steps.json'), 'w') as file:
      json.dump({'steps': 4}, file)
    other.__exit__(None, None, None)

  monkeypatch.setattr(studies.time, 'sleep', sleep)
  assert studies.once(study.folder, 'steps.json', dict) == (
      {'steps': 4}, False)
