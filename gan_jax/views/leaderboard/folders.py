"""Folders of runs: which there are, whether they changed, what they say."""

import contextlib
import errno
import glob
import json
import os
import re
import statistics

from gan_jax.base.errors import WorkdirError
from gan_jax.base.files import read_rows, short_hash, utf8
from gan_jax.config import fields
from gan_jax.run import status

# What the row of a run is made of. The first one makes a folder a run.
_FILES = ('config.json', 'launches.jsonl', 'checkpoints', 'scores.jsonl',
          'scalars.jsonl', 'nonfinite.json', 'lock')
_ABSENT = (-1, -1)
NO_RUN = _ABSENT * len(_FILES)  # only log.txt: it failed at its start
_TAIL = 2**16  # bytes of scalars.jsonl from which the speed is read
# Of a score's protocol, what must be equal for scores of one name to compare.
_SETTINGS = ('extractor_sha256', 'data_fingerprint', 'num_real', 'num_test',
             'num_validation', 'weights', 'likelihood', 'sigma', 'chains',
             'temperatures', 'leapfrogs')
_SPEED = re.compile(rb'"perf/images_per_second": ([\d.e+-]+)')


def find(patterns) -> dict[str, tuple]:
  """{run folder: its stamp} of what matches, sorted, each once.

  A stamp has date and size of each of the files; it changes when one does.

  Raises:
    WorkdirError: no run at all, or a pattern that nothing matches.
  """
  found, lost = {}, []
  for pattern in patterns:
    # A folder may be named penalties[0].weight=1, which is a pattern too.
    plain = not glob.has_magic(pattern) or os.path.isdir(pattern)
    paths = [pattern] if plain else glob.glob(pattern)
    if not any(map(os.path.lexists, paths)):
      lost.append(pattern)
    for path in paths:
      found |= _runs_at(path)
  if lost or not found:
    raise WorkdirError(
        f'no run in {", ".join(lost or patterns) or "no folder"}: give the '
        "folders of runs, for example 'runs/sweep/*'")
  return dict(sorted(found.items()))


def _runs_at(path) -> dict[str, tuple]:
  """The run of a folder, or those below it."""
  if stamp := _stamp(path):
    return {path: stamp}
  found = {}
  with contextlib.suppress(OSError):  # It is a file, or has just gone.
    with os.scandir(path) as entries:
      below = [entry.path for entry in entries
               if entry.is_dir(follow_symlinks=False)
               and not entry.name.startswith('.')]
    for name in below:
      found |= _runs_at(name)
  if not found and os.path.exists(os.path.join(path, 'log.txt')):
    return {path: NO_RUN}
  return found


def _stamp(folder) -> tuple | None:
  """(date, size, date, size, ...) of the files; None if it is no run."""
  found = ()
  for name in _FILES:
    try:
      # The date of the last change of any kind, which nothing can set back.
      one = os.stat(f'{folder}/{name}')
      found += one.st_ctime_ns, one.st_size
    except OSError as e:
      if not found and e.errno in (errno.ENOENT, errno.ENOTDIR):
        return None
      found += _ABSENT
  return found


def may_run(stamp) -> bool:
  """Whether the lock of a run names a process, which may have ended."""
  return stamp[-1] > 0


def read(folder, stamp) -> tuple[dict, dict, list[dict]]:
  """(columns of `runs`, flat config, rows of `scores`) of a run folder."""
  columns = dict.fromkeys(('config', 'seed', 'images', 'seconds'))
  columns |= {'status': 'never started', 'step': 0}
  if stamp == NO_RUN:
    return columns, {}, []
  try:
    with open(os.path.join(folder, 'config.json'), 'rb') as file:
      config = json.load(file)
    if not isinstance(config, dict) or not config:
      raise ValueError('it is no config')
    flat, scores = fields.flat(config), _scores(folder)
  except (OSError, ValueError) as e:
    name = getattr(e, 'filename', None) or os.path.join(folder, 'config.json')
    said = e.strerror if isinstance(e, OSError) else e
    columns['status'] = f'unreadable: {os.path.basename(name)}: {said}'
    return columns, {}, []
  progress = status.read(folder)
  images = [progress.step, config.get('batch_size'),
            config.get('disc_steps', 1)]
  if all(isinstance(number, int) for number in images):
    columns['images'] = images[0] * images[1] * images[2]
  if columns['images'] and (speed := _speed(folder)):
    columns['seconds'] = columns['images'] / speed
  return columns | {
      'config': short_hash(config), 'seed': native(config.get('seed')),
      'status': status.ended(folder, progress),
      'step': progress.step}, flat, scores


def settings_of(row) -> list:
  """What must be equal in rows of scores.jsonl for them to compare."""
  how = row.get('protocol') or {}
  return [how.get(key) for key in _SETTINGS]


def _scores(folder) -> list[dict]:
  """Scores of the last scored step.

  Equal names of different settings get columns of their own.
  """
  rows = [row for row in read_rows(os.path.join(folder, 'scores.jsonl'))
          if isinstance(row.get('name'), str)
          and isinstance(row.get('value'), int | float | None)]
  last, found = max((row['step'] for row in rows), default=0), {}
  for row in rows:
    if row['step'] == last:
      name = utf8(row['name'])
      score = f'{name} ({short_hash(settings_of(row))[:6]})'
      found[score] = {'score': score, 'name': name, 'step': last,
                      'value': row['value'], 'floor': row.get('floor')}
  return list(found.values())


def _speed(folder) -> float | None:
  """Images per second, the median of the last rows; None if unknown."""
  with contextlib.suppress(OSError):
    with open(os.path.join(folder, 'scalars.jsonl'), 'rb') as file:
      file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
      speeds = [*map(float, _SPEED.findall(file.read()))]
    return statistics.median(speeds) if speeds else None
  return None


def native(value):
  """A value of a config as SQLite compares it: a number, or a text."""
  if isinstance(value, float) or (
      type(value) is int and abs(value) < 2**63):
    return value
  return utf8(value)
