"""Files, scalars and the progress bar, with torn lines."""

import io
import json
import math
import os
import pty
import time

import numpy as np
import pytest
from PIL import Image
from tensorboardX.proto.event_pb2 import SessionLog
from written import ROWS, events_of, warnings_of

from gan_jax.base import files
from gan_jax.loggers import tensorboard
from gan_jax.run import writers


def test_write_file_makes_folders_and_replaces(tmp_path):
  path = tmp_path / 'a' / 'b' / 'ä.bin'
  files.write_file(path, b'old')
  files.write_file(str(path), b'new')
  assert path.read_bytes() == b'new'
  assert [p.name for p in path.parent.iterdir()] == ['ä.bin']


@pytest.mark.parametrize('umask, mode', [(0o022, 0o644), (0o077, 0o600),
                                         (0o002, 0o664)])
def test_write_file_follows_the_umask(tmp_path, umask, mode):
  before = os.umask(umask)
  try:
    files.write_file(tmp_path / 'x', b'')
  finally:
    os.umask(before)
  assert (tmp_path / 'x').stat().st_mode & 0o777 == mode


def test_try_write_file_below_a_file(tmp_path, caplog):
  (tmp_path / 'samples').write_text('in the way')
  assert not files.try_write_file(tmp_path / 'samples' / 'x.png', b'')
  assert 'samples' in warnings_of(caplog)[0]


def test_rows_are_strict_json_with_the_step_first(tmp_path):
  with writers.ScalarWriter(tmp_path, resume_step=0) as writer:
    writer.write(10, {'loss/disc': np.float32(1.5), 'loss/gen': math.nan,
                      'a': -math.inf, 'b': 2, 'c': None, 'd': np.array(0.25)})
    writer.write(np.int64(20), {})
    rows = writer.read()  # without a flush: it is in the file already
  text = (tmp_path / 'scalars.jsonl').read_text()
  assert text == ('{"step": 10, "loss/disc": 1.5, "loss/gen": null, "a": null, '
                  '"b": 2.0, "c": null, "d": 0.25}\n{"step": 20}\n')
  assert rows == [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize('scalars, message', [
    ({'step': 1.0}, "named 'step'"),
    ({'loss': np.zeros(2)}, "'loss' is array.*one number"),
    ({'loss': 'high'}, "'loss' is 'high'"),
])
def test_write_refuses(tmp_path, scalars, message):
  with writers.ScalarWriter(tmp_path, resume_step=0) as writer:
    with pytest.raises(ValueError, match=message):
      writer.write(1, scalars)
    assert writer.read() == []


@pytest.mark.parametrize('content, resume_step, left', [
    (ROWS, 30, [10, 20, 30]),
    (ROWS, 20, [10, 20]),
    (ROWS, 25, [10, 20]),
    (ROWS, 5, []),
    (ROWS, 0, []),
    (b'{"step": 0}\n', 0, []),  # a fresh run writes step 0 again
    (ROWS + b'{"step": 40, "a": 1.2', 40, [10, 20, 30]),  # torn by a kill
    (ROWS + b'{"step": 4', 20, [10, 20]),
    (ROWS[:-1], 30, [10, 20, 30]),  # torn exactly before the newline
    (ROWS + b'\0\0\0\0', 30, [10, 20, 30]),  # after a power cut
    (ROWS + b'\xff\xfe\n[1]\n7\n{"a": 1}\n{"step": "x"}\n', 30, [10, 20, 30]),
    (b'{"st\n' + ROWS, 30, [10, 20, 30]),
    (b'', 30, []),
    (None, 30, []),
])
def test_resume_drops_later_rows_and_torn_lines(tmp_path, content,
                                                resume_step, left):
  path = tmp_path / 'scalars.jsonl'
  if content is not None:
    path.write_bytes(content)
  with writers.ScalarWriter(tmp_path, resume_step=resume_step) as writer:
    assert [row['step'] for row in writer.read()] == left
    writer.write(99, {'a': 3.0})
  lines = path.read_bytes().splitlines(keepends=True)
  assert lines[:-1] == ROWS.splitlines(keepends=True)[:len(left)]
  assert lines[-1] == b'{"step": 99, "a": 3.0}\n'


def test_tensorboard_holds_scalars_and_images(tmp_path):
  image = np.random.RandomState(0).randint(0, 256, (4, 6, 3), np.uint8)
  with writers.ScalarWriter(tmp_path, resume_step=0,
                            loggers=[tensorboard()]) as writer:
    writer.write(10, {'loss/disc': 1.5, 'bad': math.nan, 'none': None,
                      'huge': 1e300})
    writer.image(20, 'samples', image)
    writer.image(20, 'grey', image[..., :1])
  version, start, scalar, picture, grey = events_of(tmp_path)
  assert version.file_version == 'brain.Event:2'
  assert start.session_log.status == SessionLog.START and start.step == 0
  assert scalar.step == 10
  values = {v.tag: v.simple_value for v in scalar.summary.value}
  assert values['loss/disc'] == 1.5 and math.isnan(values['bad'])
  assert math.isinf(values['huge']) and len(values) == 3
  value, = picture.summary.value
  assert (picture.step, value.tag) == (20, 'samples')
  assert (value.image.height, value.image.width) == (4, 6)
  got = Image.open(io.BytesIO(value.image.encoded_image_string))
  assert (np.asarray(got) == image).all()
  assert grey.summary.value[0].image.colorspace == 1


def test_tensorboard_purges_what_came_after_the_checkpoint(tmp_path):
  with writers.ScalarWriter(tmp_path, resume_step=0,
                            loggers=[tensorboard()]) as writer:
    writer.write(10, {'a': 1.0})
  # Within the same second: the first file must not be written over.
  with writers.ScalarWriter(tmp_path, resume_step=7,
                            loggers=[tensorboard()]):
    pass
  assert len(list((tmp_path / 'tensorboard').iterdir())) == 2
  starts = [e.step for e in events_of(tmp_path)
            if e.session_log.status == SessionLog.START]
  assert starts == [0, 8]  # events of step 7 are the checkpoint's and stay


def test_progress_prints_lines_when_not_on_a_terminal(monkeypatch):
  file, now = io.StringIO(), [1000.0]
  monkeypatch.setattr(time, 'monotonic', lambda: now[0])
  bar = writers.ProgressBar(20000, initial=500, file=file)
  for seconds, step, scalars in (
      (83, 1000, {'loss/gen': 0.69314, 'loss/disc': np.float32(1.386294),
                  'logits/real': 0.1, 'perf/images_per_second': 51234.5}),
      (100, 2000, {'loss/disc': None}),
      (10, 1000, {}),  # Rolled back.
      (3500, 20000, {})):
    now[0] += seconds
    bar.update(step, scalars)
  assert file.getvalue().splitlines() == [
      'step 500/20000  compiling',
      'step 1000/20000  loss/disc 1.386  loss/gen 0.6931  images/s 51,234  '
      '1:23 elapsed',  # It compiled: the others take 0.1 s a step.
      'step 2000/20000  loss/disc null  3:03 elapsed, 30:00 left',
      'step 1000/20000  3:13 elapsed',
      'step 20000/20000  1:01:33 elapsed, 0:00 left']


def test_progress_is_a_bar_on_a_terminal():
  class Terminal(io.StringIO):
    def isatty(self):
      return True

  file = Terminal()
  bar = writers.ProgressBar(2000, initial=500, file=file)
  assert 'compiling' in file.getvalue()
  bar.update(2000, {'loss/disc': 1.25})
  bar.close()
  last = file.getvalue().split('\r')[-1]
  assert '2000/2000' in last and 'loss/disc=1.25' in last and '100%' in last
  assert 'compiling' not in last


def test_progress_is_lines_on_a_terminal_without_columns():
  """As of a pseudo-terminal that nobody has told its size."""
  ours, theirs = pty.openpty()
  with open(theirs, 'w') as file, open(ours) as seen:
    writers.ProgressBar(10, file=file).update(5, {'loss/disc': 1.25})
    assert seen.readline().startswith('step 0/10  compiling')
    assert seen.readline().startswith('step 5/10  loss/disc 1.25')


def test_progress_survives_a_closed_pipe():
  class Pipe(io.StringIO):
    def write(self, text):
      raise BrokenPipeError

  writers.ProgressBar(10, file=Pipe()).update(5, {})


def test_what_a_kill_left_half_written_is_removed_and_nothing_else(tmp_path):
  torn = ['.step_00000004.png.123.tmp', '.config.json.9.tmp']
  kept = ['step.png', '.hidden', 'a.1.tmp', '.mine.tmp', '.config.json.x.tmp']
  for name in torn + kept:
    (tmp_path / name).write_bytes(b'half')
  files.remove_torn(tmp_path)
  assert sorted(os.listdir(tmp_path)) == sorted(kept)
  files.remove_torn(tmp_path / 'nowhere')
