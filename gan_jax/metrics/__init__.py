"""Scores of a generator: one factory per evaluator of a config.

A factory takes its settings as keyword arguments, and beside them what the
program supplies: `source`, the data set, and `seed`.  It returns
`evaluate(sample) -> {score name: float}`, where `sample(count)` gives images
of the averaged generator, uint8 [count, H, W, C], or points [count, D].  NaN is
a score that cannot be computed; it is stored as null.

Whatever this file imports, a config can name: factories only.  Their helpers
stay in their modules, reached by `from gan_jax.metrics.frechet import ...`
(here the name `frechet` is the factory, and no longer the module).
"""

from gan_jax.metrics.coverage import mode_coverage
from gan_jax.metrics.frechet import frechet

__all__ = ['frechet', 'mode_coverage']
