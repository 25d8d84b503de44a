"""scores.jsonl: every score with all that made it."""

import json
import pathlib
import time

from gan_jax.writers.files import Appender
from gan_jax.writers.rows import drop_rows, read_rows


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
