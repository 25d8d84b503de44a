"""Evaluators: scores of a generator; components of the key `evaluators`.

A factory takes its settings as keyword arguments, and `source`, the data set,
and `seed` if declared. It returns `evaluate(sample) -> [Score]`; `sample(start,
stop)` gives generated examples (uint8 [N, H, W, C] or float32 points [N, D]),
the same for the same positions, and their labels (int32 [N], or None). If it
declares `classify`, that is examples as stored -> the discriminator's class
logits float32 [N, K], or None if no term has it tell classes; if `model`, that
is () -> the generator as a `game.decoder.Decoder`, or a ValueError. An
attribute `names`, the names of its scores, allows to check best_metric early.
To add one, import it here, and nothing else: a config can name all that is
imported here.
"""

from gan_jax.evaluators.density import ais, elbo
from gan_jax.evaluators.others import (
  classification_accuracy,
  classification_error,
  mode_coverage,
  parzen,
  stacked_coverage,
)
from gan_jax.evaluators.scores import scores

__all__ = ['ais', 'classification_accuracy', 'classification_error', 'elbo',
           'mode_coverage', 'parzen', 'scores', 'stacked_coverage']
