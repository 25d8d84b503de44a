"""What a run writes while it trains: scalars, scores, a progress bar.

A log must never end a run: where the disk is full or a write fails, there is
one warning with the path and the free bytes, and the run goes on.
"""

import json
import math
import os
import pathlib
import struct
import sys
import time

import tqdm
from tensorboardX.crc32c import crc32c
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.proto.summary_pb2 import Summary

from gan_jax import pictures
from gan_jax.base.files import Appender, drop_rows, read_rows

_SHOWN = (('loss/disc', 'loss/disc'), ('loss/gen', 'loss/gen'),
          ('perf/images_per_second', 'images/s'))


class ProgressBar:
  """Shows how far a run is: a bar on a terminal, else one line per update."""

  def __init__(self, total, *, initial=0, file=None, show=_SHOWN):
    """Starts the bar.

    Args:
      total: steps of the whole run.
      initial: step that it starts from.
      file: text stream, standard error by default.
      show: (name, label) of the scalars to show; missing ones are skipped.
    """
    self._file = sys.stderr if file is None else file
    self._total, self._show, self._bar = total, show, None
    if self._file.isatty():
      self._bar = tqdm.tqdm(total=total, initial=initial, file=self._file,
                            dynamic_ncols=True, unit='step')

  def update(self, step, scalars):
    """Moves to `step` and shows some of `scalars` {name: number or None}."""
    shown = {label: _short(scalars[name]) for name, label in self._show
             if name in scalars}
    try:
      if self._bar is None:
        parts = [f'step {step}/{self._total}']
        parts += [f'{label} {value}' for label, value in shown.items()]
        print('  '.join(parts), file=self._file, flush=True)
      else:
        self._bar.set_postfix(shown, refresh=False)
        self._bar.update(step - self._bar.n)
    except OSError:
      pass  # a log on a full disk, a closed pipe: no reason to end the run

  def close(self):
    """Leaves the bar as it stands."""
    if self._bar is not None:
      self._bar.close()

  def __enter__(self):
    """Returns itself."""
    return self

  def __exit__(self, *_):
    """Closes it."""
    self.close()


def _short(value):
  """1.23456 -> '1.235', 51234.5 -> '51,234', None -> 'null'."""
  if value is None:
    return 'null'
  value = float(value)
  return f'{value:,.0f}' if 1e4 <= abs(value) < 1e9 else f'{value:.4g}'


class ScalarWriter:
  """Writes scalars.jsonl and TensorBoard files into a workdir.

  A row is in the file, where a kill -9 cannot reach it, when `write` returns;
  call `flush` before a checkpoint is saved to be safe from a power cut too.

  tensorboardX's own SummaryWriter is not used, only its messages: when the
  disk is full its thread dies and the eleventh event blocks the run for ever;
  and two runs within a second write to the same file.
  """

  def __init__(self, workdir, *, resume_step):
    """Removes what a run that is being resumed logged after its checkpoint.

    Args:
      workdir: folder; made if missing.
      resume_step: step of the restored checkpoint; rows of later steps, and
        lines that are no rows, such as the torn last line that a kill leaves,
        are dropped atomically.  0 is a fresh run: every row is dropped.

    Raises:
      OSError: the old rows cannot be read or rewritten.
    """
    self._path = pathlib.Path(workdir) / 'scalars.jsonl'
    self._events = Appender(
        pathlib.Path(workdir) / 'tensorboard' /
        f'events.out.tfevents.{time.time():.6f}.{os.getpid()}')
    self._event(file_version='brain.Event:2')
    self._begin(resume_step)

  def write(self, step, scalars):
    """Appends one row; NaN, Inf and None become null in scalars.jsonl.

    Args:
      step: int; one row a step, so merge the scores of a step into its row.
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
    self._rows.append(json.dumps(row, allow_nan=False).encode() + b'\n')
    self._event(step=int(step), summary=Summary(value=values))

  def images(self, step, name, image):
    """Adds a picture, uint8 [H, W, C] with C in (1, 3, 4), to TensorBoard."""
    height, width, channels = image.shape
    picture = Summary.Image(height=height, width=width, colorspace=channels,
                            encoded_image_string=pictures.png(image))
    self._event(step=int(step), summary=Summary(
        value=[Summary.Value(tag=name, image=picture)]))

  def rewind(self, step):
    """Goes back: removes what was logged after `step`, as at the start.

    Raises:
      OSError: the old rows cannot be read or rewritten.
    """
    self._rows.close()
    self._begin(step)

  def read(self):
    """Returns the rows of scalars.jsonl, a list of dicts with 'step'."""
    return [row for _, row in read_rows(self._path) if row is not None]

  def flush(self):
    """Returns when everything written is on the disk."""
    self._rows.flush()
    self._events.flush()

  def close(self):
    """Flushes and closes the files; may be called twice."""
    self._rows.close()
    self._events.close()

  def __enter__(self):
    """Returns itself."""
    return self

  def __exit__(self, *_):
    """Closes it."""
    self.close()

  def _begin(self, step):
    drop_rows(self._path, step)
    self._rows = Appender(self._path)
    # TensorBoard hides the events from this step on that it has seen before.
    self._event(step=step + 1 if step else 0,
                session_log=SessionLog(status=SessionLog.START))

  def _event(self, **fields):
    data = Event(wall_time=time.time(), **fields).SerializeToString()
    size = struct.pack('<Q', len(data))
    self._events.append(size + _checksum(size) + data + _checksum(data))


def _checksum(data):
  """The masked CRC of TensorFlow's record format, 4 bytes."""
  crc = crc32c(data)
  return struct.pack(
      '<I', ((crc >> 15 | crc << 17) + 0xa282ead8) & 0xffffffff)


class ScoreWriter:
  """Appends the scores of a run to WORKDIR/scores.jsonl, a line for each."""

  def __init__(self, workdir, *, resume_step: int | None = None):
    """Opens the file.

    Args:
      workdir: folder; made if missing.
      resume_step: drops the scores of later steps, as a run does that goes on
        from there; None keeps all.

    Raises:
      OSError: the old lines cannot be read or rewritten.
    """
    self._path = pathlib.Path(workdir) / 'scores.jsonl'
    if resume_step is not None:
      drop_rows(self._path, resume_step)
    self._rows = Appender(self._path)

  def write(self, step: int, scores) -> None:
    """Appends `Score`s; all their numbers are finite or None."""
    time_ = time.strftime('%Y-%m-%dT%H:%M:%S%z')
    rows = [json.dumps({'step': step, **score._asdict(), 'time': time_},
                       allow_nan=False) for score in scores]
    if rows:  # At once: a kill leaves all of them or none.
      self._rows.append('\n'.join(rows).encode() + b'\n')

  def rewind(self, step: int) -> None:
    """Drops the scores of steps after `step`.

    Raises:
      OSError: the old lines cannot be read or rewritten.
    """
    self._rows.close()
    drop_rows(self._path, step)
    self._rows = Appender(self._path)

  def read(self) -> list[dict]:
    """All rows of the file."""
    return [row for _, row in read_rows(self._path) if row is not None]

  def flush(self) -> None:
    """Returns when everything written is on the disk."""
    self._rows.flush()

  def close(self) -> None:
    """Flushes and closes the file."""
    self._rows.close()

  def __enter__(self):
    """Returns itself."""
    return self

  def __exit__(self, *_):
    """Closes it."""
    self.close()
