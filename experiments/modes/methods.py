"""The rows of the tables: a loss, penalties and further keys for each name."""

from gan_jax.config import recipe

_METHODS = {
    'gan': ('non_saturating', '', {}),
    'ali': ('non_saturating', '', dict(joint='sample')),
    'unrolled5': ('non_saturating', '', dict(unrolled_steps=5)),
    'pacgan2': ('non_saturating', '', dict(packing=2)),
    'pacgan3': ('non_saturating', '', dict(packing=3)),
    'pacgan4': ('non_saturating', '', dict(packing=4)),
    'gan+r1': ('non_saturating', 'r1', {}),
    'gan+r1+r2': ('non_saturating', 'r1+r2', {}),
    'rpgan': ('relativistic', '', {}),
    'rpgan+r1': ('relativistic', 'r1', {}),
    'rpgan+r1+r2': ('relativistic', 'r1+r2', {}),
    'wgan_gp': ('wasserstein', 'wgan_gp', dict(disc_steps=5)),
}


def apply(config, name: str, weight: float) -> None:
  """Makes a config that of a row, with this weight of its penalties.

  Raises:
    ValueError: no such row.
  """
  if name not in _METHODS:
    raise ValueError(f'no method {name!r}; there are {", ".join(_METHODS)}')
  loss, penalties, keys = _METHODS[name]
  recipe.finish(config, f'loss={loss}' + (
      f',penalty={penalties}' if penalties else ''))
  for penalty in config.penalties:
    penalty.weight = weight
  for key, value in keys.items():
    config[key] = value
  # A batch is of packs, as PacGAN's.
  config.batch_size *= config.packing
  if config.joint != 'none':  # D judges points with their codes.
    config.encoder = recipe.choice('encoder', 'mlp.Encoder')
    config.encoder.widths = (400, 400)
    config.discriminator.conditioning = 'onehot'
  if keys.keys() & {'unrolled_steps', 'disc_steps'}:
    config.updates = 'alternating'
  if config.unrolled_steps:  # One goes through the root in Adam.
    config.disc_optimizer['eps_root'] = 1e-12
