"""The HTML page of one or several runs, static or served.

`index.html` has text and tables; `data.js` has what changes during training:
curves, sample grids, and the tables again. The scripts, uPlot among them, are
copied beside these, so that the page needs no network.
"""

import json
import math
import os
import urllib.parse
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gan_jax import pictures
from gan_jax.base.errors import WorkdirError
from gan_jax.base.examples import described
from gan_jax.base.files import unwritten, utf8, write_file
from gan_jax.config import fields
from gan_jax.metrics import low_is_better
from gan_jax.run import status
from gan_jax.views import leaderboard
from gan_jax.views.records import Record, thin
from gan_jax.views.templates import asset, fill

ASSETS = ('report.js', 'report.css', 'uPlot.iife.min.js', 'uPlot.min.css',
          'LICENSE-uPlot.txt')
_POINTS = 3000  # per curve; fewer if there are several runs
_FEWEST = 300
# Written by training; shown for browsers without JavaScript.
_TRAINING = ('curves.png', 'training.gif')


class Picture(NamedTuple):
  """A picture on the page; its fixed text is in report.html."""

  file: str  # relative to the page
  pixels: np.ndarray | None = None  # uint8; None for an existing file
  note: str = ''  # on this run
  size: Sequence[int] = ()  # height and width


class Page:
  """The page of one run, or of several overlaid, in the folder `out`."""

  def __init__(self, folders: Sequence[str], out: str):
    """Reads the runs.

    Raises:
      WorkdirError: a folder is not a run folder, or cannot be read.
    """
    self.records, self.out = [Record(folder) for folder in folders], out

  @property
  def version(self) -> str:
    """Changes when any file of the runs does."""
    return ' '.join(record.version for record in self.records)

  def data(self, *, following: bool = False) -> bytes:
    """Contents of data.js, from the current files."""
    for record in self.records:
      record.read()
    most = max(_FEWEST, _POINTS // len(self.records))
    curves = _drawable([_curves(record, most) for record in self.records],
                       lambda curve: curve[1])
    scores = _drawable([_scores(record) for record in self.records],
                       lambda score: score['value'])
    return b'DATA = ' + json.dumps({
        'following': following, 'tables': self.tables(), 'runs': [
            {'name': name, 'curves': curves[i], 'scores': scores[i],
             'grids': record.grids(),
             'samples': self._url(record.folder, 'samples')}
            for i, (name, record) in enumerate(zip(
                self._names(), self.records, strict=True))]
    }, allow_nan=False, separators=(',', ':')).encode() + b';\n'

  def tables(self) -> dict[str, str]:
    """{section of the page: its HTML}."""
    one = self.records[0] if len(self.records) == 1 else None
    values = {'low_is_better': low_is_better, 'flat': _flat, 'findings': [
        (name if not one else '', *row) for name, record in zip(
            self._names(), self.records, strict=True)
        for row in record.findings()], 'unseen': [
            (name if not one else 'Here', record.unseen()) for name, record in
            zip(self._names(), self.records, strict=True) if record.unseen()]}
    if one:
      progress = status.read(one.folder)
      values |= {'record': one, 'progress': progress,
                 'state': status.state(one.folder, progress),
                 'scores': [rows[-1] for rows in one.scores().values()],
                 'left': _left(one, progress)}
      parts = 'status', 'scores', 'findings'
    else:
      values['heads'], values['runs'] = self._leaderboard()
      parts = 'runs', 'findings'
    return {part: fill('parts.html', part=part, **values) for part in parts}

  def write(self, drawn: Sequence[Picture] = (), step: int = 0) -> None:
    """Writes the folder, index.html last.

    `drawn`: pictures of a checkpoint, of that `step`; if there are none,
    earlier ones are kept.

    Raises:
      WorkdirError: the folder cannot be written.
    """
    one = self.records[0] if len(self.records) == 1 else None
    shown = [picture._replace(pixels=None, size=picture.pixels.shape[:2])
             for picture in drawn]
    if not shown:
      shown, step = self._drawn_before()
    training = [self._url(one.folder, name) for name in _TRAINING
                if one and os.path.exists(os.path.join(one.folder, name))]
    try:
      files = {picture.file: pictures.png(picture.pixels) for picture in drawn}
      files |= {name: asset(name) for name in ASSETS}
      files['pictures.json'] = json.dumps([step, shown]).encode()
      files['data.js'] = self.data()
      files['index.html'] = fill(
          'report.html', one=one, names=self._names(), tables=self.tables(),
          pictures=shown, step=step, training=training, flat=_flat,
          described=described, changes=one and one.changes(),
          recipe=one and one.recipe()).encode()
      for name, content in files.items():
        write_file(os.path.join(self.out, name), content)
    except OSError as e:
      raise WorkdirError(f'{self.out}: cannot write it: '
                         f'{unwritten(self.out, e)}; --out=FOLDER writes it '
                         'elsewhere') from e

  def _drawn_before(self):
    """Pictures of an earlier report, and their step."""
    try:
      with open(os.path.join(self.out, 'pictures.json')) as file:
        step, found = json.load(file)
      return [Picture(*picture) for picture in found], step
    except (OSError, ValueError, TypeError):
      return [], 0

  def _names(self):
    """Names of the runs, relative to their common folder."""
    if len(self.records) == 1:
      return [self.records[0].name]
    paths = [os.path.abspath(record.folder) for record in self.records]
    home = os.path.commonpath([os.path.dirname(path) for path in paths])
    return [os.path.relpath(path, home) for path in paths]

  def _url(self, folder, name):
    """URL of a file of a run, relative to the page."""
    return urllib.parse.quote(os.fsencode(os.path.relpath(
        os.path.join(folder, name), self.out)))

  def _leaderboard(self):
    """Names of scores, and (name, row, {score: value}) per run."""
    frame = leaderboard.load([record.folder for record in self.records])
    scores = frame.score.dropna().unique()
    heads = dict(zip(scores, leaderboard.heads(scores), strict=True))
    rows = []
    for name, record in zip(self._names(), self.records, strict=True):
      own = frame[frame.folder == utf8(record.folder)]
      rows.append((name, next(own.itertuples()), dict(zip(
          own.score.map(heads), own.value, strict=True))))
    return sorted(heads.values()), rows


def _flat(value):
  return [(key, json.dumps(part)) for key, part in fields.flat(value).items()]


def _curves(record, most):
  """{scalar: [steps, values, means]}, without scores."""
  return {name: thin(*curve, most)
          for name, curve in sorted(record.curves.items())
          if not name.startswith('eval/')}


def _scores(record):
  """{score: {'step', 'value', 'low', 'high', 'floor'}: lists over steps}."""
  return {name: {key: [_number(row.get(key)) for row in rows]
                 for key in ('step', 'value', 'low', 'high', 'floor')}
          for name, rows in record.scores().items()}


def _drawable(runs, values_of):
  """Without what has no number in any run: its plot would be empty."""
  known = {name for run in runs for name, found in run.items()
           if any(value is not None for value in values_of(found))}
  return [{name: found for name, found in run.items() if name in known}
          for run in runs]


def _number(value):
  return value if isinstance(value, int | float) and math.isfinite(
      value) else None


def _left(record, progress):
  """Seconds to the end at the latest speed, 0 if unknown."""
  _, speed = record.curves.get('perf/images_per_second', ((), ()))
  images = (progress.train_steps - record.step) * record.config[
      'batch_size'] * record.config['disc_steps']
  return images / speed[-1] if len(speed) and speed[-1] > 0 else 0
