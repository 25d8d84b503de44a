"""Games that are played to be compared, with several seeds, as populations."""

import contextlib
import logging
import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from gan_jax.base.errors import ConfigError, NonFiniteError, Problem
from gan_jax.config import fields, population
from gan_jax.metrics import low_is_better
from gan_jax.run import populations
from gan_jax.views.records import Record

_LOG = logging.getLogger(__name__)


class Scores(NamedTuple):
  """name of the score, and its values [G, S] by game and seed; NaN for none."""

  name: str
  values: np.ndarray

  @property
  def losses(self) -> np.ndarray:
    """Lower is better; of distances the logarithm."""
    return losses_of(self.name, self.values)


def losses_of(name: str, values: np.ndarray) -> np.ndarray:
  """Values of a score, turned so that lower is better; of distances the log."""
  if is_log(name, values):
    return np.log(values)
  return values if low_is_better(name) else -values


def is_log(name: str, values: np.ndarray) -> bool:
  """Whether the losses of these values of a score are their logarithms."""
  return low_is_better(name) and not (values <= 0).any()


def train(config: dict, runs: Sequence[tuple[Mapping, int]], steps: int,
          folder: str, *, rows: int) -> tuple[int, list[Record]]:
  """Trains games as one population in a folder.

  Args:
    config: of all games.
    runs: of each its {path: number}, all of the same paths, and its seed.
    steps: of a run, which is scored at its end.
    folder: of the population.
    rows: how many a run logs.

  Returns:
    (exit status, the runs; [] if it is not 0). Those that are frozen have no
    score.

  Raises:
    ConfigError, DataError, WorkdirError: as `populations.train`.
  """
  config = config | {
      'train_steps': steps, 'log_every': max(1, steps // rows),
      'sample_every': 0, 'checkpoint_every': 0, 'eval_every': steps,
      'seed': tuple(seed for _, seed in runs)}
  for path in runs[0][0]:
    config = fields.put(config, path, tuple(game[path] for game, _ in runs))
  with quiet('gan_jax.data'):  # Whoever plays has told of the data.
    found = population.load(config)
  _LOG.info('%s: %d runs of %d steps', os.path.basename(folder),
            len(found.members), steps)
  status = 0
  with quiet(), contextlib.suppress(NonFiniteError):  # all are frozen
    status = populations.train(found, folder, pictures=False)
  return status, [] if status else [
      Record(each) for each in populations.folders_of(found, folder)]


def play(config: dict, games: Sequence[Mapping], steps: int, seeds: int,
         folder: str, name: str) -> tuple[int, Scores | None]:
  """Trains each game with each seed in FOLDER/name; (exit status, scores).

  Raises:
    NonFiniteError: no game has a score with each of its seeds.
    ConfigError, DataError, WorkdirError: as `train`.
  """
  folder = os.path.join(folder, name)
  status, records = train(
      config, [(game, (config['seed'] + i) % 2**32) for game in games
               for i in range(seeds)], steps, folder, rows=4)
  if status:
    return status, None
  rows = [record.scores() for record in records]
  known = max(rows, key=len)
  score = config['best_metric'] or next(iter(known), '')
  if known and score not in known:
    raise ConfigError([Problem('best_metric', score, 'no such score; there are '
                               + ', '.join(known))])
  values = [last(row, score) for row in rows]
  values = np.array(values).reshape(len(games), seeds)
  if not np.isfinite(values).all(1).any():
    raise NonFiniteError(
        f'no game has {score or "a score"} with each of its {seeds} seeds: too '
        f'few steps, or rates that are too high; the runs are in {folder}')
  return 0, Scores(score, values)


def numbers(config: Mapping, path: str) -> list[str]:
  """Paths of the numbers above 0 at a path: itself, or those of a schedule."""
  value = fields.at(config, path)
  paths = [f'{path}.{key}' for key in value if key.endswith('_value')
           ] if isinstance(value, Mapping) else [path]
  return [p for p in paths if fields.at(config, p) > 0]


def last(scores: Mapping, name: str) -> float:
  """The newest value of a score of `Record.scores`, NaN if there is none."""
  value = scores[name][-1]['value'] if name in scores else None
  return np.nan if value is None else value


@contextlib.contextmanager
def quiet(room: str = 'gan_jax.run'):
  """Context that silences a log, by default summaries and findings of runs."""
  log = logging.getLogger(room)
  before = log.level
  log.setLevel(logging.ERROR)
  try:
    yield
  finally:
    log.setLevel(before)
