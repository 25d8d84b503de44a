"""Metrics: functions of features, logits, labels or pixels, in numpy and JAX.

Features are [N, F]; real ones come first, generated ones ("fakes") second. Each
module is one family. To add one, write a function here and enter it in
`evaluators.measures.MEASURES`.
"""

_LOW = ('fd', 'fid', 'kd', 'kid', 'class_kl', 'divergence', 'ms_ssim')


def low_is_better(name: str) -> bool:
  """True of distances and similarities; all other scores should be high."""
  return name.startswith(_LOW)
