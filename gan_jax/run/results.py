"""Output files (scalars, images, scores, best)."""

import contextlib
import glob
import json
import logging
import os
import pathlib
import shlex
import shutil
import time
from collections.abc import Callable

import numpy as np

from gan_jax import pictures
from gan_jax.base import lookup
from gan_jax.base.files import short_hash, try_write_file, write_json
from gan_jax.config.experiment import Experiment
from gan_jax.evaluators.score import table
from gan_jax.metrics import low_is_better
from gan_jax.run import drawn_labels
from gan_jax.run.background import Background
from gan_jax.run.checkpoint import Checkpoints
from gan_jax.run.evaluator import Evaluator, equilibrium
from gan_jax.run.writers import ScalarWriter, ScoreWriter, duration

_LOG = logging.getLogger(__name__)
_FRAMES = 200  # of a GIF at most, evenly spaced
# Of a score's protocol, what does not change its value for a given state: the
# run's training, its other evaluators, how the floor came about.
_BESIDE = ('step', 'config', 'evaluators', 'floor')


class Results(contextlib.AbstractContextManager):
  """The output files of a run folder.

  A thread draws and writes them in order; its errors are raised by the next
  call of a method.
  """

  def __init__(self, experiment: Experiment, folder: str, start: int,
               checkpoints: Checkpoints, like: 'Results | None' = None,
               heading: str = ''):
    """Opens the files and drops what was written after step `start`.

    `checkpoints`: of the run, on which it depends how long a best state stays.
    `like`: of another member, whose compiled sampler is taken.
    `heading`: of its scores on the screen.
    """
    self._heading = heading and f'{heading}\n'
    self._experiment, self._folder = experiment, folder
    self._begin = time.monotonic()
    self.evaluator = Evaluator(experiment, like and like.evaluator.sampler)
    self.levels, loss = {}, experiment.config['loss']
    try:
      # It compiles a program, which members of one loss need not repeat.
      self.levels = like.levels if (
          like and like._experiment.config['loss'] == loss) else equilibrium(
              experiment.game.loss, experiment.config['batch_size'])
    except Exception as e:  # from a user's loss
      _LOG.warning('the curves will not show the equilibrium of the loss: %s',
                   lookup.failure(e))
    if omitted := pictures.channels_shown(experiment.info.image_shape):
      _LOG.info('%s', omitted)
    self._checkpoints = checkpoints
    self._best = Best(folder, experiment.config['best_metric'])
    self._best.rewind(start)
    self._rows = ScalarWriter(folder, resume_step=start,
                              loggers=experiment.loggers,
                              config=experiment.config)
    self._scores = ScoreWriter(folder, resume_step=start)
    self._background = Background()

  def __exit__(self, *error):
    self._background.__exit__(*error)
    for part in (self._scores, self._rows):
      part.close()

  def rows(self) -> list[dict]:
    """All rows of scalars so far."""
    self.drain()
    return self._rows.read()

  def write(self, step: int, row: dict) -> None:
    """Writes a row of scalars."""
    self._background.add(self._rows.write, step, row)

  def sample(self, step: int, started) -> None:
    """Waits for `evaluator.start_grid` and writes its image."""
    self._background.add(self._sample, step, started)

  def _sample(self, step, started):
    grid = self.evaluator.finish_grid(started)
    path = os.path.join(self._folder, 'samples', f'step_{step:08d}.png')
    try_write_file(path, pictures.png(grid))
    self._rows.image(step, 'samples', grid)

  def score(self, step: int, state, draw) -> dict[str, float | None]:
    """Scores a state by draw(start, stop); returns scalars for its row.

    {} on failure: a score must not end the run.

    Raises:
      CheckpointError: the running save failed.
    """
    try:
      scores = self.evaluator.scores(state, draw, forgiving=True)
    except Exception as e:
      _LOG.warning('no scores: %s: %s', type(e).__name__, e)
      return {}
    self._background.add(self._write_scores, step, scores)
    if scores:
      _LOG.info('%s%s', self._heading,
                table([(step, score) for score in scores]))
    # Waits for the running save: it settles what a resumed run goes on from.
    saved = (self._checkpoints.latest()
             if any(map(self._best.wants, scores)) else 0)
    try:
      self._best.offer(step, scores, state, saved)
    except Exception as e:
      _LOG.warning('the best state is not kept: %s: %s', type(e).__name__, e)
    return {f'eval/{name}': value for score in scores
            for name, value in score.scalars().items()}

  def _write_scores(self, step, scores):
    try:
      self._scores.write(step, scores)
    except Exception as e:
      _LOG.warning('no scores: %s: %s', type(e).__name__, e)

  def flush(self) -> Callable:
    """Starts to fsync all so far; returns a function that waits for it."""
    return self._background.add(self._flush).result

  def _flush(self):
    self._rows.flush()
    self._scores.flush()

  def drain(self) -> None:
    """Waits until all is written."""
    self._background.drain()

  def rewind(self, step: int) -> None:
    """Drops what was written after a step."""
    self.drain()
    self._best.rewind(step)
    self._rows.rewind(step)
    self._scores.rewind(step)

  def settle(self) -> None:
    """Gives up what was kept only until the last checkpoint was written."""
    self._best.settle(self._checkpoints.latest())

  def draw(self) -> None:
    """Writes curves.png and training.gif; failures only warn."""
    self._background.add(self._draw)

  def _draw(self):
    title = os.path.basename(os.path.abspath(self._folder))
    try:
      if rows := self._rows.read():
        try_write_file(os.path.join(self._folder, 'curves.png'),
                       pictures.curves(rows, levels=self.levels, title=title))
      if frames := _frames(self._folder):
        try_write_file(os.path.join(self._folder, 'training.gif'),
                       pictures.gif(frames))
    except Exception as e:
      _LOG.warning('no curves or GIF: %s: %s', type(e).__name__, e)

  def summary(self, step: int, findings: str, how: str) -> str:
    """The last log lines of a run: step, score, findings, next commands."""
    command = 'python -m gan_jax.main --mode={} --workdir=' + shlex.quote(
        str(self._folder))
    return '\n'.join([
        f'{how}: {self._folder} is at step {step:,} of '
        f'{self._experiment.train_steps:,}, after '
        f'{duration(time.monotonic() - self._begin)}',
        *self._scored(), f'  watchdog: {findings}',
        f'  next: {command.format("report")}',
        f'        {command.format("sample")}'])

  def _scored(self):
    """The line of the score `best_metric`, or of the first one."""
    rows = [row for row in self._scores.read() if row.get('value') is not None]
    wanted = self._experiment.config['best_metric'] or (
        rows[0]['name'] if rows else '')
    rows = [row for row in rows if row['name'] == wanted]
    if not rows:
      return []
    pick, last = min if low_is_better(wanted) else max, rows[-1]
    best, floor = pick(rows, key=lambda row: row['value']), last.get('floor')
    return [f'  {wanted}: {last["value"]:.4g} at step {last["step"]:,}, best '
            f'{best["value"]:.4g} at step {best["step"]:,}'
            + (f'; of real images {floor:.4g}' if floor is not None else '')]


def _frames(folder):
  names = sorted(glob.glob(os.path.join(glob.escape(str(folder)), 'samples',
                                        '*.png')))
  # All of them are in memory at once.
  some = np.linspace(0, len(names) - 1, min(len(names), _FRAMES)).round()
  frames = [pictures.read_png(pathlib.Path(names[int(i)]).read_bytes())
            for i in some]
  return [frame for frame in frames if frame.shape == frames[-1].shape]


class Best:
  """The best state by a score, in WORKDIR/best, itself a run folder.

  A run may go on from a checkpoint before its best state. So the best one
  before stays in WORKDIR/best.old until a checkpoint follows; for good, in
  WORKDIR/best-NAME-STEP, where the new one is by a score that does not compare.
  """

  def __init__(self, folder: str, name: str, *, own: bool = False):
    """Takes the name of the score; '' keeps nothing.

    own: in WORKDIR/best-NAME, for a process beside the run.
    """
    self._from, self._name = folder, name
    self._folder = os.path.join(folder, f'best-{name}' if own else 'best')
    self._old = f'{self._folder}.old'
    self._restore()  # Killed between two renames.
    if not own:  # Left by a killed run.
      for left in self._all('.*.new') + self._all('*.gone'):
        shutil.rmtree(left, ignore_errors=True)

  def read(self, protocol: str = '') -> dict:
    """Reads {'name', 'step', 'value', 'protocol'} of the best state.

    {} if there is none, or of another score or protocol.
    """
    found = _record(self._folder)
    return found if found.get('name') == self._name and protocol in (
        '', found['protocol']) else {}

  def wants(self, score) -> bool:
    """Whether a score improves on the best."""
    if not self._name or score.name != self._name or score.value is None:
      return False
    before = self.read(_protocol(score))
    sign = -1 if low_is_better(self._name) else 1
    return not before or sign * score.value > sign * before['value']

  def offer(self, step: int, scores, state, saved: int) -> bool:
    """Saves the state if its score improves on the best; returns whether so.

    saved: step of the newest checkpoint of the run.

    Raises:
      CheckpointError: it could not be written.
    """
    score = next((s for s in scores if s.name == self._name), None)
    if self._name and score is None:
      _LOG.warning('best_metric: no score %s; there are %s',
                   self._name, ', '.join(s.name for s in scores) or 'none')
    if score is None or not self.wants(score):
      return False
    # The old one stays until the new one is whole.
    new = f'{self._folder}.{os.getpid()}.new'
    try:
      shutil.rmtree(new, ignore_errors=True)
      with Checkpoints(new, keep=1) as checkpoints:
        checkpoints.save(step, state)
      for name in ('config.json', 'data.json', drawn_labels.NAME):
        path = os.path.join(self._from, name)
        if os.path.exists(path):  # An older run has no labels.
          shutil.copy(path, new)
      write_json(os.path.join(new, 'best.json'), {
          'name': self._name, 'step': step, 'value': score.value,
          'protocol': _protocol(score)})
      self.settle(saved)
      if os.path.isdir(self._old):  # Then no checkpoint follows the newer one.
        _remove(self._folder)
      elif os.path.isdir(self._folder):
        os.rename(self._folder, self._old)
      os.rename(new, self._folder)
      self.settle(saved)
    finally:
      shutil.rmtree(new, ignore_errors=True)
    return True

  def settle(self, saved: int) -> None:
    """Gives up best.old once `saved`, a checkpoint's step, reaches the best."""
    best, old = _record(self._folder), _record(self._old)
    if best and best['step'] > saved or not os.path.isdir(self._old):
      return
    if not old or _kind(old) == _kind(best):
      _remove(self._old)
      return
    aside = os.path.join(self._from, f'best-{old["name"]}-{old["step"]}')
    _remove(aside)
    os.rename(self._old, aside)
    _LOG.warning('%s is by another score or evaluation protocol than the best '
                 'before, of step %d, which stays in %s', self._folder,
                 old['step'], aside)

  def rewind(self, step: int) -> None:
    """Goes back to the best of a checkpoint's step, from which the run goes on.

    What is later is of a branch that is given up: those of other scores too.
    """
    for path in self._all('*'):
      if not path.endswith('.new') and _record(path).get('step', 0) > step:
        _LOG.info('%s, of step %d, is removed: the run goes on from step %d',
                  path, _record(path)['step'], step)
        _remove(path)
    self._restore()
    self.settle(step)

  def _restore(self):
    if os.path.isdir(self._old) and not os.path.isdir(self._folder):
      os.rename(self._old, self._folder)

  def _all(self, pattern):
    return glob.glob(glob.escape(os.path.join(self._from, 'best')) + pattern)


def _record(folder) -> dict:
  """best.json, {} if there is none that can be read."""
  try:
    found = json.loads(pathlib.Path(folder, 'best.json').read_bytes())
    return {key: found[key] for key in ('name', 'step', 'value', 'protocol')}
  except (OSError, ValueError, KeyError, TypeError):
    return {}


def _kind(record):
  """Is equal for scores that compare."""
  return record.get('name'), record.get('protocol')


def _remove(folder) -> None:
  """Removes it as a whole, also if it is killed meanwhile."""
  if os.path.isdir(folder):
    gone = f'{folder}.{os.getpid()}.gone'
    os.rename(folder, gone)
    shutil.rmtree(gone, ignore_errors=True)


def _protocol(score) -> str:
  """Hash of what settles whether two scores of one name compare."""
  return short_hash({key: value for key, value in score.protocol.items()
                     if key not in _BESIDE})
