"""The argument `quick` of all recipes: a smoke test of seconds."""

from ml_collections import ConfigDict

from gan_jax.base import lookup
from gan_jax.config.keys import CHOICES

# Sizes of networks. What takes time is to compile, which goes by the number of
# layers.
_TINY = dict(width=8, max_width=8, code=8, style=8, mix=8, depth=1,
             stage_blocks=1, group_width=8, mapping_layers=1, flat_blocks=0)


def shorten(config: ConfigDict) -> None:
  """Makes a config one of two calls of two steps, on tiny networks."""
  config.train_steps = 4
  config.steps_per_call = 2
  config.batch_size = 8
  config.sample_grid = (2, 2)
  for key in ('log_every', 'sample_every', 'checkpoint_every'):
    config[key] = 2
  config.eval_every = 4
  config.unrolled_steps = min(config.unrolled_steps, 1)
  config.packing = min(config.packing, 2)
  for spec in config.evaluators:
    if 'num_samples' in spec:
      spec.num_samples = 16
    if spec.name == 'scores':
      # Needs no training, and takes examples of any kind.
      spec.extractor = dict(name='projection')
  for key in ('generator', 'discriminator', 'encoder'):
    if key in config.gen_frozen:  # It is that of another run.
      continue
    net, home = config[key], CHOICES[key]
    fields = lookup.defaults(home.module, net.name, home.kind)
    for field in _TINY.keys() & fields.keys():
      net[field] = _TINY[field]
    if 'widths' in fields:
      net.widths = (8,) * len(net.get('widths', fields['widths']))
