"""A full disk: what is kept, what is warned of once, what goes on."""

import errno
import os
import pathlib

import numpy as np
import pytest
from written import ROWS, events_of, warnings_of

from gan_jax.base import files
from gan_jax.loggers import tensorboard
from gan_jax.run import writers


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


def test_write_file_that_fails_leaves_the_old_file(tmp_path, full_disk):
  path = tmp_path / 'x'
  files.write_file(path, b'old')
  full_disk['is'] = True
  with pytest.raises(OSError, match='No space'):
    files.write_file(path, b'new')
  assert path.read_bytes() == b'old'
  assert list(tmp_path.iterdir()) == [path]


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
  appender = files.Appender(tmp_path / 'x', limit=25)
  full_disk['is'] = True
  for _ in range(4):  # two records of ten bytes wait, two are over the limit
    appender.append(b'0123456789')
  appender.close()
  appender.close()
  assert warnings_of(caplog)[1:] == [f'4 records are missing from '
                                   f'{tmp_path / "x"}']


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
