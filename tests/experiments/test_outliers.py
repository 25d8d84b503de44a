"""Areas under the curve, their intervals, and phantoms with lesions."""

import numpy as np
import pytest

from experiments.outliers import outliers
from experiments.xray.phantoms import phantom


def test_the_area_is_the_share_of_pairs():
  positive = np.array([True, False, True, False, False])
  # Pairs: 3 > 1, 3 = 3, 3 < 4; 9 is above all.
  assert outliers.auroc(np.array([3.0, 1.0, 9.0, 3.0, 4.0]), positive) == (
      pytest.approx((1 + 0.5 + 0 + 3) / 6))
  rng = np.random.default_rng(0)
  positive = np.arange(400) < 100
  score = rng.normal(size=400) + positive
  low, high = outliers.interval(score, positive)
  area = outliers.auroc(score, positive)
  assert low < area < high
  # Hanley & McNeil 1982, Radiology 143: its standard error.
  q = area / (2 - area), 2 * area ** 2 / (1 + area)
  error = np.sqrt((area * (1 - area) + 99 * (q[0] - area ** 2)
                   + 299 * (q[1] - area ** 2)) / (100 * 300))
  assert high - low == pytest.approx(2 * 1.96 * error, rel=0.15)


def test_what_lies_in_the_plane_has_no_error():
  rng = np.random.default_rng(1)
  plane = rng.normal(size=(2, 16))
  train = (rng.normal(size=(50, 2)) @ plane).reshape(50, 4, 4, 1)
  inside = (rng.normal(size=(5, 2)) @ plane).reshape(5, 4, 4, 1)
  off = np.linalg.svd(plane)[2][2]  # of length 1, at a right angle to it
  _, place, error = outliers.projected(
      train, np.concatenate([inside, inside + 51 * off.reshape(4, 4, 1)]), 2)
  np.testing.assert_allclose(error[:5], 0.0, atol=1e-9)
  np.testing.assert_allclose(error[5:], (51 / 255) ** 2, rtol=1e-6)
  np.testing.assert_allclose(place[5:], place[:5], atol=1e-9)


def test_a_lesion_is_a_bright_spot_in_a_lung():
  for seed in range(4):
    whole, ill = (phantom(np.random.default_rng(seed), 96, 96, count)
                  for count in (0, 1))
    # The scale of brightness is drawn after the noise: compare shapes.
    gap = ill / ill.mean() - whole / whole.mean()
    spot = gap > 0.6 * gap.max()
    rows, columns = np.nonzero(spot)
    assert gap.max() > 0.1
    assert np.ptp(rows) < 20 and np.ptp(columns) < 20  # one, and round
    assert 10 < rows.mean() < 80 and 8 < columns.mean() < 88
