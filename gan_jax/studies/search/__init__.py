"""--mode=search: where in a space of configs are the scores best?

`space` reads the keys and their values, and `plan` is what all workers of a
search agree on. A `worker` claims trials that optuna proposes, in a journal
that all workers share; `batches` plays those it has claimed, many at once, and
`pruning` says which of them to stop early. `page` shows what was found.
`cluster` has a worker on each device of a Ray cluster.
"""

from gan_jax.studies.search.cluster import search_on_ray
from gan_jax.studies.search.worker import search

__all__ = ['search', 'search_on_ray']
