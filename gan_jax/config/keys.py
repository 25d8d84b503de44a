"""The rules for the plain values of a config, all checked at once."""

from collections.abc import Mapping
from typing import Any

from gan_jax.base import lookup
from gan_jax.base.errors import Problem
from gan_jax.config import durations
from gan_jax.data import load as data

DTYPES = ('float32', 'bfloat16')
IMAGE_RANGES = ((-1.0, 1.0), (0.0, 1.0))
DURATIONS = ('log_every', 'sample_every', 'eval_every', 'checkpoint_every')



class Room:
  """Where the names of a config key are looked up.

  module, kind: as in `lookup.names`.
  available: arguments that the program supplies.
  many: whether the key holds a tuple of specs, and with which further keys.
  """

  def __init__(self, module, *, kind='', available=(), many=False, extra=()):
    """See the class."""
    self.module, self.kind, self.available = module, kind, available
    self.many, self.extra = many, extra


_NETWORK = ('image_shape', 'image_range', 'num_classes', 'axis_name', 'dtype')
_BATCH = ('batch_mean', 'batch_all')
_CODES = dict(categories=(10,), continuous=2)  # as latents.infogan has them
POLICIES = ('warn', 'stop', 'rollback')
UPDATES = ('alternating', 'simultaneous')
ROOMS = {
    'data': Room(data.ROOM, available=('geometry',)),
    'latent': Room('gan_jax.game.latents'),
    'generator': Room('gan_jax.models', kind='Generator', available=_NETWORK),
    'discriminator': Room('gan_jax.models', kind='Discriminator',
                          available=(*_NETWORK, 'heads')),
    'loss': Room('gan_jax.losses', available=_BATCH),
    'penalties': Room('gan_jax.penalties', many=True, extra=('weight', 'every'),
                      available=(*_BATCH, 'num_classes')),
    'augment': Room('gan_jax.augment', many=True,
                    available=('batch_mean', 'batch_size')),
    'gen_optimizer': Room('optax'),
    'disc_optimizer': Room('optax'),
    'evaluators': Room('gan_jax.evaluators', available=('source', 'seed'),
                       many=True),
}


def _whole(low):
  return (lambda v: _is_int(v) and v >= low), f'must be an int >= {low}'


def _real(low, high=float('inf')):
  bound = f'>= {low}' if high == float('inf') else f'in [{low}, {high})'
  return (lambda v: _is_real(v) and low <= v < high), f'must be a float {bound}'


def _is_int(value):
  return isinstance(value, int) and not isinstance(value, bool)


def _is_real(value):
  return isinstance(value, (int, float)) and not isinstance(value, bool)


_VALUES = {
    # JAX's keys take 32 bits of a seed: more would alias.
    'seed': (lambda v: _is_int(v) and 0 <= v < 2**32,
             'must be an int from 0 to 2**32 - 1'),
    'batch_size': _whole(1),
    'disc_steps': _whole(1),
    'gen_steps': _whole(1),
    'steps_per_call': _whole(1),
    'keep_checkpoints': _whole(1),
    'packing': _whole(1),
    'unrolled_steps': _whole(0),
    'accumulate_steps': _whole(1),
    'updates': (lambda v: v in UPDATES, f'must be one of {UPDATES}'),
    'lazy_correction': (lambda v: isinstance(v, bool), 'must be True or False'),
    'gradient_normalization': (lambda v: isinstance(v, bool),
                               'must be True or False'),
    'init_from': (lambda v: isinstance(v, str),
                  'must be the workdir of another run, or empty'),
    'disc_frozen': (lambda v: isinstance(v, tuple) and all(
        isinstance(name, str) for name in v),
                    'must be a tuple of names of layers'),
    'deterministic': (lambda v: isinstance(v, bool), 'must be True or False'),
    'reuse_fakes': (lambda v: isinstance(v, bool), 'must be True or False'),
    'disc_weight_clip': _real(0.0),
    'max_grad_norm': _real(0.0),
    'ema_rampup': _real(0.0),
    'best_metric': (lambda v: isinstance(v, str),
                    'must be the name of a score, or empty'),
    'dtype': (lambda v: v in DTYPES, f'must be one of {DTYPES}'),
    'image_range': (lambda v: v in IMAGE_RANGES,
                    f'must be one of {IMAGE_RANGES}'),
    'sample_grid': (lambda v: isinstance(v, tuple) and len(v) == 2
                    and all(_is_int(n) and n > 0 for n in v),
                    'must be (rows, columns), each 1 or more'),
}
# Plain values that may be schedules, and the range [low, high) of each.
NUMBERS = {'ema_decay': (0.0, 0.9999999)}  # 1 in float32 would never move
KEYS = {*_VALUES, *ROOMS, *DURATIONS, *NUMBERS, 'train_steps', 'watchdog'}


def check(config: Mapping[str, Any], devices: int) -> list[Problem]:
  """Problems of keys, values and specs that need neither data nor networks.

  Args:
    config: plain dict, tuples for sequences.
    devices: that a batch is divided by.
  """
  problems = [Problem(key, value, 'no such key' + lookup.near(key, KEYS))
              for key, value in config.items() if key not in KEYS]
  problems += [Problem(key, 'absent', 'is missing; start from '
                       'configs.common.get_config()')
               for key in sorted(KEYS - set(config))]
  for key, (holds, rule) in _VALUES.items():
    if key in config and not holds(config[key]):
      problems.append(Problem(key, config[key], rule))
  for key, (low, high) in NUMBERS.items():
    if key in config:
      problems += durations.check_number(config[key], key, low, high)
  for key, room in ROOMS.items():
    if key in config:
      problems += _check_room(key, config[key], room)
  if 'watchdog' in config:
    problems += _check_watchdog(config['watchdog'])
  if config.get('best_metric') and not config.get('evaluators'):
    problems.append(Problem('best_metric', config['best_metric'],
                            'nothing is scored: add an evaluator, as '
                            'configs/dcgan.py:evaluator=scores does'))
  if not any(p.path == 'batch_size' for p in problems):
    problems += _check_batch(config.get('batch_size', devices), devices)
  return problems + _check_game(config, devices, problems)


def _check_game(config, devices, known) -> list[Problem]:
  """Rules that exclude each other."""
  bad = {p.path for p in known}
  keys = ('packing', 'batch_size', 'updates', 'disc_steps', 'gen_steps',
          'latent', 'penalties')
  if any(key not in config or any(path.startswith(key) for path in bad)
         for key in keys):
    return []
  problems, packing = [], config['packing']
  if packing > 1 and config['batch_size'] % (packing * devices):
    problems.append(Problem(
        'packing', packing, f'packs do not divide batch_size='
        f'{config["batch_size"]} on {devices} devices; a multiple of '
        f'{packing * devices} does'))
  if config.get('unrolled_steps') and not any(
      path.startswith('disc_optimizer') for path in bad):
    problems += _check_unrolled(config.get('disc_optimizer'))
  if config['updates'] == 'simultaneous' and (
      config['disc_steps'], config['gen_steps']) != (1, 1):
    problems.append(Problem(
        'updates', 'simultaneous', 'is one update of each player; use '
        'disc_steps=1 and gen_steps=1, or alternating'))
  return problems + _check_codes(config)


def _check_unrolled(spec) -> list[Problem]:
  """The generator's gradient goes through D's optimiser, roots and all."""
  if not isinstance(spec, Mapping) or ':' in (name := spec.get('name', ':')):
    return []
  if name in ('adafactor', 'radam'):  # NaN, in radam once it rectifies.
    return [Problem('disc_optimizer.name', name, 'gives no gradient through '
                    'its update, which unrolled_steps needs; use adam')]
  known = lookup.defaults('optax', name, plain=False)
  if 'eps_root' not in known or (known | spec)['eps_root']:
    return []
  return [Problem(
      'disc_optimizer.eps_root', 0.0, 'must be above 0, 1e-12 for example, '
      f'with unrolled_steps: the gradient goes through the root in {name}')]


def _check_codes(config) -> list[Problem]:
  """InfoGAN's term must know where its codes stand in z."""
  problems, latent = [], config.get('latent')
  for i, spec in enumerate(config['penalties']):
    if spec['name'] != 'infogan':
      continue
    found = [{key: tuple(value) if isinstance(value, (list, tuple)) else value
              for key in ('categories', 'continuous')
              for value in [part.get(key, _CODES[key])]}
             for part in (spec, latent)]
    if latent['name'] != 'infogan' or found[0] != found[1]:
      problems.append(Problem(
          f'penalties[{i}]', spec, f'needs latent=dict(name="infogan", '
          f'categories={found[0]["categories"]}, '
          f'continuous={found[0]["continuous"]}), whose codes it finds again'))
  return problems


def _check_room(key, value, room) -> list[Problem]:
  if key == 'data':
    return data.check(value, key)
  if not room.many:
    plain, problems = _numbers(key, value, room)
    return lookup.check(room.module, plain, key, room.available,
                        room.kind) + problems
  if not isinstance(value, tuple):
    return [Problem(key, value, 'must be a tuple of dict(name=..., **kwargs)')]
  problems = []
  for i, spec in enumerate(value):
    path = f'{key}[{i}]'
    if isinstance(spec, Mapping):
      problems += _check_term(path, spec, room)
      spec = {k: v for k, v in spec.items() if k not in room.extra}
    spec, found = _numbers(path, spec, room)
    problems += lookup.check(room.module, spec, path, room.available) + found
  return problems


def _check_term(path, spec, room) -> list[Problem]:
  """Weight and interval, which belong to the game and not to the penalty."""
  if not room.extra:
    return []
  holds, rule = _whole(1)
  problems = [] if holds(every := spec.get('every', 1)) else [
      Problem(f'{path}.every', every, rule)]
  if 'weight' not in spec:
    return [Problem(f'{path}.weight', 'absent', 'is missing'), *problems]
  return durations.check_number(spec['weight'], f'{path}.weight') + problems


def _numbers(path, spec, room) -> tuple[Any, list[Problem]]:
  """A spec with 0.0 for its schedules, and what is wrong with those."""
  try:
    keys = durations.scheduled_arguments(room, spec)
  except (KeyError, TypeError, ValueError, AttributeError):
    return spec, []  # Not a spec: lookup.check says so.
  if room.module == 'optax':
    keys = {*keys, 'learning_rate'} & set(spec)
  problems = [problem for key in sorted(keys)
              for problem in durations.check_number(spec[key], f'{path}.{key}')]
  return {**spec, **dict.fromkeys(keys, 0.0)}, problems


def _check_batch(batch_size, devices) -> list[Problem]:
  if batch_size % devices == 0:
    return []
  down = batch_size // devices * devices
  near = f'{down} or {down + devices}' if down else f'{devices}'
  return [Problem('batch_size', batch_size,
                  f'is not divisible by {devices} devices; try {near}')]


def _check_watchdog(spec: Any) -> list[Problem]:
  """All that is wrong with `config.watchdog`."""
  if not isinstance(spec, Mapping):
    return [Problem('watchdog', spec, 'must be dict(policy=, max_rollbacks=)')]
  rules = {
      'policy': (lambda v: v in POLICIES, f'must be one of {POLICIES}'),
      'max_rollbacks': (lambda v: type(v) is int and v >= 0,
                        'must be an int >= 0')}
  problems = [Problem(f'watchdog.{key}', value, 'no such key' + lookup.near(
      key, rules))
              for key, value in spec.items() if key not in rules]
  for key, (holds, rule) in rules.items():
    if key not in spec:
      problems.append(Problem(f'watchdog.{key}', 'absent', 'is missing'))
    elif not holds(spec[key]):
      problems.append(Problem(f'watchdog.{key}', spec[key], rule))
  return problems
