"""Modes captured: counted by hand, and of the mixtures themselves."""

import numpy as np
import pytest

from gan_jax.data import sources
from gan_jax.metrics import mode_coverage
from gan_jax.metrics.coverage import modes_captured

CENTRES = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])


def test_by_hand():
  points = [[0.2, 0.0], [0.31, 0.0], [10.0, -0.3], [5.0, 5.0], [0.0, 0.1]]
  # Within 0.3: the first, third and last; of the modes 0 and 1.
  assert modes_captured(points, CENTRES, 0.1) == (2, pytest.approx(0.6))


def test_what_is_not_finite_is_far():
  assert modes_captured([[np.nan, 0.0], [np.inf, 0.0]], CENTRES, 0.1) == (0, 0)


@pytest.mark.parametrize('name,modes', [('ring', 8), ('grid', 25)])
def test_the_data_reach_the_ceiling(name, modes):
  source = getattr(sources, name)()
  found = mode_coverage(source=source, num_samples=50_000)(
      lambda count: source.images[:count])
  assert found['modes'] == modes
  # 1 - exp(-9 / 2), with a standard error of 0.0005 over 50,000.
  assert found['high_quality'] == pytest.approx(0.98889, abs=0.002)


def test_collapse_onto_one_mode():
  source = sources.ring()
  one = source.images[source.labels == 3]
  found = mode_coverage(source=source)(lambda count: one[:count])
  assert found['modes'] == 1


def test_other_data_are_refused():
  with pytest.raises(ValueError, match='ring and grid'):
    mode_coverage(source=sources.mnist10k())
