"""Evaluators: scores of a generator; each is a choice of the key `evaluators`.

A factory takes its settings as keyword arguments, and `source`, the data set,
and `seed` if it names them. It returns `evaluate(sample) -> [Score]`, where
`sample(start, stop)` gives the generated examples of these numbers, always the
same (uint8 [N, H, W, C] or float32 points [N, D]), and the labels that they
were generated for (int32 [N], or None of an unconditional generator). By an
attribute `names` of it, the names of its scores, a mistyped best_metric is
found at the start. To add one, write it and import it here, and nothing else: a
config can name it all.
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
