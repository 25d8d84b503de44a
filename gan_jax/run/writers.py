"""What a run writes while it trains: scalars, scores, a progress bar.

A log must never end a run: where a write fails, there is one warning, and the
run goes on.
"""

import contextlib
import datetime
import json
import math
import os
import struct
import sys
import time

import tqdm.auto
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.proto.summary_pb2 import Summary
from tensorboardX.record_writer import masked_crc32c

from gan_jax import pictures
from gan_jax.base.files import Appender, drop_rows, read_rows

_SHOWN = (('loss/disc', 'loss/disc'), ('loss/gen', 'loss/gen'),
          ('perf/images_per_second', 'images/s'))


class ProgressBar:
  """Shows progress: a bar on a terminal or in a notebook, else lines."""

  def __init__(self, total: int, *, initial: int = 0, file=None):
    """For `total` steps from `initial` on; on standard error by default."""
    self._file = sys.stderr if file is None else file
    self._total, self._bar, self._compiled = total, None, False
    self._begin = time.monotonic()
    self._from = self._begin, initial  # what the speed is measured from
    if 'ipykernel' in sys.modules or self._file.isatty():
      self._bar = tqdm.auto.tqdm(total=total, initial=initial, file=self._file,
                            dynamic_ncols=True, unit='step')

  @property
  def elapsed(self) -> str:
    """Time since the start, '1:23' or '10:01:23'."""
    return _duration(time.monotonic() - self._begin)

  def update(self, step: int, scalars) -> None:
    """Moves to `step` and shows some of `scalars` {name: number or None}."""
    shown = {label: _short(scalars[name]) for name, label in _SHOWN
             if name in scalars}
    seconds, steps = time.monotonic() - self._from[0], step - self._from[1]
    left = f', {_duration(seconds * (self._total - step) / steps)} left' if (
        steps > 0) else ''
    if not self._compiled or steps < 0:  # the first time, or rolled back
      self._from, self._compiled = (time.monotonic(), step), True
    with contextlib.suppress(OSError):  # a full disk, a closed pipe
      if self._bar is not None:
        self._bar.set_postfix(shown, refresh=False)
        self._bar.update(step - self._bar.n)
      else:
        print(f'step {step}/{self._total}', *(
            f'{label} {value}' for label, value in shown.items()),
            f'{self.elapsed} elapsed{left}', sep='  ', file=self._file,
            flush=True)

  def close(self) -> None:
    """Leaves the bar as it stands."""
    if self._bar is not None:
      self._bar.close()


def _duration(seconds):
  text = str(datetime.timedelta(seconds=round(seconds)))
  return text.removeprefix('0:').removeprefix('0')


def _short(value):
  """1.23456 -> '1.235', 51234.5 -> '51,234', None -> 'null'."""
  if value is None:
    return 'null'
  value = float(value)
  return f'{value:,.0f}' if 1e4 <= abs(value) < 1e9 else f'{value:.4g}'


class RowFile(Appender, contextlib.AbstractContextManager):
  """A file of JSON rows, each with its 'step'.

  A row is in the file, where a kill -9 cannot reach it, when it is appended;
  `flush` before a checkpoint is saved makes it safe from a power cut too.
  """

  def __init__(self, path, *, resume_step: int | None = None):
    """Opens the file and drops what is later than the restored step.

    With it go lines that are no rows, such as the torn last line that a kill
    leaves. 0, of a fresh run, drops all; None keeps all.

    Raises:
      OSError: the old rows cannot be read or rewritten.
    """
    super().__init__(path)
    if resume_step is not None:
      self.rewind(resume_step)

  def append_rows(self, rows: list[dict]) -> None:
    """Appends rows at once: a kill leaves all of them or none."""
    if rows:
      self.append(''.join(json.dumps(row, allow_nan=False) + '\n'
                          for row in rows).encode())

  def rewind(self, step: int) -> None:
    """Drops the rows of steps after `step`."""
    Appender.close(self)  # opens again with the next row
    drop_rows(self.path, step)

  def read(self) -> list[dict]:
    """All rows of the file."""
    return [row for _, row in read_rows(self.path) if row is not None]

  def __exit__(self, *_):
    self.close()


class ScoreWriter(RowFile):
  """WORKDIR/scores.jsonl, a row for each score."""

  def __init__(self, workdir, *, resume_step: int | None = None):
    super().__init__(os.path.join(workdir, 'scores.jsonl'),
                     resume_step=resume_step)

  def write(self, step: int, scores) -> None:
    """Appends `Score`s; all their numbers are finite or None."""
    now = time.strftime('%Y-%m-%dT%H:%M:%S%z')
    self.append_rows([{'step': step, **score._asdict(), 'time': now}
                      for score in scores])


class ScalarWriter(RowFile):
  """WORKDIR/scalars.jsonl, a row for each logged step, and TensorBoard files.

  Of tensorboardX only the messages are used: when the disk is full the thread
  of its SummaryWriter dies and the eleventh event blocks the run for ever; and
  two runs within a second write to the same file.
  """

  def __init__(self, workdir, *, resume_step: int):
    self._events = Appender(os.path.join(
        workdir, 'tensorboard',
        f'events.out.tfevents.{time.time():.6f}.{os.getpid()}'))
    self._event(file_version='brain.Event:2')
    super().__init__(os.path.join(workdir, 'scalars.jsonl'),
                     resume_step=resume_step)

  def write(self, step: int, scalars) -> None:
    """Appends the row of a step; NaN, Inf and None become null in it.

    Args:
      step: one row a step, so merge the scores of a step into its row.
      scalars: {name: number, numpy or JAX scalar of shape [], or None}.

    Raises:
      ValueError: a scalar is named 'step' or is no single number.
    """
    if 'step' in scalars:
      raise ValueError("a scalar is named 'step', which is the row's own key; "
                       'rename the scalar')
    row, values = {'step': int(step)}, []
    for name, value in scalars.items():
      try:
        number = math.nan if value is None else float(value)
      except (TypeError, ValueError) as error:
        raise ValueError(f'scalar {name!r} is {value!r}; a scalar is one '
                         'number or None; reduce it, e.g. by its mean'
                         ) from error
      row[name] = number if math.isfinite(number) else None
      if value is not None:
        values.append(Summary.Value(tag=name, simple_value=number))
    self.append_rows([row])
    self._event(step=int(step), summary=Summary(value=values))

  def images(self, step: int, name: str, image) -> None:
    """Adds a picture, uint8 [H, W, C] with C in (1, 3, 4), to TensorBoard."""
    height, width, channels = image.shape
    picture = Summary.Image(height=height, width=width, colorspace=channels,
                            encoded_image_string=pictures.png(image))
    self._event(step=int(step), summary=Summary(
        value=[Summary.Value(tag=name, image=picture)]))

  def rewind(self, step: int) -> None:
    """As that of `RowFile`, in the TensorBoard files too."""
    super().rewind(step)
    # TensorBoard hides the events from this step on that it has seen before.
    self._event(step=step + 1 if step else 0,
                session_log=SessionLog(status=SessionLog.START))

  def flush(self) -> None:
    """Returns when everything written is on the disk."""
    super().flush()
    self._events.flush()

  def close(self) -> None:
    """Flushes and closes the files; may be called twice."""
    super().close()
    self._events.close()

  def _event(self, **fields):
    """Appends a record in TensorFlow's format: length, data, checksums."""
    data = Event(wall_time=time.time(), **fields).SerializeToString()
    size = struct.pack('<Q', len(data))
    self._events.append(b''.join(
        part + struct.pack('<I', masked_crc32c(part)) for part in (size, data)))
