"""A full disk: what is kept, what is warned of once, what goes on."""

import errno
import os
import pathlib

import numpy as np
import pytest
from written import ROWS, events_of, warnings_of

from gan_jax.base import files
from gan_jax.base.errors import RequestError, UserError
from gan_jax.evaluators.score import Score
from gan_jax.loggers import tensorboard
from gan_jax.run import writers
from gan_jax.views import evaluate


@pytest.fixture
def full_disk(monkeypatch):
  """Switches ENOSPC on and off for every way in which the writers write."""
  full = {'is': False, 'part': 0}
  real_write, real_replace = os.write, os.replace

  def write(fd, data):
    if full['is'] and full['part']:
      data, full['part'] = data[:full['part']], 0
      return real_write(fd, data)
    if full['is']:
      raise OSError(errno.ENOSPC, 'No space left on device')
    return real_write(fd, data)

  def replace(*args):
    if full['is']:
      raise OSError(errno.ENOSPC, 'No space left on device')
    return real_replace(*args)

  monkeypatch.setattr(os, 'write', write)
  monkeypatch.setattr(os, 'replace', replace)
  return full


def open_files():
  return len(os.listdir('/dev/fd'))


def test_write_file_that_fails_leaves_the_old_file(tmp_path, full_disk):
  path, before = tmp_path / 'x', open_files()
  files.write_file(path, b'old')
  assert open_files() == before
  full_disk['is'] = True
  with pytest.raises(OSError, match='No space'):
    files.write_file(path, b'new')
  assert path.read_bytes() == b'old'
  assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_can_be_written_counts_not_the_one_around_it(
    tmp_path, monkeypatch):
  (tmp_path / 'out').mkdir()
  (tmp_path / 'file').write_bytes(b'')
  # As of /tmp, or of a volume at the root of a container.
  monkeypatch.setattr(os, 'access', lambda place, how: (
      pathlib.Path(place) != tmp_path))
  assert files.refused(tmp_path / 'out') == ''
  assert files.refused(tmp_path / 'out' / 'new' / 'a.png') == ''
  for name in ('file', 'new', 'new/a.png'):
    assert files.refused(tmp_path / name) == f'{tmp_path}: Permission denied'


def test_try_write_file_warns_once_a_folder(tmp_path, full_disk, caplog):
  full_disk['is'] = True
  for i in range(3):
    assert not files.try_write_file(tmp_path / f'{i}.png', b'x')
  message, = warnings_of(caplog)
  assert str(tmp_path / '0.png') in message and 'No space left' in message
  assert 'bytes free' in message
  full_disk['is'] = False
  assert files.try_write_file(tmp_path / '3.png', b'x')
  full_disk['is'] = True  # full again: said again
  files.try_write_file(tmp_path / '4.png', b'x')
  assert len(warnings_of(caplog)) == 2


def test_resume_that_cannot_rewrite_leaves_the_rows(tmp_path, full_disk):
  path = tmp_path / 'scalars.jsonl'
  path.write_bytes(ROWS)
  full_disk['is'] = True
  with pytest.raises(OSError, match='No space'):
    writers.ScalarWriter(tmp_path, resume_step=10)
  assert path.read_bytes() == ROWS
  writers.ScalarWriter(tmp_path, resume_step=30)  # nothing to rewrite


def test_full_disk_warns_once_and_leaves_no_gap(tmp_path, full_disk, caplog):
  with writers.ScalarWriter(tmp_path, resume_step=0,
                            loggers=[tensorboard()]) as writer:
    writer.write(1, {'a': 1.0})
    full_disk.update({'is': True, 'part': 9})  # 9 bytes of row 2 still fit
    for step in (2, 3, 4):
      writer.write(step, {'a': float(step)})
      writer.image(step, 'x', np.zeros((2, 2, 1), np.uint8))
    writer.flush()
    # Cut off again: no torn row, now or later.
    assert [row['step'] for row in writer.read()] == [1]
    assert (tmp_path / 'scalars.jsonl').read_bytes().endswith(b'}\n')
    messages = warnings_of(caplog)
    assert len(messages) == 2  # scalars.jsonl and the TensorBoard file
    assert str(tmp_path / 'scalars.jsonl') in messages[0]
    assert all('bytes free' in m for m in messages)
    full_disk['is'] = False
    writer.write(5, {'a': 5.0})
    assert [row['step'] for row in writer.read()] == [1, 2, 3, 4, 5]
  assert [e.step for e in events_of(tmp_path) if e.summary.value] == [
      1, 2, 2, 3, 3, 4, 4, 5]
  assert 'can be written again' in warnings_of(caplog)[2]


def test_rows_that_are_lost_are_counted(tmp_path, full_disk, caplog):
  before, appender = open_files(), files.Appender(tmp_path / 'x', limit=25)
  full_disk['is'] = True
  for _ in range(4):  # two records of ten bytes wait, two are over the limit
    appender.append(b'0123456789')
  appender.close()
  appender.close()
  assert warnings_of(caplog)[1:] == [f'4 records are missing from '
                                   f'{tmp_path / "x"}']
  assert open_files() == before


def test_a_hash_is_of_what_a_dict_holds_not_of_its_order():
  # printf '{"a": [2], "b": 1}' | sha256sum
  for value in ({'b': 1, 'a': [2]}, {'a': (2,), 'b': 1}):
    assert files.short_hash(value) == '41ff4104bc489a1b'


def test_a_full_disk_at_the_start_does_not_end_the_run(tmp_path, full_disk,
                                                       caplog):
  full_disk['is'] = True
  with writers.ScalarWriter(tmp_path, resume_step=0,
                            loggers=[tensorboard()]) as writer:
    writer.write(1, {'a': 1.0})
    full_disk['is'] = False
  assert [row['step'] for row in writer.read()] == [1]
  assert len(events_of(tmp_path)) == 3


def test_a_real_full_device(caplog):
  if not pathlib.Path('/dev/full').exists():
    pytest.skip('needs /dev/full')
  appender = files.Appender('/dev/full')
  appender.append(b'x')
  appender.append(b'x')
  appender.close()
  assert len(warnings_of(caplog)) == 2  # full; 2 records missing


def test_what_writes_beside_a_run_is_told(tmp_path, full_disk):
  path = tmp_path / 'scores.jsonl'
  path.write_bytes(b'{"step": 1}\n{"st')  # Torn by a kill.
  score = Score('a', 1.0)
  with writers.ScoreWriter(tmp_path) as writer:
    writer.write(2, [score])
    assert [row['step'] for row in writer.read()] == [1, 2]
    before = path.read_bytes()
    full_disk.update({'is': True, 'part': 9})
    with pytest.raises(OSError, match='No space'):
      writer.write(3, [score])
    assert path.read_bytes() == before
  with pytest.raises(UserError, match=r'scores.jsonl: cannot write it: No '
                     r'space left.* bytes free: .*; then rerun') as error:
    evaluate._write(tmp_path, {3: [score]})
  assert error.value.status == 4
  full_disk['is'] = False
  evaluate._write(tmp_path, {3: [score]})
  assert [row['step'] for row in files.read_rows(path)] == [1, 2, 3]


@pytest.mark.parametrize('code, kind, said', [
    (errno.ENOSPC, UserError, 'free some space); then rerun the command'),
    (errno.EISDIR, RequestError, 'Is a directory; give another name')])
def test_a_full_disk_is_no_mistake_in_the_command(code, kind, said):
  with pytest.raises(kind) as error, files.writing_out('a.png'):
    raise OSError(code, os.strerror(code), 'a.png')
  assert type(error.value) is kind and str(error.value).endswith(said)


def test_what_is_refused_before_it_is_tried(tmp_path, monkeypatch):
  (tmp_path / 'file').write_text('')
  for out in ('file/a.png', 'file/new/a.png'):
    assert files.refused(tmp_path / out) == (
        f'{tmp_path}/file is in the way and is no folder')
    with pytest.raises(RequestError, match='file is in the way and is no fol'):
      with files.writing_out(tmp_path / out):
        files.write_file(tmp_path / out, b'')
  assert not files.refused(tmp_path / 'file')
  assert not files.refused(tmp_path / 'new' / 'newer' / 'a.png')
  assert [path.name for path in tmp_path.iterdir()] == ['file']
  monkeypatch.setattr(os, 'access', lambda *_: False)
  assert files.refused(tmp_path / 'a') == f'{tmp_path}: Permission denied'
