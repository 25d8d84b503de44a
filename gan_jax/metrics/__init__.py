"""Numbers that compare examples: functions of arrays, in numpy and JAX."""

_LOW = ('fd', 'fid', 'kd', 'kid', 'class_kl', 'divergence', 'ms_ssim')


def low_is_better(name: str) -> bool:
  """True of distances and similarities; all other scores should be high."""
  return name.startswith(_LOW)
