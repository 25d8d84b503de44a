"""Table of config keys: default, allowed values, description.

`recipe.base` reads the defaults, `key_rules.check` the allowed values, the docs
the descriptions.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from gan_jax.base import lookup
from gan_jax.config import durations, fields
from gan_jax.data import load as data


class Choice(NamedTuple):
  """The component of a key, `dict(name=..., **kwargs)`.

  module, kind: as in `lookup.names`.
  supplied: arguments that the program gives.
  many: whether the key holds a tuple of such dicts.
  extra: further keys of each, read by the game.
  """

  module: str
  kind: str = ''
  supplied: tuple[str, ...] = ()
  many: bool = False
  extra: tuple[str, ...] = ()


class Number(NamedTuple):
  """A float in [low, high), or a schedule for one."""

  low: float
  high: float


class Key(NamedTuple):
  """One key of a config.

  default: in `recipe.base`, and of a run folder whose config lacks the key.
  words: description, one line.
  values: a `Choice`, a `Number`, DURATION, or (predicate, constraint in words).
  """

  default: Any
  words: str
  values: Any


def _is_int(value):
  return isinstance(value, int) and not isinstance(value, bool)


def _whole(low, high=2**31):
  bound = f'>= {low}' if high == 2**31 else f'from {low} to {high - 1}'
  return lambda v: _is_int(v) and low <= v < high, f'must be an int {bound}'


def _real(low):
  return (lambda v: isinstance(v, (int, float)) and not isinstance(v, bool)
          and low <= v < float('inf'), f'must be a float >= {low}')


def _one_of(*values):
  return lambda v: v in values, f'must be one of {values}'


def _text(what):
  return lambda v: isinstance(v, str), f'must be {what}, or empty'


DURATION = (None, durations.RULE)
_SWITCH = lambda v: isinstance(v, bool), 'must be True or False'
_LAYERS = (lambda v: isinstance(v, tuple) and all(
    isinstance(name, str) for name in v), 'must be a tuple of names of layers')
_NETWORK = ('image_shape', 'image_range', 'num_classes', 'row_blocks',
            'axis_name', 'dtype')
_BATCH = ('batch_mean', 'batch_all')

KEYS = {
    'seed': Key(0, 'seed of everything random', (
        # JAX's keys use 32 bits of a seed.
        lambda v: _is_int(v) and 0 <= v < 2**32,
        'must be an int from 0 to 2**32 - 1')),
    'population': Key(1, 'members trained together, with seeds seed, seed + 1, '
                      '...; see docs/populations.md', _whole(1)),
    'dtype': Key('float32', "data type of the networks' arithmetic",
                 _one_of('float32', 'bfloat16')),
    'deterministic': Key(False, 'on GPUs: bit-identical in each start',
                         _SWITCH),
    'data': Key({'name': 'mnist10k'}, 'the data set and how it is read',
                Choice(data.ROOM, supplied=tuple(data.PARTS))),
    'image_range': Key((-1.0, 1.0), 'range of the images that networks see; '
                       'with (0., 1.) generators end in a sigmoid, not tanh',
                       _one_of((-1.0, 1.0), (0.0, 1.0))),
    'batch_size': Key(64, 'real images per update, over all devices',
                      _whole(1)),
    'augment': Key((), 'augmentations of real and generated images', Choice(
        'gan_jax.augment', supplied=('batch_mean', 'batch_size'), many=True)),
    'latent': Key({'name': 'normal', 'size': 100}, 'the prior of z',
                  Choice('gan_jax.game.latents')),
    'latent_steps': Key((), "steps of z along D's gradient before G draws, in "
                        'training (LOGAN)', Choice('gan_jax.game.latent_steps',
                                                   many=True)),
    'generator': Key({'name': 'dcgan.Generator', 'conditioning': 'none'},
                     'the network from z to images',
                     Choice('gan_jax.models', 'Generator', _NETWORK)),
    'discriminator': Key(
        {'name': 'dcgan.Discriminator', 'conditioning': 'none'},
        'the network from images to logits',
        Choice('gan_jax.models', 'Discriminator', (*_NETWORK, 'heads'))),
    'encoder': Key(
        {'name': 'none.Encoder'},
        'the network from images to q(z | x), a part of the player G',
        Choice('gan_jax.models', 'Encoder', (*_NETWORK, 'latent_size'))),
    'joint': Key('none', "whether D judges images with their codes, the 'mean' "
                 "of q(z | x) (BiGAN) or a 'sample' of it (ALI)",
                 _one_of('none', 'mean', 'sample')),
    'loss': Key({'name': 'non_saturating'}, 'the adversarial loss',
                Choice('gan_jax.losses', supplied=_BATCH)),
    'penalties': Key((), 'terms added to the loss, each with a weight', Choice(
        'gan_jax.penalties', supplied=(*_BATCH, 'num_classes', 'image_range'),
        many=True,
        extra=('weight', 'every'))),
    'disc_weight_clip': Key(0.0, "bound of D's weights after its update "
                            '(WGAN), 0 for none', _real(0.0)),
    'max_grad_norm': Key(0.0, 'gradients of a larger global norm are scaled '
                         'down to it, 0 for none', _real(0.0)),
    'gradient_normalization': Key(
        False, 'logits f become f / (|df/dx| + |f|) (Wu et al. 2021)',
        _SWITCH),
    'packing': Key(1, 'images that D judges together (PacGAN)', _whole(1)),
    'unrolled_steps': Key(0, 'updates of D that G looks ahead (unrolled GAN)',
                          _whole(0)),
    'updates': Key('alternating', 'updates of G and D: in turn, or from '
                   'the same state', _one_of('alternating', 'simultaneous')),
    'gen_optimizer': Key({'name': 'adam', 'learning_rate': 2e-4, 'b1': 0.5,
                          'b2': 0.999}, 'optimiser of G', Choice('optax')),
    'disc_optimizer': Key({'name': 'adam', 'learning_rate': 2e-4, 'b1': 0.5,
                           'b2': 0.999}, 'optimiser of D',
                          Choice('optax')),
    'accumulate_steps': Key(1, 'gradients averaged for an update',
                            _whole(1)),
    'lazy_correction': Key(False, "StyleGAN2's correction of rate and betas "
                           'for penalties with every > 1', _SWITCH),
    'disc_frozen': Key((), 'layers of D that are not trained (FreezeD)',
                       _LAYERS),
    'gen_frozen': Key((), "layers of G that are not trained; ('generator',) of "
                      'one with an encoder', _LAYERS),
    'init_from': Key('', 'run folder whose weights a new run starts from',
                     _text('the workdir of another run')),
    'disc_steps': Key(1, 'updates of D in a step', _whole(1)),
    'gen_steps': Key(1, 'updates of G in a step', _whole(1)),
    'reuse_fakes': Key(True, "whether G's first update reuses the images of "
                       "D's last one: one forward pass less", _SWITCH),
    'ema_decay': Key(0.999, 'decay of the averaged generator (EMA), per step; '
                     '0 for no average',
                     Number(0.0, 0.9999999)),  # Rounds to 1 above.
    'ema_rampup': Key(0.05, 'bound of the half-life of the EMA, as a share of '
                      'the steps so far; 0 for none', _real(0.0)),
    'standing_batches': Key(0, "batches of which batch norm's statistics are "
                            'computed anew for samples and scores (BigGAN), 0 '
                            'for the running averages', _whole(0)),
    'train_steps': Key(3000, 'length of the run', DURATION),
    'shard': Key('none', "'state': parameters, moments and averages are split "
                 'over the devices, so that a larger network fits',
                 _one_of('none', 'state')),
    'steps_per_call': Key('auto', 'steps of a compiled chunk (one call); '
                          "'auto': so many that it lasts about 0.5 s", (
        lambda v: v == 'auto' or _whole(1)[0](v),
        "must be 'auto' or an int >= 1")),
    'log_every': Key(20, 'interval of logged rows', DURATION),
    'sample_every': Key(100, 'interval of sample grids; 0: none', DURATION),
    'sample_grid': Key((8, 8), '(rows, columns); a row per class if labelled', (
        lambda v: isinstance(v, tuple) and len(v) == 2
        and all(_is_int(n) and n > 0 for n in v),
        'must be (rows, columns), each 1 or more')),
    'eval_every': Key(1000, 'interval of scores; 0: none', DURATION),
    'evaluators': Key((), 'scores to compute', Choice(
        'gan_jax.evaluators', supplied=('source', 'seed'), many=True)),
    'loggers': Key(({'name': 'tensorboard'},), 'outputs of scalars besides '
                   'scalars.jsonl', Choice('gan_jax.loggers', many=True)),
    'best_metric': Key('', 'score by which WORKDIR/best is chosen',
                       _text('the name of a score')),
    'checkpoint_every': Key(500, 'interval of checkpoints; 0: none', DURATION),
    'keep_checkpoints': Key(3, 'how many of the newest are kept', _whole(1)),
    'watchdog': Key({'policy': 'warn', 'max_rollbacks': 3}, 'reaction to '
                    'findings: warn, stop or rollback', (
        lambda v: isinstance(v, Mapping), 'must be dict(policy=, '
        'max_rollbacks=)')),
}
# Keys whose numbers a step takes as arrays, so that members of a population may
# differ in them. Those of `SWITCHES` turn something off at 0.
SWITCHES = ('ema_decay', 'ema_rampup', 'disc_weight_clip', 'max_grad_norm')
ARRAYS = ('gen_optimizer', 'disc_optimizer', 'loss', 'penalties', 'augment',
          *SWITCHES)
# Keys of the discriminator, and what they are in a game without one.
OF_DISC = {'disc_steps': 1, 'gen_steps': 1, 'updates': 'alternating',
           'joint': 'none', 'unrolled_steps': 0, 'packing': 1,
           'disc_weight_clip': 0.0, 'gradient_normalization': False,
           'disc_frozen': (), 'augment': (), 'latent_steps': ()}
# Keys that runs of version 0.1.0 lack, and fields of their components. At these
# values they change nothing.
_ADDED = {key: KEYS[key].default for key in (
    'encoder', 'joint', 'latent_steps', 'gen_frozen')} | {
        'data.labelled_seed': 0, 'generator.noise': 0.0,
        'discriminator.noise': 0.0}
# A run is a run, alone or a member.
OF_A_RUN = tuple(k for k in KEYS if k != 'population')
# The same of the dict `watchdog`, and of a term's interval.
WATCHDOG = {'policy': _one_of('warn', 'stop', 'rollback'),
            'max_rollbacks': _whole(0)}
EVERY = _whole(1)
DURATIONS = tuple(k for k, key in KEYS.items() if key.values is DURATION)
CHOICES = {k: key.values for k, key in KEYS.items()
           if isinstance(key.values, Choice)}
# The arguments after a recipe's name that choose several components.
MANY = {'penalty': 'penalties', 'augment': 'augment',
        'evaluator': 'evaluators', 'logger': 'loggers',
        'latent_step': 'latent_steps'}
# All arguments that choose components.
COMPONENTS = (*MANY, *(key for key, home in CHOICES.items() if not home.many))
NUMBERS = {k: key.values for k, key in KEYS.items()
           if isinstance(key.values, Number)}


def in_force(config: Mapping[str, Any], path: str) -> Any:
  """The value at a path, or its default where the config leaves it out."""
  value = fields.at(config, path)
  return default(config, path) if value is None else value


def default(config: Mapping[str, Any], path: str) -> Any:
  """The default of a key or of a component's argument, None if unknown."""
  key, _, argument = path.partition('.')
  key = key.split('[')[0]
  if key not in CHOICES:
    return getattr(KEYS.get(path), 'default', None)
  home, spec = CHOICES[key], fields.at(config, path.rpartition('.')[0])
  try:
    return lookup.defaults(home.module, spec['name'], home.kind,
                           plain=False).get(argument)
  except (ValueError, KeyError, TypeError):
    return None  # No such component, which is said elsewhere.


def filled(config: Mapping[str, Any]) -> dict[str, Any]:
  """Adds the defaults of missing keys to the config of an older run."""
  return {k: KEYS[k].default for k in OF_A_RUN} | dict(config)


def without_added(config: Mapping[str, Any]) -> dict[str, Any]:
  """A config without later keys at their defaults, as an older run has it."""
  def kept(path, value):
    return path not in _ADDED or fields.plain(value) != _ADDED[path]

  return {key: {k: v for k, v in value.items() if kept(f'{key}.{k}', v)}
          if isinstance(value, Mapping) else value
          for key, value in config.items() if kept(key, value)}
