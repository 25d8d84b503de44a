"""Games of two numbers: eigenvalues by hand, and where the step goes."""

import numpy as np
import pytest

from experiments.toy_games.toy_games import (
  ROWS,
  line,
  measured,
  predicted,
  trajectory,
)

# With the rate h = 0.2. Simultaneous: 1 + h (-d/2 +- i sqrt(p^2 - d^2/4)) for
# the pull p and the damping d. Alternating: t/2 +- i sqrt(D - t^2/4) with the
# trace t = 2 - h d - h^2 p^2 and the determinant D = 1 - h d.
BY_HAND = [
    ('GAN', 'simultaneous', 1.0, 0.1),  # p = f'(0) = 1/2: modulus above 1
    ('GAN', 'alternating', 0.995, np.sqrt(1 - 0.995 ** 2)),  # on the circle
    ('WGAN clip', 'simultaneous', 1.0, 0.2),  # p = 1
    # R1: d = gamma = 0.3, so sqrt(0.25 - 0.0225) = 0.47697.
    ('R1', 'simultaneous', 0.97, 0.2 * 0.47697),
    # RpGAN with both: d = 0.6, sqrt(0.25 - 0.09) = 0.4; t = 1.87, D = 0.88.
    ('RpGAN R1 R2', 'simultaneous', 0.94, 0.08),
    ('RpGAN R1 R2', 'alternating', 0.935, np.sqrt(0.88 - 0.935 ** 2)),
    # p = 2 E x^2 = 2/3, d = 4 gamma E x^2 = 0.4.
    ('LQ-WGAN R1', 'simultaneous', 0.96, 0.2 * np.sqrt(4 / 9 - 0.04)),
    # p = E x^2 = 1/3, d = E x^4 / 2 = 0.1.
    ('LQ-GAN', 'simultaneous', 0.99, 0.2 * np.sqrt(1 / 9 - 0.0025)),
]


@pytest.mark.parametrize('name,updates,real,imaginary', BY_HAND)
def test_eigenvalues_of_the_step_are_those_worked_out(name, updates, real,
                                                      imaginary):
  for found in measured(ROWS[name], updates), predicted(ROWS[name], updates):
    np.testing.assert_allclose(found.real, real, atol=1e-5)
    np.testing.assert_allclose(sorted(found.imag), [-imaginary, imaginary],
                               atol=1e-5)


def test_a_kinked_penalty_pushes_away_from_the_equilibrium():
  # 1 + h 2 w (1e5 - 1), of w (sqrt(psi^2 + 1e-10) - 1)^2 with w = 0.35, less
  # h^2 / 0.14e5 for the pull.
  found = measured(ROWS['WGAN-GP'], 'simultaneous')
  assert max(found.real) == pytest.approx(1 + 0.14 * 99_999, rel=1e-5)


def test_where_the_games_go():
  def end(name, updates):
    return np.linalg.norm(trajectory(ROWS[name], updates)[[0, -1]], axis=1)

  start, after = end('R1', 'alternating')
  assert start == pytest.approx(np.sqrt(2)) and after < 1e-5
  assert end('GAN', 'simultaneous')[1] > 2
  assert 0.5 < end('WGAN-GP', 'alternating')[1] < 2


def test_a_line_has_both():
  row = line('R2', 'alternating')
  assert row['largest'] == [0.9695, 0.9695]  # sqrt(1 - 0.2 * 0.3)
  assert row['predicted'] == row['measured']
