"""The width of intervals of means."""

import pytest
from scipy import stats

from gan_jax.metrics.intervals import student


@pytest.mark.parametrize('freedom', [*range(1, 8), 29, 30, 99, 1000])
def test_students_t(freedom):
  assert student(freedom) == pytest.approx(
      stats.t.ppf(0.975, freedom), rel=1e-12)
