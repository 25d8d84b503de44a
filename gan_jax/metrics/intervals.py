"""The width of intervals of means."""

import math


def student(freedom: int) -> float:
  """Student's t that 95 % of the distribution is within, by bisection.

  Abramowitz & Stegun 1964, eq. 26.7.3-4. (To import scipy.stats takes as long
  as to list ten thousand runs.)
  """
  odd, low, high = freedom % 2, 0.0, math.pi / 2
  while low < (angle := (low + high) / 2) < high:
    term = math.cos(angle) if odd else 1.0
    total = 0.0
    for k in range(1 + odd, freedom, 2):
      total += term
      term *= k / (k + 1) * math.cos(angle) ** 2
    within = math.sin(angle) * total
    if odd:
      within = 2 / math.pi * (angle + within)
    low, high = (angle, high) if within < 0.95 else (low, angle)
  return math.sqrt(freedom) * math.tan(angle)
