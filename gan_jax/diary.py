"""What a run leaves behind beside its checkpoints: rows, pictures, scores."""

import logging
import os

import numpy as np

from gan_jax import media
from gan_jax.best import Best
from gan_jax.evaluation.score import table
from gan_jax.evaluators import Evaluator, equilibrium
from gan_jax.experiment import Experiment
from gan_jax.writers import (
    ProgressBar,
    ScalarWriter,
    ScoreWriter,
    try_write_file,
)

_LOG = logging.getLogger(__name__)
_FRAMES = 200  # of a GIF; of a longer run evenly spaced ones


class Diary:
  """The files of a working directory that tell how its run goes."""

  def __init__(self, experiment: Experiment, folder: str, start: int):
    """Opens the files, without what was written after step `start`."""
    self._experiment, self._folder = experiment, folder
    self.levels = _levels(experiment)
    self.evaluator = Evaluator(experiment)
    self._best = Best(folder, experiment.config['best_metric'])
    self._rows = ScalarWriter(folder, resume_step=start)
    self._scores = ScoreWriter(folder, resume_step=start)
    self._bar = ProgressBar(experiment.train_steps, initial=start)

  def __enter__(self):
    """Returns itself."""
    return self

  def __exit__(self, *_):
    """Closes the files."""
    for part in (self._bar, self._scores, self._rows):
      part.__exit__(None, None, None)

  def rows(self) -> list[dict]:
    """All rows of scalars so far."""
    return self._rows.read()

  def write(self, step: int, row: dict) -> None:
    """A row of scalars."""
    self._rows.write(step, row)
    self._bar.update(step, row)

  def sample(self, step: int, started) -> None:
    """The picture that `evaluator.start_grid` has started."""
    grid = self.evaluator.finish_grid(started)
    path = os.path.join(self._folder, 'samples', f'step_{step:08d}.png')
    try_write_file(path, media.png(grid))
    self._rows.images(step, 'samples', grid)

  def score(self, step: int, state, draw) -> dict[str, float | None]:
    """The scores of a state, for its row; {} where that fails.

    Its examples come from draw(start, stop).
    """
    try:
      scores = self.evaluator.scores(state, draw, forgiving=True)
      self._scores.write(step, scores)
    except Exception as e:  # A score must not cost the run.
      _LOG.warning('no scores: %s: %s', type(e).__name__, e)
      return {}
    if scores:
      _LOG.info('%s', table([(step, score) for score in scores]))
    try:
      self._best.offer(step, scores, state)
    except Exception as e:  # Nor must the best of them.
      _LOG.warning('the best state is not kept: %s: %s', type(e).__name__, e)
    return {f'eval/{name}': value for score in scores
            for name, value in score.scalars().items()}

  def flush(self) -> None:
    """Returns when everything written is on the disk."""
    self._rows.flush()
    self._scores.flush()

  def rewind(self, step: int) -> None:
    """Drops what was written after a step."""
    self._rows.rewind(step)
    self._scores.rewind(step)

  def draw(self) -> None:
    """Curves and GIF of all that the folder holds."""
    title = os.path.basename(os.path.abspath(self._folder))
    rows, frames = self.rows(), _frames(self._folder)
    if rows:
      try_write_file(os.path.join(self._folder, 'curves.png'),
                     media.curves(rows, levels=self.levels, title=title))
    if frames:
      try_write_file(os.path.join(self._folder, 'training.gif'),
                     media.gif(frames))


def _levels(experiment):
  try:
    return equilibrium(experiment.game.loss, experiment.config['batch_size'])
  except Exception as e:  # Of a loss of one's own: a run can do without.
    _LOG.warning('no equilibrium: %s: %s', type(e).__name__, e)
    return {}


def _frames(folder):
  """The sample grids of a folder in the order of their steps, of one size."""
  samples = os.path.join(folder, 'samples')
  if not os.path.isdir(samples):
    return []
  names = sorted(n for n in os.listdir(samples) if n.endswith('.png'))
  # All of them are in memory at once.
  some = np.linspace(0, len(names) - 1, min(len(names), _FRAMES)).round()
  names, frames = [names[int(i)] for i in some], []
  for name in names:
    with open(os.path.join(samples, name), 'rb') as file:
      frames.append(media.read_png(file.read()))
  return [frame for frame in frames if frame.shape == frames[-1].shape]
