"""Scores of a generator: one factory per evaluator of a config.

A factory takes its settings as keyword arguments, and beside them what the
program supplies: `source`, the data set, and `seed`. It returns
`evaluate(sample) -> [Score]`, where `sample(start, stop)` gives the generated
examples of those places, always the same, and the labels that they were asked
for: (uint8 [stop - start, H, W, C], or float32 points [stop - start, D];
int32 [stop - start], None of an unconditional generator).

Whatever this file imports, a config can name: factories only.
"""

from gan_jax.evaluators.accuracy import classification_accuracy
from gan_jax.evaluators.likelihood import parzen
from gan_jax.evaluators.modes import mode_coverage, stacked_coverage
from gan_jax.evaluators.scores import scores

__all__ = ['classification_accuracy', 'mode_coverage', 'parzen', 'scores',
           'stacked_coverage']
