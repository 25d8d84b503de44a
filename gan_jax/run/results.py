"""What a run leaves beside its checkpoints: rows, pictures, scores, best."""

import glob
import json
import logging
import os
import shutil

import numpy as np

from gan_jax import pictures
from gan_jax.base.files import try_write_file, write_file
from gan_jax.config.experiment import Experiment
from gan_jax.evaluators.score import short_hash, table
from gan_jax.metrics import low_is_better
from gan_jax.run.checkpoint import Checkpoints
from gan_jax.run.evaluator import Evaluator, equilibrium
from gan_jax.run.writers import ProgressBar, ScalarWriter, ScoreWriter

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
    try_write_file(path, pictures.png(grid))
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
                     pictures.curves(rows, levels=self.levels, title=title))
    if frames:
      try_write_file(os.path.join(self._folder, 'training.gif'),
                     pictures.gif(frames))


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
      frames.append(pictures.read_png(file.read()))
  return [frame for frame in frames if frame.shape == frames[-1].shape]


_LOG = logging.getLogger(__name__)


class Best:
  """WORKDIR/best, itself a working directory to sample from."""

  def __init__(self, folder: str, name: str, *, own: bool = False):
    """The best by a score.

    Args:
      folder: the working directory.
      name: of the score; '' keeps nothing.
      own: in WORKDIR/best-NAME, beside that of a run that may be going on.
    """
    self._from, self._name = folder, name
    self._folder = os.path.join(folder, f'best-{name}' if own else 'best')
    self._path = os.path.join(self._folder, 'best.json')
    old = f'{self._folder}.old'
    if name and os.path.isdir(old) and not os.path.isdir(self._folder):
      os.rename(old, self._folder)  # Killed between two renames.
    if name and not own:  # Killed while it saved; nobody else does here.
      for left in glob.glob(f'{glob.escape(self._folder)}.*.new'):
        shutil.rmtree(left, ignore_errors=True)

  def read(self, protocol: str = '') -> dict:
    """{'name', 'step', 'value', 'protocol'} of what is kept; {} for nothing.

    Of another score, or by another protocol, is nothing.
    """
    try:
      with open(self._path) as file:
        found = json.load(file)
      return found if found['name'] == self._name and protocol in (
          '', found['protocol']) else {}
    except (OSError, ValueError, KeyError, TypeError):
      return {}

  def wants(self, score) -> bool:
    """Whether a `Score` is the chosen one, and better than what is kept."""
    if not self._name or score.name != self._name or score.value is None:
      return False
    before = self.read(_protocol(score))
    return not before or _better(self._name, score.value, before['value'])

  def offer(self, step: int, scores, state) -> bool:
    """Keeps the state if its score is better than that of the one there.

    Args:
      step: of the state.
      scores: `Score`s of it; without the chosen one, or with None for its
        value, nothing is kept.
      state: to be saved.

    Returns:
      Whether it is the best now.

    Raises:
      CheckpointError: it could not be written.
    """
    score = next((s for s in scores if s.name == self._name), None)
    if self._name and score is None:
      _LOG.warning('no best state is kept: no score %s, there are %s',
                   self._name, ', '.join(s.name for s in scores) or 'none')
    if score is None or not self.wants(score):
      return False
    # The old one stays until the new one is whole.
    aside = f'{self._folder}.{os.getpid()}.new'
    try:
      self._save(aside, step, score, state)
    finally:
      shutil.rmtree(aside, ignore_errors=True)
    return True

  def _save(self, aside, step, score, state):
    shutil.rmtree(aside, ignore_errors=True)
    checkpoints = Checkpoints(aside, keep=1)
    checkpoints.save(step, state)
    checkpoints.close()
    for name in ('config.json', 'data.json'):
      shutil.copy(os.path.join(self._from, name), aside)
    write_file(os.path.join(aside, 'best.json'), (json.dumps(
        {'name': self._name, 'step': step, 'value': score.value,
         'protocol': _protocol(score)}) + '\n').encode())
    old = f'{self._folder}.old'
    shutil.rmtree(old, ignore_errors=True)
    if os.path.isdir(self._folder):
      os.rename(self._folder, old)
    os.rename(aside, self._folder)
    shutil.rmtree(old, ignore_errors=True)


def _protocol(score) -> str:
  return short_hash({k: v for k, v in score.protocol.items() if k != 'step'})


def _better(name, value, than) -> bool:
  return value < than if low_is_better(name) else value > than
