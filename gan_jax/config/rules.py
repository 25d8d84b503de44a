"""Cross-key validation before compilation.

A rule is a generator of (path of the key, problem and fix). `of_config` needs
the config alone, `of_data` the data too, `of_game` the built components.
"""

from collections.abc import Mapping
from typing import Any

from gan_jax import models, parallel
from gan_jax.base import lookup
from gan_jax.base.errors import Problem
from gan_jax.base.examples import kind_of
from gan_jax.config import fields
from gan_jax.losses import Loss
from gan_jax.penalties.term import names

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
          for problem in _problems(config, rule(config, devices))]


def of_data(config: Mapping, source) -> list[Problem]:
  """Checks batch size, labels and flips against the data."""
  return _problems(config, _data(config, source))


def of_labels(config: Mapping, name: str) -> list[Problem]:
  """Rejects conditional networks if the data `name` have no labels."""
  return _problems(config, (
      (f'{key}.{path}', f'needs labels, and the data {name!r} have none; use '
       + {'name': 'another network', 'norm': '"batch"'}.get(path, '"none"'))
      for key in _told_labels(config)
      if (path := models.conditioned_by(config[key]))))


def of_best(config: Mapping, evaluators) -> list[Problem]:
  """Checks that best_metric is a score of the evaluators.

  Their attribute `names` lists their scores; without it nothing is checked.
  """
  names = [getattr(evaluate, 'names', None) for evaluate in evaluators]
  wanted = config.get('best_metric')
  known = [name for part in names for name in part or ()]
  if not wanted or not names or not all(names) or wanted in known:
    return []
  return _problems(config, [
      ('best_metric', 'no such score' + lookup.near(wanted, known))])


def of_game(config: Mapping, disc: Any, loss: Any, terms,
            info: Any) -> list[Problem]:
  """Checks the built components against each other.

  Args:
    config: plain dict, validated.
    disc: the discriminator, None if it could not be built.
    loss: the loss, or None.
    terms: the penalties; their functions may be None.
    info: of the data, a `config.build.DataInfo`.
  """
  loss = loss if isinstance(loss, Loss) else None
  terms = [(f'penalties[{i}]', term) for i, term in enumerate(terms) if term.fn]
  rules = [_players_move(config), _augment(config, info.image_shape),
           _packs(config, terms), _one_class(config, terms, info),
           _some_labels(terms, info), _classes(config, terms),
           _heads(config, terms)]
  if loss:
    rules += [_autoencoder(disc, loss), _logits(config, loss, terms),
              _gen_learns(config, terms)]
  if info.unlabelled:
    rules.append(_missing_labels(config, terms))
  rules += [_each_image_alone(config, disc), _encoder(config, terms)]
  if getattr(disc, 'absent', False):
    rules.append(_alone(config, terms))
  return [problem for rule in rules for problem in _problems(config, rule)]


def _problems(config, rule) -> list[Problem]:
  return [Problem(path, fields.at(config, path), text) for path, text in rule]


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


def _packs_divide(config, devices):
  packing, batch = config['packing'], config['batch_size']
  if packing > 1 and batch % (packing * devices):
    yield 'packing', (
        f'packs do not divide batch_size={batch} on {devices} devices; a '
        f'multiple of {packing * devices} does')


def _compared(config, devices):
  """Minibatch layers need several examples, or packs, per device."""
  spec = models.filled(config['discriminator'])
  kind, group = spec.get('minibatch', 'none'), spec.get('group', 4)
  least, batch = devices * config['packing'], config['batch_size']
  if kind == 'none' or batch % least:
    return
  if not group > 1:
    yield 'discriminator.group', 'must be 2 or more: its examples are compared'
    return
  part = batch // least
  if part == 1:
    yield 'batch_size', (
        f'leaves one example to a device, and minibatch={kind!r} compares '
        f"several; use {2 * least} or more, or discriminator.minibatch='none'")
    return
  if kind == 'std' and part > group and part % group:
    down = part // group * group * least
    yield 'batch_size', (
        f"leaves {part} examples to a device, and minibatch='std' compares "
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
  """Latent steps keep z within its prior, and D's gradient as it is."""
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
  if (repeat := spec.get('repeat', 1)) < 1:
    yield 'data.repeat', 'must be 1 or more'
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


# Rules that need the built components.


def _players_move(config):
  """Constraints of updates, unrolled_steps and accumulate_steps."""
  parts = config['accumulate_steps']
  if config['unrolled_steps'] and parts > 1:
    yield 'unrolled_steps', ('does not work with accumulated updates; use '
                             'accumulate_steps=1')
  if config['unrolled_steps'] and config['max_grad_norm']:
    yield 'max_grad_norm', (
        "divides by the norm of the discriminator's gradient, through which "
        'unrolled_steps differentiates: NaN where that gradient is 0, as of a '
        'hinge that is satisfied; use max_grad_norm=0.0, or unrolled_steps=0')
  for key in ('disc_steps', 'gen_steps'):
    if config[key] % parts and parts % config[key]:
      yield 'accumulate_steps', (
          'makes updates of parts of two steps with '
          f'{key}={config[key]}; use a divisor or a multiple of {key}')


def _augment(config, shape):
  moves = {name for name in _augments(config) - {'apa', 'instance_noise'}
           if ':' not in name}
  if moves and (kind := kind_of(shape)) != 'images':
    yield 'augment', (f'{", ".join(sorted(moves))}: made for images, the data '
                      f'are {kind} {list(shape)}; leave it out, or use '
                      'instance_noise')
    return
  pixels = _augments(config) - {'apa', 'horizontal_flip', 'instance_noise'}
  if tuple(config['image_range']) != (-1.0, 1.0) and pixels:
    yield 'augment', (f'{", ".join(sorted(pixels))}: made for images in '
                      '[-1, 1]; use image_range=(-1.0, 1.0)')


def _packs(config, terms):
  """Packing excludes class-conditional discriminators and terms."""
  told = ['the discriminator is conditioned on'] * models.is_conditional(
      config['discriminator']) + [
          f'{term.name} needs' for _, term in terms if term.parts.heads]
  for who in told if config['packing'] > 1 else ():
    yield 'packing', (f'a pack holds images of several classes, but {who} one; '
                      'use packing=1, or leave the classes out')


def _one_class(config, terms, info):
  """Terms of this package that read labels need classes."""
  for path, term in terms if info.label_columns else ():
    name = fields.at(config, path)['name']
    if names(term.parts.disc, 'labelled') or ':' not in name and any(
        names(side, 'label') for side in (term.parts.disc, term.parts.gen)):
      last = len(info.label_columns) - 1
      yield f'{path}.name', (
          f'{name} needs one class per example, and the labels of '
          f'{info.name!r} are of {last + 1} numbers; data.label_index=0 to '
          f'{last} makes one of them the class')


def _some_labels(terms, info):
  """Terms that draw labelled examples need some."""
  for path, term in terms:
    if names(term.parts.disc, 'labelled') and not (
        info.classes or info.label_columns):
      yield f'{path}.name', (
          f'{term.name} needs the class of some examples, and no example of '
          f'{info.name!r} has a label; give some of them one')


def _classes(config, terms):
  """Class terms of the generator need a conditional generator."""
  if models.is_conditional(config['generator']):
    return
  fix = "use generator.conditioning='onehot'"
  if ':' in config['generator']['name']:
    fix += ', or conditional = True in a network of your own'
  for path, term in terms:
    if names(term.parts.gen, 'label'):
      yield f'{path}.name', f'needs a conditional generator; {fix}'
    elif names(term.parts.disc, 'label') and 'apa' in _augments(config):
      yield 'augment', (
          'apa would give the labels of real images to generated ones, and '
          f'{term.name} would learn them; leave it out, or {fix}')


def _heads(config, terms):
  """Terms that share a head must agree on its size."""
  first = {}
  for path, term in terms:
    name = fields.at(config, path)['name']
    for head, size in term.parts.heads:
      there, other, wanted = first.setdefault(head, (path, name, size))
      if size != wanted:
        sized = 'size' in lookup.defaults('gan_jax.penalties', name)
        fix = (f'use {path}.size={wanted}, as there' if sized else
               'leave one of them out, or give its head another name')
        yield f'{path}.{"size" if sized else "name"}', (
            f'{name} asks for a head {head!r} of {size} numbers, and {there}, '
            f'{other}, for one of {wanted}; {fix}')
        break  # All its heads have that size.


def _autoencoder(disc, loss):
  """Reconstruction losses need an autoencoder, and conversely."""
  wants, has = loss.needs == 'autoencoder', getattr(disc, 'autoencoder', False)
  if wants and not has:
    yield 'loss.name', ('judges by reconstruction errors; use '
                        'discriminator=autoencoder.Discriminator')
  if loss.needs == 'many_logits' and not getattr(disc, 'many_logits', False):
    yield 'loss.name', ('judges many logits of an image; use loss=hinge, or '
                        'configs/projected.py')
  if has and not wants:
    yield 'discriminator.name', ('gives reconstruction errors for logits; use '
                                 'loss=ebgan or began')


def _gen_learns(config, terms):
  """Without an adversarial loss G needs a term."""
  if config['loss']['name'] == 'disc_only' and not any(
      term.parts.gen for _, term in terms):
    yield 'loss.name', ('leaves the generator to its terms, and there is none; '
                        'use penalty=semi_supervised+feature_matching')


def _logits(config, loss, terms):
  """What reads logits needs a loss that trains them."""
  name, adaptive = config['loss']['name'], {'ada', 'apa'} & _augments(config)
  judges = [term.name for _, term in terms if term.parts.judge]
  if loss.needs or loss.inputs != 'logits':
    for path in ['augment'] * bool(adaptive) + [
        'gradient_normalization'] * config['gradient_normalization'] + [
            'latent_steps'] * bool(config['latent_steps']):
      yield path, f'reads logits, which {name} does not train; leave it out'
    if judges:
      yield 'penalties', (f'{", ".join(judges)} makes logits, which {name} '
                          'does not read; use another loss, non_saturating '
                          'for example')
  if len(judges) > 1:
    yield 'penalties', (f'{", ".join(judges)} each say what the logits of the '
                        'discriminator are; leave one of them')
  if loss.relative and adaptive:
    yield 'augment', (f'adapts to the sign of D(real), which is arbitrary with '
                      f'{name}; use bgc, which has a fixed p')
  for path, term in terms if loss.inputs == 'features' else ():
    if any(names(side, critic) for side in (term.parts.disc, term.parts.gen)
           for critic in ('critic', 'fake_critic')):
      yield f'{path}.name', (f'acts on logits, which {name} does not train; '
                             'use disc_weight_clip')


def _each_image_alone(config, disc):
  if config['gradient_normalization'] and (
      getattr(disc, 'norm', 'none') == 'batch'
      or getattr(disc, 'minibatch', 'none') != 'none'):
    yield 'gradient_normalization', (
        "needs the gradient of each image alone; use discriminator.norm='none' "
        "and minibatch='none'")


# Keys of the discriminator, and what they are without one.
_OF_DISC = {'disc_steps': 1, 'gen_steps': 1, 'updates': 'alternating',
            'unrolled_steps': 0, 'packing': 1, 'disc_weight_clip': 0.0,
            'gradient_normalization': False, 'disc_frozen': (), 'augment': (),
            'latent_steps': (),
            'loss.name': 'none'}


def _alone(config, terms):
  """A game without a discriminator has what the generator has alone."""
  for path, value in _OF_DISC.items():
    if fields.at(config, path) != value:
      yield path, ('needs a discriminator, and this game has none; use '
                   f'{value!r}')
  for path, term in terms:
    asked = [name for name in ('critic', 'fake_critic', 'critique', 'real_out',
                               'fake_out') if names(term.parts.gen, name)]
    if term.parts.disc or asked:
      yield f'{path}.name', ('needs a discriminator, and this game has none; '
                             "leave it out, or use another discriminator")
  if not any(term.parts.gen for _, term in terms):
    yield 'penalties', ('have no term of the generator, which has nothing else '
                        'to learn from here; use elbo, for example')


def _encoder(config, terms):
  """Encoders and what trains them come together."""
  there = config['encoder']['name'] != 'none.Encoder'
  users = [f'{path}.name' for path, term in terms
           if names(term.parts.gen, 'encode')]
  users += ['joint'] * (config['joint'] != 'none')
  for path in users:
    if not there:
      yield path, ('needs an encoder; use encoder=mlp.Encoder or '
                   'encoder=dcgan.Encoder')
    elif config['packing'] > 1:
      yield path, 'needs single images, not packs; use packing=1'
  if 'generator' in config['gen_frozen'] and not config['init_from']:
    yield 'init_from', ('must name the run whose generator is frozen, for '
                        'example runs/dcgan')
  if there and not users:
    yield 'encoder.name', ('nothing trains it; use penalty=reconstruction+kl, '
                           'or joint=mean, or encoder=none.Encoder')
  if config['joint'] != 'none':
    if config['latent_steps']:
      yield 'latent_steps', ('move z, the code by which a joint game judges a '
                             'generated image; use latent_steps=()')
    if not models.is_conditional(config['discriminator']):
      yield 'discriminator.conditioning', (
          'is how a joint game tells D the code of an image; use onehot, which '
          'joins it to the image, or projection')
    if models.is_conditional(config['generator']):
      yield 'joint', ('gives D codes in the place of labels, so that no '
                      "network may look at labels; use conditioning='none'")


def _missing_labels(config, terms):
  """What needs every label excludes data with missing ones."""
  rule = 'needs the label of every example, and some of the data have none; '
  for key in _told_labels(config):
    if path := models.conditioned_by(config[key]):
      yield f'{key}.{path}', (f'{rule}use data.labelled=1.0, or a network '
                              'without conditioning and conditional norm')
  for path, term in terms:
    if any(names(side, 'label') for side in (term.parts.disc, term.parts.gen)):
      yield f'{path}.name', f'{rule}use data.labelled=1.0, or semi_supervised'


def _told_labels(config) -> tuple[str, ...]:
  """The networks that are given labels: of a joint game, D is given codes."""
  return ('generator', 'encoder') + ('discriminator',) * (
      config['joint'] == 'none')


def _augments(config) -> set[str]:
  return {spec['name'] for spec in config['augment']}
