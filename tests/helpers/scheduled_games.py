"""Games of a config with schedules."""

import pytest
import tiny

from gan_jax.base.errors import ConfigError
from gan_jax.config import experiment

INFO = experiment.DataInfo('toy', (6, 6, 1), 80, 3, (0, 1, 2), '', '')


RISE = dict(name='linear_schedule', init_value=0.0, end_value=1.0,
            transition_steps=10)


def configured(**changes):
  """100 steps of 8 of 80 examples."""
  return experiment.make_game(tiny.config('unused', **changes), INFO, 100,
                              axis_name=None)


def problems_of(**changes):
  with pytest.raises(ConfigError) as found:
    configured(**changes)
  return {p.path: p.rule for p in found.value.problems}


# Optimisers.


ADAM = dict(name='adam', learning_rate=0.1, b1=0.5, b2=0.9)
