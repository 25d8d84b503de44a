"""Writers for scalars, scores, progress.

A failing log must not end a run: it warns once and the run continues.
"""

import contextlib
import datetime
import json
import logging
import math
import os
import sys
import time

import tqdm

from gan_jax.base import lookup
from gan_jax.base.files import Appender, drop_rows, read_rows

_LOG = logging.getLogger(__name__)
_SHOWN = (('loss/disc', 'loss/disc'), ('loss/gen', 'loss/gen'),
          ('perf/images_per_second', 'images/s'))


class ProgressBar:
  """A progress bar on a terminal or in a notebook, else lines.

  It says that the first call compiles, which may take a minute.
  """

  def __init__(self, total: int, *, initial: int = 0, file=None):
    """Counts `total` steps from `initial` on; `file` is stderr by default."""
    self._file = sys.stderr if file is None else file
    self._total, self._bar, self._compiled = total, None, False
    self._begin = time.monotonic()
    self._from = self._begin, initial  # what the speed is measured from
    if 'ipykernel' in sys.modules or _has_width(self._file):
      self._bar = tqdm.tqdm(total=total, initial=initial, file=self._file,
                            dynamic_ncols=True, unit='step', desc='compiling')
    elif initial < total:
      with contextlib.suppress(OSError):
        print(f'step {initial}/{total}  compiling', file=self._file, flush=True)

  def update(self, step: int, scalars) -> None:
    """Moves to `step` and shows some of `scalars` {name: number or None}."""
    shown = {label: _short(scalars[name]) for name, label in _SHOWN
             if name in scalars}
    seconds, steps = time.monotonic() - self._from[0], step - self._from[1]
    # Of the first rows, which compile, nothing follows for the others.
    known = steps > 0 and (self._compiled or step == self._total)
    left = f', {duration(seconds * (self._total - step) / steps)} left' if (
        known) else ''
    if not self._compiled or steps < 0:  # the first time, or rolled back
      self._from, self._compiled = (time.monotonic(), step), True
    with contextlib.suppress(OSError):  # a full disk, a closed pipe
      if self._bar is not None:
        self._bar.set_description_str('', refresh=False)
        self._bar.set_postfix(shown, refresh=False)
        self._bar.update(step - self._bar.n)
      else:
        elapsed = duration(time.monotonic() - self._begin)
        print(f'step {step}/{self._total}', *(
            f'{label} {value}' for label, value in shown.items()),
            f'{elapsed} elapsed{left}', sep='  ', file=self._file, flush=True)

  def close(self) -> None:
    """Leaves the bar as it is."""
    if self._bar is not None:
      self._bar.close()


def _has_width(file) -> bool:
  """Whether it is a terminal, not of 0 columns, where tqdm shows nothing."""
  try:
    return file.isatty() and os.get_terminal_size(file.fileno()).columns > 0
  except OSError:  # No file of the system.
    return True


def duration(seconds: float) -> str:
  """'1:23' or '10:01:23'."""
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

  An appended row survives a kill -9; after `flush`, also a power cut.
  """

  def __init__(self, path, *, resume_step: int | None = None):
    """Opens the file and drops rows after the restored step, and broken lines.

    `resume_step` 0 (a fresh run) drops all. None is for what writes beside the
    run: it keeps all, and OSError is raised where a row cannot be written.

    Raises:
      OSError: the old rows cannot be read or rewritten.
    """
    super().__init__(path, strict=resume_step is None)
    if resume_step is not None:
      self.rewind(resume_step)
      return
    with contextlib.suppress(OSError), open(path, 'rb') as file:
      file.seek(-1, os.SEEK_END)
      if file.read() != b'\n':  # Else a torn line would take the next along.
        self._waiting.append(b'\n')

  def append_rows(self, rows: list[dict]) -> None:
    """Appends rows atomically."""
    if rows:
      self.append(''.join(json.dumps(row, allow_nan=False) + '\n'
                          for row in rows).encode())

  def rewind(self, step: int) -> None:
    """Drops the rows of steps after `step`."""
    Appender.close(self)  # opens again with the next row
    drop_rows(self.path, step)

  def read(self) -> list[dict]:
    """All rows of the file."""
    return read_rows(self.path)

  def __exit__(self, *_):
    self.close()


class ScoreWriter(RowFile):
  """Writes WORKDIR/scores.jsonl, a row for each score."""

  def __init__(self, workdir, *, resume_step: int | None = None):
    super().__init__(os.path.join(workdir, 'scores.jsonl'),
                     resume_step=resume_step)

  def write(self, step: int, scores) -> None:
    """Appends `Score`s; all their numbers are finite or None."""
    now = time.strftime('%Y-%m-%dT%H:%M:%S%z')
    self.append_rows([{'step': step, **score._asdict(), 'time': now}
                      for score in scores])


class ScalarWriter(RowFile):
  """Writes WORKDIR/scalars.jsonl, a row per logged step, and to the loggers."""

  def __init__(self, workdir, *, resume_step: int, loggers=(), config=None):
    """Opens the file and the `gan_jax.loggers`, which are given the config."""
    self._loggers = list(loggers)
    self._tell('open', workdir, resume_step, config or {})
    super().__init__(os.path.join(workdir, 'scalars.jsonl'),
                     resume_step=resume_step)

  def write(self, step: int, scalars) -> None:
    """Appends the one row of a step; NaN, Inf and None become null.

    Scalars are {name: number, numpy or JAX scalar of shape [], or None}.

    Raises:
      ValueError: a scalar is named 'step' or is not a single number.
    """
    if 'step' in scalars:
      raise ValueError("a scalar is named 'step', which is the row's own key; "
                       'rename the scalar')
    row, values = {'step': int(step)}, {}
    for name, value in scalars.items():
      try:
        number = math.nan if value is None else float(value)
      except (TypeError, ValueError) as error:
        raise ValueError(f'scalar {name!r} is {value!r}; a scalar is one '
                         'number or None; reduce it, e.g. by its mean'
                         ) from error
      row[name] = number if math.isfinite(number) else None
      if value is not None:
        values[name] = number
    self.append_rows([row])
    self._tell('write', int(step), values)

  def image(self, step: int, name: str, image) -> None:
    """Sends an image, uint8 [H, W, C] with C in (1, 3, 4), to the loggers."""
    self._tell('image', int(step), name, image)

  def rewind(self, step: int) -> None:
    """As `RowFile.rewind`, and tells the loggers."""
    super().rewind(step)
    self._tell('rewind', step)

  def flush(self) -> None:
    """Fsyncs everything written."""
    super().flush()
    self._tell('flush')

  def close(self) -> None:
    """Flushes and closes the files; idempotent."""
    super().close()
    self._tell('close')

  def _tell(self, what, *args):
    """Calls a method of each logger, and drops those that fail."""
    for logger in tuple(self._loggers):
      try:
        getattr(logger, what)(*args)
      except Exception as e:
        self._loggers.remove(logger)
        with contextlib.suppress(Exception):
          logger.close()
        _LOG.warning('logger %s failed and is dropped for this run: %s',
                     type(logger).__name__, lookup.failure(e, type(logger)))
