"""Files of JSON lines with a step each."""

import json
import logging
import pathlib

from gan_jax.writers.files import write_file

_log = logging.getLogger(__name__)


def read_rows(path):
  """[(line, row or None if the line is no row)]; [] if there is no file."""
  try:
    lines = pathlib.Path(path).read_bytes().split(b'\n')
  except FileNotFoundError:
    return []
  result = []
  for line in filter(None, lines):
    try:
      row = json.loads(line)
    except ValueError:  # UnicodeDecodeError is one too
      row = None
    if not isinstance(row, dict) or not isinstance(row.get('step'), int):
      row = None
    result.append((line, row))
  return result


def drop_rows(path, resume_step):
  """Rewrites the file without rows after `resume_step` and broken lines."""
  rows = read_rows(path)
  keep = [line for line, row in rows
          if resume_step and row and row['step'] <= resume_step]
  data = b''.join(line + b'\n' for line in keep)
  if rows and data != path.read_bytes():
    write_file(path, data)
    broken = sum(row is None for _, row in rows)
    _log.info('%s: dropped %d rows after step %d and %d broken lines', path,
              len(rows) - len(keep) - broken, resume_step, broken)
