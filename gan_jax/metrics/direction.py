"""Which way is up: whether a score is better when it is low."""

_LOW = ('fd', 'fid', 'kd', 'kid', 'class_kl', 'divergence', 'ms_ssim')


def low_is_better(name: str) -> bool:
  """Of distances and similarities; all other scores are better when high."""
  return name.startswith(_LOW)
