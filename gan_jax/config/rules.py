"""Cross-key validation before compilation.

A rule is a generator of (path of the key, problem and fix). `of_config` needs
the config alone, `of_data` the data too; `game_rules.of_game` the built
components.
"""

from collections.abc import Mapping

from gan_jax import models, parallel
from gan_jax.base import lookup
from gan_jax.base.errors import Problem
from gan_jax.base.examples import kind_of
from gan_jax.config import fields, keys

_CODES = dict(categories=(10,), continuous=2)  # as latents.infogan has them


def of_config(config: Mapping, devices: int,
              known: list[Problem]) -> list[Problem]:
  """Applies the rules that need neither data nor networks.

  Args:
    config: plain dict.
    devices: number of devices that share a batch.
    known: problems found so far; rules skip their keys.
  """
  bad = {p.path.split('.')[0].split('[')[0] for p in known}
  rules = {_best: ('evaluators', 'best_metric'), _batch: ('batch_size',),
           _shard: ('shard',), _packs_divide: ('packing', 'batch_size'),
           _compared: ('discriminator', 'packing', 'batch_size'),
           _unrolled: ('unrolled_steps', 'disc_optimizer'),
           _simultaneous: ('updates', 'disc_steps', 'gen_steps'),
           _standing: ('generator', 'standing_batches'),
           _codes: ('latent', 'penalties'),
           _moved: ('latent', 'latent_steps', 'unrolled_steps')}
  return [problem for rule, keys in rules.items()
          if not bad & {*keys} and all(key in config for key in keys)
          for problem in problems_of(config, rule(config, devices))]


def of_data(config: Mapping, source) -> list[Problem]:
  """Checks batch size, labels and flips against the data."""
  return problems_of(config, _data(config, source))


def of_labels(config: Mapping, name: str) -> list[Problem]:
  """Rejects conditional networks if the data `name` have no labels."""
  return problems_of(config, (
      (f'{key}.{path}', f'needs labels, and the data {name!r} have none; use '
       + {'name': 'another network', 'norm': '"batch"'}.get(path, '"none"'))
      for key in told_labels(config)
      if (path := models.conditioned_by(config[key]))))


def of_best(config: Mapping, evaluators, info) -> list[Problem]:
  """Checks that best_metric is a score that this run will have.

  The evaluators' attribute `names` lists their scores; without it only the need
  of labels is checked. info: of the data, a `config.build.DataInfo`.
  """
  wanted = config.get('best_metric') or ''
  own = any(':' in spec['name'] for spec in config['evaluators'])
  if wanted.startswith('class_accuracy_') and not own:
    if not info.num_classes:
      return problems_of(config, [('best_metric', (
          f'needs classes, and the data {info.name!r} have none; use another '
          'score'))])
    if not models.is_conditional(config['generator']):
      return problems_of(config, [('best_metric', (
          'needs a generator that is told the class to draw; use '
          "generator.conditioning='onehot', or another score"))])
  names = [getattr(evaluate, 'names', None) for evaluate in evaluators]
  known = [name for part in names for name in part or ()]
  if not wanted or not names or not all(names) or wanted in known:
    return []
  return problems_of(config, [
      ('best_metric', 'no such score' + lookup.near(wanted, known))])


def of_scores(config: Mapping, evaluators) -> list[Problem]:
  """Rejects two evaluators of one score, which would share its curve."""
  first = [(getattr(evaluate, 'names', None) or [i])[0]
           for i, evaluate in enumerate(evaluators)]
  return problems_of(config, (
      (f'evaluators[{i}]', f'gives {name}, as evaluators[{first.index(name)}] '
       'does: two curves of one name would be one; use another number of '
       'examples, or score by this one afterwards, with --mode=evaluate')
      for i, name in enumerate(first) if name in first[:i]))


def problems_of(config, rule) -> list[Problem]:
  """The problems that a rule yields, with the values at their paths."""
  return [Problem(path, keys.in_force(config, path), text)
          for path, text in rule]


# Rules that need the config alone.


def _best(config, devices):
  if config['best_metric'] and not config['evaluators']:
    yield 'best_metric', ('needs an evaluator; use for example '
                          'configs/dcgan.py:evaluator=scores')


def _batch(config, devices):
  if config['batch_size'] % devices:
    down = config['batch_size'] // devices * devices
    near = f'{down} or {down + devices}' if down else f'{devices}'
    yield 'batch_size', f'is not divisible by {devices} devices; try {near}'


def _shard(config, devices):
  if config['shard'] == 'state' and parallel.processes()[1] > 1:
    yield 'shard', 'is of the devices of one process; use none'


def parts_of_batch(config: Mapping, devices: int) -> int:
  """Number of parts of a batch; packs and minibatch layers stay within one.

  One for each device; with shard='state' XLA divides the step of the whole
  batch, which is one part.
  """
  return 1 if config.get('shard') == 'state' else devices


def _packs_divide(config, devices):
  packing, batch = config['packing'], config['batch_size']
  least = packing * parts_of_batch(config, devices)
  if packing > 1 and batch % least:
    yield 'packing', (
        f'packs do not divide batch_size={batch} on {devices} devices; a '
        f'multiple of {least} does')


def _compared(config, devices):
  """Minibatch layers need several examples, or packs, in a part."""
  spec = models.filled(config['discriminator'])
  kind, group = spec.get('minibatch', 'none'), spec.get('group', 4)
  parts, batch = parts_of_batch(config, devices), config['batch_size']
  least = parts * config['packing']
  if kind == 'none' or batch % least:
    return
  if not group > 1:
    yield 'discriminator.group', 'must be 2 or more: its examples are compared'
    return
  part, where = batch // least, 'a device' if parts == devices else 'a step'
  if part == 1:
    yield 'batch_size', (
        f'leaves one example to {where}, and minibatch={kind!r} compares '
        f"several; use {2 * least} or more, or discriminator.minibatch='none'")
    return
  if kind == 'std' and part > group and part % group:
    down = part // group * group * least
    yield 'batch_size', (
        f"leaves {part} examples to {where}, and minibatch='std' compares "
        f'them in groups of {group}; use a multiple of {group * least}: {down} '
        f'or {down + group * least}')


def _unrolled(config, devices):
  """Constraints of unrolled_steps: D's optimiser must be differentiable."""
  spec = config['disc_optimizer']
  if not config['unrolled_steps'] or ':' in spec['name']:
    return
  known = lookup.defaults('optax', spec['name'], plain=False)
  if spec['name'] in ('adafactor', 'radam'):  # Gradient NaN; in radam later.
    yield 'disc_optimizer.name', ('gives no gradient through its update, which '
                                  'unrolled_steps needs; use adam')
  elif 'eps_root' in known and not (known | spec)['eps_root']:
    yield 'disc_optimizer.eps_root', (
        'must be above 0, 1e-12 for example, with unrolled_steps: the gradient '
        f'goes through the root in {spec["name"]}')


def _simultaneous(config, devices):
  if config['updates'] == 'simultaneous' and (
      config['disc_steps'], config['gen_steps']) != (1, 1):
    yield 'updates', ('simultaneous makes one update of each network; use '
                      'disc_steps=1 and gen_steps=1, or alternating')


def _standing(config, devices):
  """Standing statistics are of batch norms."""
  spec = models.filled(config['generator'])
  norm = spec.get('norm', ':' if ':' in spec['name'] else 'none')
  if config['standing_batches'] and ':' not in norm and norm not in (
      'batch', 'conditional_batch', 'self_modulation'):
    yield 'standing_batches', (
        f'is for generators with batch norm, and this one has norm={norm!r}; '
        'use standing_batches=0')


def _codes(config, devices):
  """The infogan penalty needs the infogan latent with the same codes."""
  latent = config['latent']
  for i, spec in enumerate(config['penalties']):
    term, prior = (fields.plain({key: part.get(key, default)
                                 for key, default in _CODES.items()})
                   for part in (spec, latent))
    if spec['name'] == 'infogan' and (
        latent['name'] != 'infogan' or term != prior):
      yield f'penalties[{i}]', (
          f'needs latent=dict(name="infogan", categories={term["categories"]}, '
          f'continuous={term["continuous"]}), whose codes it recovers')


def _moved(config, devices):
  """Latent steps must stay within the prior, and exclude unrolling."""
  name, steps = config['latent']['name'], config['latent_steps']
  if steps and config['unrolled_steps']:
    yield 'latent_steps', ('moves z by a discriminator that unrolled_steps '
                           'changes; use unrolled_steps=0, or leave them out')
  for i, spec in enumerate(steps):
    if name == 'infogan':
      yield f'latent_steps[{i}]', (
          "would change infogan's codes, which are not learnt from then; use "
          'latent=uniform, or leave it out')
    elif name != 'uniform' and ':' not in name + spec['name'] and (
        lookup.defaults('gan_jax.game.latent_steps', spec['name'])
        | spec)['bound']:
      yield f'latent_steps[{i}].bound', (
          f'clips z, which is {name} and reaches beyond; use latent=uniform, '
          'as the paper does, or bound=0.0')


# Rules that need the data.


def _data(config, source):
  count = len(source.images)
  batch, spec = config.get('batch_size', 1), config['data']
  repeat = spec.get('repeat', 1)
  if count * repeat >= 2 ** 31:
    yield 'data.repeat', (
        f'would make {count * repeat:,} places of {count:,} examples, and '
        f'indices are int32; use {(2 ** 31 - 1) // count} or less')
  elif batch > count * repeat:
    yield 'batch_size', (
        f'is more than the {count} example{"s" * (count != 1)} of '
        f'{source.name!r}; use data.repeat={-(-batch // count)} or a smaller '
        'batch')
  if spec.get('balanced') and source.label_columns:
    yield 'data.balanced', (
        f'needs classes, and labels of {source.name!r} are vectors; choose one '
        'column as the class, by data.label_index or data.label_key')
  elif spec.get('balanced') and not source.num_classes:
    yield 'data.balanced', (f'needs labels, and the data {source.name!r} have '
                            'none')
  elif spec.get('balanced') and (source.labels < 0).any():
    yield 'data.balanced', ('needs the label of every example; use '
                            'data.labelled=1.0')
  if source.units and tuple(config.get('image_range', ())) != (-1.0, 1.0):
    yield 'image_range', ('must be (-1.0, 1.0), as these data are floats in '
                          '[-1, 1]')
  kind = kind_of(source.images.shape[1:])
  if spec.get('flip') and kind != 'images':
    yield 'data.flip', (f'is for images, and the data {source.name!r} are '
                        f'{kind}')


def told_labels(config) -> tuple[str, ...]:
  """Keys of the networks that get labels; in a joint game D gets codes."""
  return ('generator', 'encoder') + ('discriminator',) * (
      config['joint'] == 'none')
