"""Random keys by number: the bits of `fold_in`, one by one."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import random

from gan_jax.ops.keys import folded, per_example


def bits(keys):
  return np.asarray(random.key_data(keys))


def test_a_key_per_example_follows_from_its_position_alone():
  key, places = random.key(3), [5, 0, 70_000]
  one_by_one = [bits(random.fold_in(key, place)) for place in places]
  got = jax.jit(per_example)(key, jnp.array(places))
  np.testing.assert_array_equal(bits(got), one_by_one)


def test_keys_of_one_of_several_draws():
  keys = random.split(random.key(3), 4)
  drawn = [bits(folded(keys, number)) for number in (0, 1)]
  for number, got in enumerate(drawn):
    np.testing.assert_array_equal(
        got, [bits(random.fold_in(key, number)) for key in keys])
  assert len(np.unique(np.concatenate([bits(keys), *drawn]), axis=0)) == 12
