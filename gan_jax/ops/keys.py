"""Random keys by number: one for each example, or for each of several draws."""

import jax
from jax import random


def per_example(key, position):
  """One key per example, by its position int [B], as in the global batch: [B].

  Each depends on the key and its position only, not on the other examples.
  """
  return jax.vmap(lambda index: random.fold_in(key, index))(position)


def folded(keys, number: int):
  """Keys [B] of one of several draws, so that no key is used twice."""
  return jax.vmap(lambda key: random.fold_in(key, number))(keys)
