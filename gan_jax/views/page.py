"""The page of runs: a folder that a browser opens, from a disk or a server.

`index.html` has the words and tables, `data.js` what changes while a run goes
on: curves, grids, and the same tables. Beside them lie the program of the page
and uPlot, which draws the curves, so that nothing is fetched from elsewhere.
"""

import json
import os
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gan_jax import pictures
from gan_jax.base.errors import WorkdirError
from gan_jax.base.files import write_file
from gan_jax.config import fields
from gan_jax.metrics import low_is_better
from gan_jax.views import compare
from gan_jax.views.records import Record, thin
from gan_jax.views.templates import asset, fill

ASSETS = ('report.js', 'report.css', 'uPlot.iife.min.js', 'uPlot.min.css',
          'LICENSE-uPlot.txt')
_POINTS = 3000  # of a curve; of many runs fewer of each
_FEWEST = 300
# What training has drawn, for browsers that run no program.
_TRAINING = ('curves.png', 'training.gif')


class Picture(NamedTuple):
  """A picture on the page; report.html has the words that never change."""

  file: str  # as seen from the page
  pixels: np.ndarray | None = None  # uint8; None for a file that is there
  note: str = ''  # what is particular to this run
  size: Sequence[int] = ()  # height and width


class Page:
  """One run, or several over each other, in a folder `out`."""

  def __init__(self, folders: Sequence[str], out: str):
    """Reads the runs.

    Raises:
      WorkdirError: a folder that is no run, or cannot be read.
    """
    self.records, self.out = [Record(folder) for folder in folders], out

  @property
  def version(self) -> str:
    """Another text wherever something is new."""
    return ' '.join(record.version for record in self.records)

  def data(self, *, following: bool = False) -> bytes:
    """data.js of this moment."""
    for record in self.records:
      record.read()
    most = max(_FEWEST, _POINTS // len(self.records))
    return b'DATA = ' + json.dumps({
        'following': following, 'tables': self.tables(), 'runs': [
            {'name': name, 'curves': _curves(record, most),
             'scores': _scores(record), 'grids': record.grids(),
             'samples': self._seen(record.folder, 'samples')}
            for name, record in zip(self._names(), self.records, strict=True)]
    }, allow_nan=False, separators=(',', ':')).encode() + b';\n'

  def tables(self) -> dict[str, str]:
    """{part of the page: its HTML}."""
    one = self.records[0] if len(self.records) == 1 else None
    found = {'findings': [
        (name if not one else '', *row) for name, record in zip(
            self._names(), self.records, strict=True)
        for row in record.findings()]}
    values = {'low_is_better': low_is_better, 'flat': _flat, **found}
    if one:
      progress = one.progress()
      values |= {'record': one, 'progress': progress,
                 'state': compare.state(one.folder, progress),
                 'scores': [rows[-1] for rows in one.scores().values()],
                 'left': _left(one, progress)}
      parts = 'status', 'scores', 'findings'
    else:
      values['heads'], values['runs'] = self._leaderboard()
      parts = 'runs', 'findings'
    return {part: fill('parts.html', part=part, **values) for part in parts}

  def write(self, drawn: Sequence[Picture] = (), step: int = 0) -> None:
    """Writes the folder, index.html last.

    Args:
      drawn: pictures of a checkpoint; without any, those of the last time stay.
      step: of the checkpoint.

    Raises:
      WorkdirError: the folder cannot be written.
    """
    one = self.records[0] if len(self.records) == 1 else None
    shown = [picture._replace(pixels=None, size=picture.pixels.shape[:2])
             for picture in drawn]
    if not shown:
      shown, step = self._drawn_before()
    training = [self._seen(one.folder, name) for name in _TRAINING
                if one and os.path.exists(os.path.join(one.folder, name))]
    try:
      files = {picture.file: pictures.png(picture.pixels) for picture in drawn}
      files |= {name: asset(name) for name in ASSETS}
      files['pictures.json'] = json.dumps([step, shown]).encode()
      files['data.js'] = self.data()
      files['index.html'] = fill(
          'report.html', one=one, names=self._names(), tables=self.tables(),
          pictures=shown, step=step, training=training, flat=_flat,
          changes=one and one.changes(), recipe=one and one.recipe()).encode()
      for name, content in files.items():
        write_file(os.path.join(self.out, name), content)
    except OSError as e:
      raise WorkdirError(f'{self.out}: cannot write it: {e.strerror}: '
                         f'{e.filename}') from e

  def _drawn_before(self):
    """The pictures of the last time, and their step."""
    try:
      with open(os.path.join(self.out, 'pictures.json')) as file:
        step, found = json.load(file)
      return [Picture(*picture) for picture in found], step
    except (OSError, ValueError, TypeError):
      return [], 0

  def _names(self):
    """Of the runs: their folders, as seen from the one that holds them all."""
    if len(self.records) == 1:
      return [self.records[0].name]
    paths = [os.path.abspath(record.folder) for record in self.records]
    home = os.path.commonpath([os.path.dirname(path) for path in paths])
    return [os.path.relpath(path, home) for path in paths]

  def _seen(self, folder, name):
    """A file of a run as a relative URL of the page."""
    return pathlib.PurePath(os.path.relpath(
        os.path.join(folder, name), self.out)).as_posix()

  def _leaderboard(self):
    """The names of scores, and (name, row, {score: value}) of each run."""
    frame = compare.load([record.folder for record in self.records])
    # A score's name has a hash where one name stands for two.
    frame['name'] = frame.score.str.partition(' (')[0]
    several = frame.groupby('name').score.transform('nunique') > 1
    frame['name'] = frame.name.mask(several, frame.score)
    heads = sorted(frame.name.dropna().unique())
    rows = []
    for name, record in zip(self._names(), self.records, strict=True):
      own = frame[frame.folder == record.folder]
      rows.append((name, next(own.itertuples()),
                   dict(zip(own.name, own.value, strict=True))))
    return heads, rows


def _flat(value):
  return [(key, json.dumps(part)) for key, part in fields.flat(value).items()]


def _curves(record, most):
  """{scalar: [steps, values, means]}; scores have curves of their own."""
  return {name: thin(*curve, most)
          for name, curve in sorted(record.curves.items())
          if not name.startswith('eval/')}


def _scores(record):
  """{score: {'step', 'value', 'low', 'high', 'floor'}: lists over steps}."""
  return {name: {key: [_number(row.get(key)) for row in rows]
                 for key in ('step', 'value', 'low', 'high', 'floor')}
          for name, rows in record.scores().items()}


def _number(value):
  return value if isinstance(value, int | float) else None


def _left(record, progress):
  """Seconds to the end by the newest speed, 0 where it is not known."""
  _, speed = record.curves.get('perf/images_per_second', ((), ()))
  images = (progress.train_steps - record.step) * record.config[
      'batch_size'] * record.config['disc_steps']
  return images / speed[-1] if len(speed) and speed[-1] > 0 else 0
