"""Evaluators: scores of a generator; components of the key `evaluators`.

A factory takes its settings as keyword arguments, and `source`, the data set,
and `seed` if declared. It returns `evaluate(sample) -> [Score]`; `sample(start,
stop)` gives generated examples (uint8 [N, H, W, C] or float32 points [N, D]),
the same for the same positions, and their labels (int32 [N], or None). An
attribute `names`, the names of its scores, allows to check best_metric early.
To
add one, import it here, and nothing else: a config can name all that is
imported here.
"""

from gan_jax.evaluators.others import (
  classification_accuracy,
  mode_coverage,
  parzen,
  stacked_coverage,
)
from gan_jax.evaluators.scores import scores

__all__ = ['classification_accuracy', 'mode_coverage', 'parzen', 'scores',
           'stacked_coverage']
