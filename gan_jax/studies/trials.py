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
    if not low_is_better(self.name):
      return -self.values
    return np.log(self.values) if np.nanmin(self.values) > 0 else self.values


def play(config: dict, games: Sequence[Mapping], steps: int, seeds: int,
         folder: str, name: str) -> tuple[int, Scores | None]:
  """Trains each game with each seed in FOLDER/name; (exit status, scores)."""
  config = config | {
      'train_steps': steps, 'log_every': max(1, steps // 4), 'sample_every': 0,
      'checkpoint_every': 0, 'eval_every': steps,
      'seed': tuple((config['seed'] + i) % 2**32 for _ in games
                    for i in range(seeds))}
  for path in games[0]:
    config = fields.put(config, path, tuple(
        game[path] for game in games for _ in range(seeds)))
  found = population.load(config)
  folder = os.path.join(folder, name)
  _LOG.info('%s: %d runs of %d steps', name, len(found.members), steps)
  with quiet():
    status = populations.train(found, folder)
  if status:
    return status, None
  rows = [Record(each).scores() for each in populations.folders_of(
      found, folder)]
  known = max(rows, key=len)
  score = config['best_metric'] or next(iter(known), '')
  if score not in known:
    raise ConfigError([Problem('best_metric', score, 'no such score; there are '
                               + (', '.join(known) or 'none'))])
  values = [row[score][-1]['value'] if score in row else None for row in rows]
  values = np.array([np.nan if v is None else v for v in values]
                    ).reshape(len(games), seeds)
  if not np.isfinite(values).all(1).any():
    raise NonFiniteError(
        f'no game has {score} with each of its {seeds} seeds: too few steps, '
        f'or rates that are too high; the runs are in {folder}')
  return 0, Scores(score, values)


@contextlib.contextmanager
def quiet():
  """Without the summaries and findings of many runs."""
  log = logging.getLogger('gan_jax.run')
  before = log.level
  log.setLevel(logging.ERROR)
  try:
    yield
  finally:
    log.setLevel(before)
