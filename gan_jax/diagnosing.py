"""Diagnoses of a run: which examples are looked at, and on which devices."""

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax import parallel
from gan_jax.data.pipeline import Batches
from gan_jax.diagnosis import Examples, diagnose
from gan_jax.experiment import Experiment

_MOST = 64  # packs that are looked at
_KEY = 2**31 - 3  # of this use, beside those of init and evaluators


class Diagnoser:
  """Looks into the game without waiting for it, once per logged row.

  Row `step` looks at a batch that (seed, step) chooses, of the training set
  and of the held-out examples: a resumed run logs the same.
  """

  def __init__(self, experiment: Experiment, mesh):
    """Compiles nothing yet."""
    config = experiment.config
    self._game = experiment.game
    self._range = config['image_range']
    sources = experiment.source, experiment.source.held_out
    self._sources = [source for source in sources if source]
    # On every device: no more than memory surely has room for.
    batch = min(config['batch_size'], _MOST * config['packing'])
    self._draws = []
    for source in self._sources:
      count = len(source.images)
      self._draws.append(Batches(count, batch, config['seed'],
                                 repeat=-(-batch // count)))
    self._look = parallel.everywhere(self._pure, mesh)

  def start(self, state, step: int, seed: int):
    """Starts to look; the state may be given away after."""
    examples = []
    for source, draw in zip(self._sources, self._draws, strict=True):
      rows = draw(step, 1)[0]
      examples.append(Examples(np.asarray(source.images[rows]),
                               source.labels[rows]))
    return self._look(state, examples, np.uint32(seed), np.uint32(step))

  def finish(self, started) -> dict[str, float]:
    """Waits for the scalars of a look."""
    return {name: float(value) for name, value in started.items()}

  def _pure(self, state, examples, seed, step):
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), _KEY),
                             step)
    examples = [part._replace(image=parallel.scale(part.image, self._range),
                              label=part.label.astype(jnp.int32))
                for part in examples]
    real, held_out = (*examples, None)[:2]
    return diagnose(self._game, state, real, held_out, key,
                    image_range=self._range)
