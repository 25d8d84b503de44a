"""The index of runs: what it reads, when it reads again, and who may use it."""

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time

import pytest
import tiny
from finished import fd, write

from gan_jax.base.errors import RequestError, WorkdirError
from gan_jax.run import lock
from gan_jax.views.leaderboard import folders, store


@pytest.fixture
def runs(tmp_path):
  """Three runs: hinge and wasserstein finished, and one that was stopped."""
  root = tmp_path / 'runs'
  write(root / 'a', seed=0, batch_size=64, disc_steps=1, scores=fd(0.3))
  write(root / 'b', seed=1, batch_size=128, disc_steps=5,
        loss={'name': 'wasserstein'}, scores=fd(2.0), step=100)
  write(root / 'c', seed=2, batch_size=64, step=30, flip=True)
  return root


def read(root, where=''):
  return {os.path.basename(run.folder): run
          for run in store.read([str(root)], where)}


def asked(root, question):
  """The answer of an index; an open one would be a warning of Python 3.13."""
  with contextlib.closing(sqlite3.connect(root / store.NAME)) as index:
    return index.execute(question).fetchall()


@pytest.fixture
def was_read(monkeypatch):
  """Names of the runs whose files were read; empties itself when asked."""
  found, plain = [], folders.read

  def spied(folder, stamp):
    found.append(os.path.basename(folder))
    return plain(folder, stamp)

  monkeypatch.setattr(folders, 'read', spied)
  monkeypatch.setattr(store, '_NEW', 0)  # Dates of these tests are as fresh.
  return lambda: [found.pop() for _ in range(len(found))][::-1]


# What it reads.


def test_a_run_is_what_its_files_say(runs):
  rows = [{'step': s, 'perf/images_per_second': v}
          for s, v in ((10, 1.0), (20, 2000.0), (30, 4000.0))]
  (runs / 'b' / 'scalars.jsonl').write_text(
      ''.join(json.dumps(row) + '\n' for row in rows))
  found = read(runs)
  assert list(found) == ['a', 'b', 'c']
  b = found['b']
  assert b.folder == str(runs / 'b') and b.status == 'finished'
  assert (b.seed, b.last_step, b.has_config) == (1, 100, True)
  # 100 steps, each with 5 updates by 128 images; the median speed is 2000.
  assert b.images == 64_000 and b.seconds == 32.0
  (score,) = b.scores
  assert score.score.startswith('fd_random_2k_train (')
  assert score[1:] == (100, 2.0, None)
  assert found['c'].status == 'stopped at step 30 of 100'
  assert found['a'].seconds is None and found['a'].images == 6400
  # Only what differs, and affects training; absent where a run has no such key.
  assert found['a'].settings == {'batch_size': 64, 'disc_steps': 1,
                                 'loss.name': 'hinge'}
  assert found['c'].settings == {'batch_size': 64, 'flip': True,
                                 'loss.name': 'hinge'}


def test_the_speed_is_that_of_the_end_of_a_long_file(runs):
  line = json.dumps({'step': 1, 'perf/images_per_second': 1.0, 'x': 'y' * 900})
  last = json.dumps({'step': 2, 'perf/images_per_second': 640.0})
  (runs / 'a' / 'scalars.jsonl').write_text(
      f'{line}\n' * 100 + f'{last}\n' * 80)
  # 2**16 bytes have the 80 last lines and some 65 of the others: the median.
  assert read(runs)['a'].seconds == 6400 / 640


def test_a_folder_stands_for_all_runs_below_it(tmp_path):
  write(tmp_path / 'x' / 'y' / 'a')
  write(tmp_path / 'x' / 'y' / 'a' / 'best')  # A part of the run a.
  write(tmp_path / 'x' / 'population' / 'member_0', seed=1)
  write(tmp_path / 'x' / '.old' / 'b', seed=2)
  (tmp_path / 'x' / 'failed').mkdir()
  (tmp_path / 'x' / 'failed' / 'log.txt').write_text('no such loss')
  (tmp_path / 'x' / 'population' / 'log.txt').write_text('it trained')
  names = [os.path.relpath(path, tmp_path)
           for path in folders.find([str(tmp_path)])]
  assert names == ['x/failed', 'x/population/member_0', 'x/y/a']
  assert [run.status for run in store.read([str(tmp_path)])] == [
      'never started', 'finished', 'finished']


def test_two_runs_of_one_name_are_two(tmp_path, monkeypatch):
  for i, sweep in enumerate('ab'):
    write(tmp_path / sweep / 'run', seed=i)
  found = store.read([str(tmp_path / '*')])
  assert [(run.folder, run.seed) for run in found] == [
      (str(tmp_path / 'a' / 'run'), 0), (str(tmp_path / 'b' / 'run'), 1)]
  # But one that is named twice is one, whatever its spelling.
  monkeypatch.chdir(tmp_path / 'a')
  found = store.read(['run', './run/', '.', str(tmp_path / 'a' / 'run')])
  assert len(found) == 1 and found[0].seed == 0
  assert len(store.read([str(tmp_path / 'a' / 'run' / '..')])) == 1


# When it reads again.


def test_only_what_changed_is_read_again(runs, was_read):
  first = store.read([str(runs)])
  assert was_read() == ['a', 'b', 'c']
  assert store.read([str(runs)]) == first and was_read() == []
  assert store.read([str(runs / '*')]) == first and was_read() == []
  # Another pattern of the same folder has the same index.
  assert store.read([str(runs / 'b')])[0].seed == 1 and was_read() == []


@pytest.mark.parametrize('change, field, value', [
    (lambda run: (run / 'checkpoints' / '100').mkdir(), 'status', 'finished'),
    (lambda run: (run / 'nonfinite.json').write_text('{"step": 99}'), 'status',
     'not finite'),
    (lambda run: (run / 'launches.jsonl').write_text(
        '{"train_steps": 300, "argv": [""]}'), 'status',
     'stopped at step 30 of 300'),
    (lambda run: (run / 'config.json').write_text('{"seed": 7}'), 'seed', 7),
    (lambda run: (run / 'scalars.jsonl').write_text(
        '{"step": 1, "perf/images_per_second": 192.0}'), 'seconds', 10.0),
    (lambda run: (run / 'scores.jsonl').write_text(
        '{"step": 30, "name": "fd", "value": 1.5}\n'), 'scores', 1.5)])
def test_every_change_is_seen(runs, was_read, change, field, value):
  read(runs)
  was_read()
  change(runs / 'c')
  found = getattr(read(runs)['c'], field)
  assert (found[0].value if field == 'scores' else found) == value
  assert was_read() == ['c']
  assert not read(runs) == {} and was_read() == []


def test_a_change_that_hides_its_date_is_seen(runs, was_read):
  """As a copy that keeps dates: the same size, and the same date as before."""
  path = runs / 'a' / 'scores.jsonl'
  read(runs)
  before = path.stat()
  path.write_text(path.read_text().replace('0.3', '0.4'))
  os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
  assert path.stat().st_size == before.st_size
  assert read(runs)['a'].scores[0].value == 0.4


def test_what_has_just_been_written_is_read_again(runs, was_read, monkeypatch):
  """Where dates are of whole seconds a second change may have the same one."""
  monkeypatch.setattr(store, '_NEW', 10**12)
  read(runs)
  was_read()
  read(runs)
  assert was_read() == ['a', 'b', 'c']


def test_a_config_that_changes_leaves_no_trace(runs):
  read(runs)
  (runs / 'b' / 'config.json').write_text(json.dumps({'seed': 1, 'new': 5}))
  assert set(store.used([str(runs)])['loss.name']) == {'hinge'}
  assert store.used([str(runs)])['new'] == [5]
  with pytest.raises(RequestError, match='no run has the key disc_step'):
    read(runs, 'disc_step=1')
  assert asked(runs, 'SELECT key FROM parts WHERE value = 5') == [('new',)]


def test_runs_that_are_gone_are_forgotten(runs, was_read):
  read(runs)
  shutil.rmtree(runs / 'b')
  assert list(read(runs)) == ['a', 'c']
  assert asked(runs, 'SELECT folder FROM runs') == [('a',), ('c',)]
  assert asked(runs, 'SELECT count(*) FROM parts WHERE value = '
                     "'wasserstein'") == [(0,)]
  assert asked(runs, 'SELECT count(*) FROM scores') == [(1,)]
  shutil.rmtree(runs)
  runs.mkdir()
  with pytest.raises(WorkdirError, match='no run in'):
    read(runs)


def test_runs_that_were_not_asked_for_stay(runs, was_read):
  read(runs)
  was_read()
  assert list(read(runs / 'a')) == ['a']
  read(runs)
  assert was_read() == []


def test_running_is_seen_as_it_is_now(runs, was_read):
  read(runs)
  with lock.hold(runs / 'c'):
    assert read(runs)['c'].status == 'running'
    assert list(read(runs, 'status=running')) == ['c']
    assert list(read(runs, 'status!=running')) == ['a', 'b']
  assert read(runs)['c'].status == 'stopped at step 30 of 100'
  # Killed: the lock names a process that has ended.
  (runs / 'c' / 'lock').write_text('{"pid": 1}')
  assert read(runs)['c'].status == 'stopped at step 30 of 100'


# What is damaged.


@pytest.mark.parametrize('name, content, words', [
    ('config.json', b'{"seed": ', 'unreadable: config.json: Expecting value'),
    ('config.json', b'[1]', 'unreadable: config.json: it is no config'),
    ('config.json', b'', 'unreadable: config.json: Expecting value'),
    ('config.json', b'\xff', 'unreadable: config.json: '),
    ('config.json', None, 'unreadable: config.json: Is a directory'),
    ('scores.jsonl', None, 'unreadable: scores.jsonl: Is a directory')])
def test_a_run_that_cannot_be_read_is_named(runs, name, content, words):
  (runs / 'b' / name).unlink()
  if content is None:
    (runs / 'b' / name).mkdir()
  else:
    (runs / 'b' / name).write_bytes(content)
  found = read(runs)
  assert found['b'].status.startswith(words) and not found['b'].has_config
  assert found['a'].scores[0].value == 0.3
  assert list(read(runs, 'status=unreadable')) == ['b']


def test_rows_of_scores_that_make_no_sense_are_left_out(runs):
  with open(runs / 'a' / 'scores.jsonl', 'a') as file:
    file.write('{"step": 200, "name": 3, "value": 1}\n{"step": 200}\n[1]\n'
               '{"step": 200, "name": "fd", "value": "low"}\n{"step": 300, "na')
  assert [score[1:3] for score in read(runs)['a'].scores] == [(100, 0.3)]


def test_texts_that_are_no_utf8(runs):
  """A folder's name may be any bytes, and JSON may escape half a character."""
  os.rename(runs / 'a', os.fsencode(runs) + b'/\xff')
  (runs / 'b' / 'config.json').write_text(
      r'{"loss": {"name": "\ud800"}, "\ud801": 1}')
  (runs / 'b' / 'scores.jsonl').write_text(
      r'{"step": 1, "name": "\ud802", "value": 1}' + '\n')
  first = store.read([str(runs)])
  assert [run.has_config for run in first] == [True] * 3
  assert store.read([str(runs)]) == first
  assert len(store.read([str(runs)], 'loss.name=hinge')) == 2


def test_a_score_twice_at_a_step_is_one(runs):
  """As after a second --mode=evaluate: the later one."""
  rows = (runs / 'a' / 'scores.jsonl').read_text()
  (runs / 'a' / 'scores.jsonl').write_text(rows + rows.replace('0.3', '0.5'))
  assert [score.value for score in read(runs)['a'].scores] == [0.5]


@pytest.mark.parametrize('damage', [
    lambda path: path.write_bytes(b'this is no index' * 1000),
    lambda path: path.write_bytes(path.read_bytes()[:9000]),
    lambda path: path.write_bytes(path.read_bytes()[:5000] + b'\xff' * 9000
                                  + path.read_bytes()[14000:]),
    lambda path: path.write_bytes(b''),
    lambda path: _execute(path, 'DROP TABLE scores'),
    lambda path: _execute(path, 'ALTER TABLE runs DROP COLUMN seconds'),
    lambda path: _execute(path, 'PRAGMA user_version = 99',
                          'DROP TABLE runs', 'CREATE TABLE runs (x)')])
def test_an_index_that_is_damaged_or_of_another_layout_is_made_anew(
    runs, damage):
  first, path = store.read([str(runs)]), runs / store.NAME
  damage(path)
  assert store.read([str(runs)]) == first
  assert asked(runs, 'PRAGMA integrity_check') == [('ok',)]
  assert asked(runs, 'SELECT count(*) FROM runs') == [(3,)]


def _execute(path, *statements):
  index = sqlite3.connect(path)
  for statement in statements:
    index.execute(statement)
  index.commit()
  index.close()


# Where it is.


def test_a_folder_that_cannot_be_written_has_its_index_in_the_cache(
    runs, tmp_path, was_read):
  (runs / store.NAME).mkdir()  # As no permission keeps root out.
  first = store.read([str(runs)])
  (index,) = (tmp_path / 'cache' / 'runs').glob('*.sqlite')
  assert index.stat().st_size > 0
  was_read()
  assert store.read([str(runs)]) == first and was_read() == []


def test_without_any_place_it_is_in_memory(runs, tmp_path, was_read):
  first = store.read([str(runs)])
  (runs / store.NAME).unlink()
  (runs / store.NAME).mkdir()
  (tmp_path / 'cache').write_text('in the way')
  was_read()
  assert store.read([str(runs)]) == first
  assert was_read() == ['a', 'b', 'c']


def test_an_index_that_may_only_be_read_serves_while_nothing_changes(
    runs, tmp_path, was_read, monkeypatch):
  first, plain = store.read([str(runs)]), sqlite3.connect
  was_read()
  monkeypatch.setattr(sqlite3, 'connect', lambda place, **how: plain(
      f'file:{place}?mode=ro' if str(runs) in place else place, uri=True,
      **how))
  assert store.read([str(runs)]) == first and was_read() == []
  (runs / 'c' / 'checkpoints' / '100').mkdir()
  assert read(runs)['c'].status == 'finished'
  assert len(list((tmp_path / 'cache' / 'runs').glob('*.sqlite'))) == 1


# Two at once.

_CHILD = '''
import logging, sys
from gan_jax.views.leaderboard import store
logging.basicConfig(level='INFO')  # It would say that it went elsewhere.
count = 60
while count < 80:
  found = store.read([sys.argv[1]])
  assert len(found) >= count
  assert all(run.has_config and run.scores for run in found)
  count = len(found)
'''


def test_two_processes_share_an_index(tmp_path):
  root = tmp_path / 'runs'
  for i in range(60):
    write(root / f'{i:03d}', seed=i, scores=fd(0.3))
  children = [subprocess.Popen(
      [sys.executable, '-c', _CHILD, str(root)], text=True,
      stderr=subprocess.PIPE, cwd=tiny.ROOT)
              for _ in range(3)]
  for i in range(60, 80):  # Runs come and change while they read.
    write(tmp_path / 'new', seed=i, scores=fd(0.5))
    os.rename(tmp_path / 'new', root / f'{i:03d}')
    (tmp_path / 'new').write_text(json.dumps(
        {'step': 100, 'name': 'fd', 'value': i}) + '\n')
    os.rename(tmp_path / 'new', root / '000' / 'scores.jsonl')
    time.sleep(0.02)
  errors = [child.communicate(timeout=60)[1] for child in children]
  assert errors == [''] * 3
  assert [child.returncode for child in children] == [0] * 3
  assert read(root)['000'].scores[0].value == 79
  assert asked(root, 'PRAGMA integrity_check') == [('ok',)]
  assert asked(root, 'SELECT count(*) FROM scores') == [(80,)]
  assert asked(root, 'SELECT count(*) FROM settings WHERE run NOT IN '
                     '(SELECT id FROM runs)') == [(0,)]


def test_a_process_that_is_killed_while_it_writes_leaves_what_was(runs):
  first = store.read([str(runs)])
  code = ('import os, sqlite3, sys; index = sqlite3.connect(sys.argv[1]); '
          'index.execute("PRAGMA cache_size = 1"); index.execute("BEGIN '
          'IMMEDIATE"); index.execute("DELETE FROM runs"); '
          'index.execute("DELETE FROM settings"); os._exit(9)')
  subprocess.run([sys.executable, '-c', code, str(runs / store.NAME)])
  assert store.read([str(runs)]) == first
