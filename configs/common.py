"""What all recipes share: every key, and the argument behind the colon.

A recipe starts from `get_config()`, sets what its paper sets, and ends with
`finish(config, arg)`, so that all of them understand

  --config=configs/dcgan.py:loss=hinge,data=fashion_mnist,quick

where `key=name` puts another choice in its place, its arguments spelled out so
that flags can reach them. Durations are steps, or texts such as '20 epochs',
'64000 examples' or '10%' (of train_steps).
"""

from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder

from gan_jax.base import lookup
from gan_jax.config.keys import ROOMS
from gan_jax.data import load as data

# Weights of the papers; 1 for a penalty that is not here. r1 and r2 have one
# gamma (Mescheder et al. 2018, arXiv:1801.04406, section 4.1; R3GAN).
_WEIGHTS = {'wgan_gp': 10.0, 'dragan': 10.0, 'r1': 10.0, 'r2': 10.0,
            'wgan_div': 2.0, 'drift': 0.001, 'lecam': 0.3, 'cr': 10.0,
            'bcr': 10.0, 'zcr': 5.0, 'icr': 10.0, 'orthogonal': 1e-4,
            'path_length': 2.0, 'pulling_away': 0.1}
_MANY = {'penalty': 'penalties', 'augment': 'augment',
         'evaluator': 'evaluators'}


def get_config() -> ConfigDict:
  """All keys, with values that suit a small data set."""
  config = ConfigDict()
  config.seed = 0
  config.dtype = 'float32'          # of the networks' arithmetic; or bfloat16
  config.deterministic = False      # on GPUs: the same bits in each start

  config.data = choice('data', 'mnist10k')
  config.image_range = (-1.0, 1.0)  # (0., 1.): sigmoid instead of tanh
  config.batch_size = 64            # over all devices
  config.augment = ()

  config.latent = dict(name='normal', size=100)
  config.generator = dict(name='dcgan.Generator', conditioning='none')
  config.discriminator = dict(name='dcgan.Discriminator', conditioning='none')

  config.loss = dict(name='non_saturating')
  config.penalties = ()             # dict(name=, weight=, every=, ...)
  config.disc_weight_clip = 0.0     # 0: none
  config.max_grad_norm = 0.0        # 0: none

  config.gradient_normalization = False
  config.packing = 1                # images that D judges together (PacGAN)
  config.unrolled_steps = 0         # of D, that G looks ahead
  config.updates = 'alternating'    # or simultaneous

  config.gen_optimizer = adam(2e-4, b1=0.5)
  config.disc_optimizer = adam(2e-4, b1=0.5)
  config.accumulate_steps = 1       # gradients averaged before an update
  config.lazy_correction = False    # rate and betas for lazy penalties
  config.disc_frozen = ()           # layers of D that stay as they start
  config.init_from = ''             # workdir whose weights a new run takes
  config.disc_steps = 1
  config.gen_steps = 1
  config.reuse_fakes = True         # D's fakes and their forward pass serve G
  config.ema_decay = rate(0.999)
  config.ema_rampup = 0.05

  config.train_steps = duration(3000)
  config.steps_per_call = 20        # scanned in one dispatch
  config.log_every = duration(20)
  config.sample_every = duration(100)
  config.sample_grid = (8, 8)       # rows, columns; a row per class if labelled
  config.eval_every = duration(1000)
  config.evaluators = ()
  config.best_metric = ''           # a score by which WORKDIR/best is kept
  config.checkpoint_every = duration(500)
  config.keep_checkpoints = 3
  config.watchdog = dict(policy='warn', max_rollbacks=3)  # stop, rollback
  return config


def duration(value):
  """A field that takes an int or a text, from flags too."""
  field = placeholder(object)
  field.set(value)
  return field


def adam(learning_rate: float, *, b1: float = 0.9, b2: float = 0.999) -> dict:
  """Adam, or with 0 for b1 what the Wasserstein and hinge papers use."""
  return dict(name='adam', learning_rate=rate(learning_rate), b1=rate(b1),
              b2=rate(b2))


def cosine(start, end, name: str = 'cosine') -> ConfigDict:
  """A number, or `half_life`, from one value to another over the whole run."""
  return ConfigDict(dict(name=name, init_value=rate(start), end_value=rate(end),
                         transition_steps=duration('100%')))


def linear(start: float) -> ConfigDict:
  """A rate that falls to 0 in the last step."""
  return ConfigDict(dict(name='linear_schedule', init_value=start,
                         end_value=0.0, transition_steps=duration('100%')))


def rate(value):
  """A number that may be a schedule dict(name=, ...) instead.

  So may all numbers of optimisers, weights of penalties, ema_decay, p of bgc
  and std of instance_noise.
  """
  return duration(value)


def choice(key: str, name: str) -> dict:
  """A choice of a room with its defaults spelled out.

  Raises:
    ValueError: no such name.
  """
  room = ROOMS[key]
  spec = dict(name=name)
  for argument, value in lookup.defaults(room.module, name, room.kind).items():
    if argument not in room.available:
      may = _may_change(room, name, argument)
      spec[argument] = rate(value) if may else value
  if key == 'data':
    spec |= data.shared_arguments()
  return spec


def _may_change(room, name, argument) -> bool:
  """Whether a number may become a schedule, which a float field refuses."""
  found = lookup.parameters(lookup.find(room.module, name, room.kind))[argument]
  return lookup.may_be_schedule(found) or (
      room.module == 'optax' and isinstance(found.default, float))


def term(key: str, name: str) -> ConfigDict:
  """A choice for one of the keys that hold several, 'augment' for example."""
  spec = choice(key, name)
  if key == 'penalties':
    spec |= dict(weight=rate(_WEIGHTS.get(name, 1.0)), every=1)
  return ConfigDict(spec)


def finish(config: ConfigDict, arg: str | None, **own) -> ConfigDict:
  """Applies what stands behind the colon.

  Args:
    config: of the recipe.
    arg: 'key=name,key=name,flag'.
    **own: what the recipe understands beside the common ones, {name: function
      of the value}; a function that takes a config and a text.

  Raises:
    ValueError: an argument that is not understood.
  """
  parts = [part.partition('=') for part in (arg or '').split(',') if part]
  # Whatever the order: choices replace, the recipe's own arguments change them,
  # and the size of a quick run is set last.
  for key, _, value in sorted(
      parts, key=lambda part: (part[0] == 'quick', part[0] in own)):
    if key in own:
      own[key](config, value)
    elif key == 'quick':
      _quick(config)
    elif key in _MANY:
      setattr(config, _MANY[key], tuple(
          term(_MANY[key], name) for name in value.split('+')))
    elif key in ROOMS and key not in _MANY.values():
      _replace(config, key, value)
    else:
      known = [*own, *_MANY, *(k for k in ROOMS if not ROOMS[k].many), 'quick']
      raise ValueError(f'no argument {key!r}{lookup.near(key, known)}')
  return config


def _replace(config, key, name):
  spec = choice(key, name)
  old = config[key]
  for kept in ('learning_rate', 'conditioning'):  # Not the method's own.
    if kept in old and (kept in spec or kept == 'learning_rate'):
      spec[kept] = old[kept]
  del config[key]
  config[key] = spec


def _quick(config):
  """Two calls of two steps on tiny networks: does it run at all?"""
  config.train_steps = 4
  config.steps_per_call = 2
  config.batch_size = 8
  config.sample_grid = (2, 2)
  for key in ('log_every', 'sample_every', 'checkpoint_every'):
    config[key] = 2
  config.eval_every = 4
  config.unrolled_steps = min(config.unrolled_steps, 1)
  for spec in config.evaluators:
    spec.num_samples = 16
    if spec.name == 'scores':
      spec.extractor = dict(name='random')  # needs no training
  for key in ('generator', 'discriminator'):
    net = config[key]
    room = ROOMS[key]
    fields = lookup.defaults(room.module, net.name, room.kind)
    for field in {'width', 'max_width', 'code'} & set(fields):
      net[field] = 8
    if 'widths' in fields:
      net.widths = (8,) * len(net.get('widths', fields['widths']))
