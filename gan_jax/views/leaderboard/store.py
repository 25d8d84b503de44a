"""The index of a folder of runs, in SQLite: all that a leaderboard reads.

RUNS/.runs.sqlite, where RUNS is the folder that all runs asked for lie in, has
what the files of each run say. It is a cache that may be deleted at any time:
each reading looks at the dates of the files of all runs, and reads again what
has changed. Where it cannot be written, it is in the cache folder, or in
memory.

Several processes may use it at once, by SQLite's own locks. Its journal is the
default one: write-ahead logs need shared memory, which network file systems do
not have.
"""

import contextlib
import json
import logging
import os
import re
import sqlite3
import struct
import time
from typing import Any, NamedTuple

from gan_jax.base.errors import WorkdirError
from gan_jax.base.files import short_hash, utf8
from gan_jax.run import lock
from gan_jax.views.leaderboard import filters, folders

_LOG = logging.getLogger(__name__)
NAME = '.runs.sqlite'
LAYOUT = 3  # of the tables below, and of what is in them
_NEW = 2 * 10**9  # ns; a file may change twice at one date of its file system
_BATCH = 500  # runs written at once
# Keys that do not affect training, and so make no other point. The watchdog is
# not among them: it may roll back or stop.
_ASIDE = ('seed', 'log_every', 'sample_every', 'sample_grid', 'eval_every',
          'evaluators', 'loggers', 'best_metric', 'checkpoint_every',
          'keep_checkpoints')
# Ids are not used twice, so that `settings` of a removed run are nobody's.
_TABLES = ('''
CREATE TABLE runs (id INTEGER PRIMARY KEY AUTOINCREMENT,
                   folder TEXT NOT NULL UNIQUE, stamp BLOB, config TEXT,
                   kind TEXT, status TEXT, seed, step INTEGER, images INTEGER,
                   seconds REAL)''', '''
CREATE TABLE parts (id INTEGER PRIMARY KEY, key TEXT NOT NULL,
                    json TEXT NOT NULL, value, UNIQUE (key, json))''', '''
CREATE TABLE settings (run INTEGER, part INTEGER, PRIMARY KEY (part, run))
WITHOUT ROWID''', '''
CREATE TABLE scores (run INTEGER, place INTEGER, score TEXT, name TEXT,
                     step INTEGER, value REAL, floor REAL,
                     PRIMARY KEY (run, place)) WITHOUT ROWID''')
# Errors of the place of an index, not of its content.
_PLACE = ('SQLITE_BUSY', 'SQLITE_LOCKED', 'SQLITE_READONLY', 'SQLITE_CANTOPEN',
          'SQLITE_IOERR', 'SQLITE_FULL', 'SQLITE_PERM', 'SQLITE_AUTH')


class Score(NamedTuple):
  """One score of a run, at its last scored step.

  score: name, with a hash of how it was measured: equal ones compare.
  step: that was scored.
  value, floor: the score, and that of real examples; or None.
  """

  score: str
  step: int
  value: float | None
  floor: float | None


class Run(NamedTuple):
  """A run, as its files say.

  folder: as it was asked for.
  status: 'finished', 'running', 'stopped at step 300 of 1000', 'not finite',
    'never started', or 'unreadable: why'.
  has_config: False if it never started, or is unreadable.
  seed: of the config.
  last_step: of its newest checkpoint.
  images: real images that the discriminator has seen by then; None if unknown.
  seconds: that these steps take at the speed of the last rows of
    scalars.jsonl, without compilation and scores; None if it is unknown.
  scores: in the order of scores.jsonl.
  settings: {key of the config: value} of those in which the runs asked for
    differ, without keys that do not affect training, and arguments that all
    runs with the same component have alike.
  best_metric: the score that its config names, or ''.
  """

  folder: str
  status: str
  has_config: bool
  seed: Any
  last_step: int
  images: int | None
  seconds: float | None
  scores: tuple[Score, ...]
  settings: dict[str, Any]
  best_metric: str = ''


def read(patterns, where: str = '') -> list[Run]:
  """Reads runs, by their index, sorted by folder.

  Args:
    patterns: folders, or patterns such as 'runs/sweep/*'. A folder that is no
      run stands for all runs below it.
    where: see `filters`.

  Raises:
    WorkdirError: no run there, or none that `where` selects.
    RequestError: `where` cannot be read, or names an unknown key.
  """
  return _ask(patterns, where, _runs)


def used(patterns, where: str = '') -> dict[str, list]:
  """{key of a config: its values} of all these runs; as `read`."""
  return _ask(patterns, where, _values)


def _ask(patterns, where, question):
  """The answer to question(index, {path in the index: folder}) of the runs."""
  conditions, now = filters.parse(where), time.time_ns()
  found = folders.find(patterns)
  root, names = _rooted(found)
  for place in _places(root):
    for last in (False, True):
      try:
        with contextlib.closing(_opened(place)) as index:
          _update(index, root, names, found, now)
          index.execute('BEGIN')  # All of one state, whatever others write.
          if not _choose(index, names, found, conditions):
            raise WorkdirError(f'--where={where}: none of the {len(names):,} '
                               'runs there is such a run')
          return question(index, names)
      except (sqlite3.Error, OSError) as e:
        name = getattr(e, 'sqlite_errorname', _PLACE[0])
        if last or name.startswith(_PLACE):
          _LOG.info('%s: %s; the index is elsewhere', place, e)
          break
        _LOG.info('%s: %s; it is made anew', place, e)
        _remove(place)
  raise WorkdirError(f'{root}: no index of the runs can be made, in memory '
                     'either; see the messages above')


def _rooted(found) -> tuple[str, dict[str, str]]:
  """(the folder they all lie in, {path from there: folder})."""
  parents, paths = {}, {}
  for folder in found:
    name = folder.rpartition('/')[2]
    path = folder if name not in ('', '.', '..') else os.path.abspath(folder)
    name = path.rpartition('/')[2]
    parent = path[:len(path) - len(name)]
    if parent not in parents:  # It takes long for each run.
      parents[parent] = os.path.abspath(parent)
    paths.setdefault(f'{parents[parent].rstrip("/")}/{name}', folder)
  root = os.path.commonpath(parents.values())
  return root, {utf8(path[len(root.rstrip('/')) + 1:]): folder
                for path, folder in paths.items()}


def _places(root):
  """Where the index may be, the best first."""
  if root != os.path.sep:
    yield os.path.join(root, NAME)
  from gan_jax.data import cache  # Here: it takes as long as all the rest.
  yield os.path.join(cache.root(), 'runs', f'{short_hash(root)}.sqlite')
  yield ':memory:'


def _opened(place) -> sqlite3.Connection:
  """Opens an index, and makes its tables if they are missing or of old."""
  os.makedirs(os.path.dirname(place) or '.', exist_ok=True)
  index = sqlite3.connect(place, timeout=30, isolation_level=None)
  try:
    index.execute('PRAGMA temp_store = MEMORY')
    if _layout(index) != LAYOUT:
      with _writing(index):
        if _layout(index) != LAYOUT:  # Another process may have made them.
          for (name,) in index.execute(
              "SELECT name FROM sqlite_master WHERE type = 'table' AND name "
              "NOT LIKE 'sqlite_%'").fetchall():
            index.execute(f'DROP TABLE "{name}"')
          for table in _TABLES:
            index.execute(table)
          index.execute(f'PRAGMA user_version = {LAYOUT}')
  except BaseException:
    index.close()
    raise
  return index


def _layout(index):
  return index.execute('PRAGMA user_version').fetchone()[0]


def _remove(place):
  for path in (f'{place}-journal', place):
    with contextlib.suppress(OSError):
      os.remove(path)


@contextlib.contextmanager
def _writing(index):
  """A transaction that others wait for."""
  index.execute('BEGIN IMMEDIATE')
  try:
    yield
    index.execute('COMMIT')
  except BaseException:
    with contextlib.suppress(sqlite3.Error):  # It may have ended by itself.
      index.execute('ROLLBACK')
    raise


# From the folders into the index.


def _update(index, root, names, found, now) -> None:
  """Reads what has changed since, and forgets the runs that are gone."""
  stamps = {name: struct.pack(f'{len(stamp)}q', *stamp)
            for name, stamp in ((n, found[f]) for n, f in names.items())}
  known = dict(index.execute('SELECT folder, stamp FROM runs'))
  changed = [name for name, stamp in stamps.items() if known.get(name) != stamp]
  gone = [name for name in known.keys() - names.keys()
          if not os.path.isdir(os.path.join(root, name))]
  for start in range(0, len(changed), _BATCH):
    rows = [(name, stamps[name] if max(found[names[name]]) < now - _NEW
             else None, *folders.read(names[name], found[names[name]]))
            for name in changed[start:start + _BATCH]]
    with _writing(index):
      _put(index, rows)
  if gone:
    with _writing(index):
      index.executemany('DELETE FROM runs WHERE folder = ?',
                        [(name,) for name in gone])
      _tidy(index)


def _put(index, rows) -> None:
  """Writes (name, stamp, columns, flat config, scores) of runs."""
  parts, replaced = {}, False
  for name, stamp, columns, flat, scores in rows:
    columns = columns | {'folder': name, 'stamp': stamp, 'kind': re.split(
        ' at |: ', columns['status'])[0]}
    before = index.execute('SELECT id, config FROM runs WHERE folder = ?',
                           (name,)).fetchone()
    if before and before[1] == columns['config']:
      run = before[0]
      index.execute(
          f'UPDATE runs SET {", ".join(f"{key} = :{key}" for key in columns)} '
          'WHERE folder = :folder', columns)
      index.execute('DELETE FROM scores WHERE run = ?', (run,))
    else:
      if before:
        replaced = True
        index.execute('DELETE FROM runs WHERE id = ?', before[:1])
      run = index.execute(
          f'INSERT INTO runs ({", ".join(columns)}) VALUES '
          f'({", ".join(f":{k}" for k in columns)})', columns).lastrowid
      index.executemany('INSERT INTO settings VALUES (?, ?)', [
          (run, _part(index, parts, key, value))
          for key, value in flat.items()])
    index.executemany(
        'INSERT INTO scores VALUES (:run, :place, :score, :name, :step, :value,'
        ' :floor)', [{'run': run, 'place': place, **score}
                     for place, score in enumerate(scores)])
  if replaced:
    _tidy(index)


def _part(index, parts, key, value) -> int:
  """The id of a value of a key; `parts` has those of this transaction."""
  part = utf8(key), json.dumps(value)
  if part not in parts:
    index.execute('INSERT OR IGNORE INTO parts (key, json, value) VALUES '
                  '(?, ?, ?)', (*part, folders.native(value)))
    parts[part] = index.execute('SELECT id FROM parts WHERE key = ? AND json '
                                '= ?', part).fetchone()[0]
  return parts[part]


def _tidy(index):
  """Removes what belongs to runs that are no more."""
  for table in ('settings', 'scores'):
    index.execute(f'DELETE FROM {table} WHERE run NOT IN '
                  '(SELECT id FROM runs)')
  index.execute('DELETE FROM parts WHERE id NOT IN '
                '(SELECT part FROM settings)')


# Out of the index.


def _choose(index, names, found, conditions) -> int:
  """Enters the runs asked for into the table `wanted`; returns their number."""
  index.execute('CREATE TEMP TABLE wanted (id INTEGER PRIMARY KEY, held)')
  index.executemany('INSERT INTO wanted VALUES (?, ?)', [
      (run, folders.may_run(found[names[name]]) and lock.is_held(names[name]))
      for run, name in index.execute('SELECT id, folder FROM runs')
      if name in names])
  if conditions:
    scores = {text for row in index.execute(
        'SELECT DISTINCT score, name FROM scores') for text in row}
    filters.check(conditions, [key for (key,) in index.execute(
        'SELECT DISTINCT key FROM parts')], scores)
    tests, bound = zip(*(filters.as_sql(condition, scores)
                         for condition in conditions), strict=True)
    index.execute(
        'DELETE FROM wanted WHERE id NOT IN (SELECT run FROM (SELECT id AS run,'
        ' * FROM wanted JOIN runs USING (id)) WHERE '
        f'{" AND ".join(tests)})', [value for part in bound for value in part])
  return index.execute('SELECT count(*) FROM wanted').fetchone()[0]


def _runs(index, names) -> list[Run]:
  """The runs of `wanted`, in the order of `names`."""
  settings, scores = _without_told(_differing(index)), {}
  metrics = {run: json.loads(text) for run, text in index.execute(
      'SELECT run, json FROM settings JOIN parts ON part = parts.id '
      "WHERE key = 'best_metric' AND run IN (SELECT id FROM wanted)")}
  for run, *score in index.execute(
      'SELECT run, score, step, value, floor FROM wanted JOIN scores ON '
      'wanted.id = run ORDER BY run, place'):
    scores.setdefault(run, []).append(Score(*score))
  runs = {name: Run(names[name], 'running' if held else said, has_config, seed,
                    step, images, seconds, tuple(scores.get(run, ())),
                    settings.get(run, {}), metrics.get(run) or '')
          for run, name, held, said, has_config, seed, step, images, seconds in
          index.execute(
              'SELECT id, folder, held, status, config IS NOT NULL, seed, step,'
              ' images, seconds FROM wanted JOIN runs USING (id)')}
  return [runs[name] for name in names if name in runs]


def _values(index, names) -> dict[str, list]:
  """{key: values} of the configs of `wanted`."""
  del names
  found = {}
  for key, text in index.execute(
      'SELECT key, json FROM parts WHERE id IN (SELECT part FROM settings '
      'WHERE run IN (SELECT id FROM wanted)) ORDER BY key, id'):
    found.setdefault(key, []).append(json.loads(text))
  return found


def _differing(index) -> dict[int, dict]:
  """{run: {key: value}} of values that not all of `wanted` have."""
  parts = {part: (key, json.loads(text)) for part, key, text in index.execute(
      'SELECT part, key, json FROM (SELECT part, count(*) AS runs FROM settings'
      ' WHERE run IN (SELECT id FROM wanted) GROUP BY part) JOIN parts ON '
      'parts.id = part WHERE runs < (SELECT count(*) FROM wanted JOIN runs '
      'USING (id) WHERE config IS NOT NULL)')
      if re.split(r'[.[]', key)[0] not in _ASIDE}
  index.execute('CREATE TEMP TABLE differing (part INTEGER PRIMARY KEY)')
  index.executemany('INSERT INTO differing VALUES (?)',
                    [(part,) for part in parts])
  found = {}
  # The plus: look up each part, not each pair of a part and a run.
  for run, part in index.execute(
      'SELECT run, part FROM differing CROSS JOIN settings USING (part) '
      'WHERE +run IN (SELECT id FROM wanted)'):
    key, value = parts[part]
    found.setdefault(run, {})[key] = value
  return found


def _without_told(found) -> dict[int, dict]:
  """Without arguments that the name of their component tells.

  Of least_squares and hinge, gen_target if it is 1 wherever there is one.
  """
  groups, told = {}, {run: set() for run in found}
  for run, settings in found.items():
    for key, value in settings.items():
      if key.endswith('.name'):
        groups.setdefault((key, str(value)), []).append(run)
  for (name, _), runs in groups.items():
    for key, value in found[runs[0]].items():
      if key != name and key.startswith(name.removesuffix('name')) and all(
          key in found[run] and found[run][key] == value for run in runs):
        for run in runs:
          told[run].add(key)
  return {run: {key: value for key, value in settings.items()
                if key not in told[run]} for run, settings in found.items()}
