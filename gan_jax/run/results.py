"""Output files of a run: scalars, images, scores."""

import contextlib
import glob
import logging
import os
import pathlib
import shlex
import time
from collections.abc import Callable

import numpy as np

from gan_jax import pictures
from gan_jax.base import lookup
from gan_jax.base.files import try_write_file
from gan_jax.config.experiment import Experiment
from gan_jax.evaluators.score import table
from gan_jax.metrics import low_is_better
from gan_jax.run.background import Background
from gan_jax.run.best import Best
from gan_jax.run.checkpoint import Checkpoints
from gan_jax.run.evaluator import Evaluator, equilibrium
from gan_jax.run.writers import ScalarWriter, ScoreWriter, duration

_LOG = logging.getLogger(__name__)
_FRAMES = 200  # of a GIF at most, evenly spaced


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
