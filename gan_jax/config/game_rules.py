"""Validation of the built components against each other.

As of `rules.py`: a rule is a generator of (path of the key, problem and fix).
"""

from collections.abc import Mapping
from typing import Any

from gan_jax import models
from gan_jax.base import lookup
from gan_jax.base.errors import Problem
from gan_jax.base.examples import kind_of
from gan_jax.config import fields, rules
from gan_jax.config.keys import OF_DISC
from gan_jax.losses import Loss
from gan_jax.penalties.term import names


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
  found = [_players_move(config), _augment(config, info.image_shape),
           _packs(config, terms), _one_class(config, terms, info),
           _some_labels(terms, info), _classes(config, terms),
           _heads(config, terms)]
  if loss:
    found += [_autoencoder(disc, loss), _logits(config, loss, terms),
              _gen_learns(config, terms)]
  if info.unlabelled:
    found.append(_missing_labels(config, terms))
  found += [_each_image_alone(config, disc), _encoder(config, terms),
            _labelled(config, terms), _bits(config, terms, info.image_shape)]
  if getattr(disc, 'absent', False):
    found.append(_alone(config, terms))
  return [problem for rule in found
          for problem in rules.problems_of(config, rule)]


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
  name = config['loss']['name']
  if name in ('disc_only', 'none') and not any(
      term.parts.gen for _, term in terms):
    yield 'loss.name', ('leaves the generator to its terms, and there is none; '
                        'use another loss, or penalty=elbo, or '
                        'semi_supervised+feature_matching')


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


# Losses that mean the same with their sides turned.
_BOTH_SIDES = ('non_saturating', 'wasserstein', 'hinge', 'relativistic')


def _alone(config, terms):
  """A game without a discriminator has no settings or terms that need one."""
  for path, value in {**OF_DISC, 'loss.name': 'none'}.items():
    if fields.at(config, path) != value:
      yield path, ('needs a discriminator, and this game has none; use '
                   f'{value!r}')
  for path, term in terms:
    asked = [name for name in ('critic', 'fake_critic', 'critique', 'real_out',
                               'fake_out') if names(term.parts.gen, name)]
    if term.parts.disc or asked:
      yield f'{path}.name', ('needs a discriminator with these arguments, and '
                             'this game has none; change them, leave it out, '
                             'or use another discriminator')
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
    yield 'encoder.name', ('nothing trains it; use penalty=elbo, '
                           'or joint=mean, or encoder=none.Encoder')
  if there and models.is_conditional(config['encoder']) and not (
      models.is_conditional(config['generator'])):
    yield 'encoder.conditioning', (
        'is told labels that the generator is not, and that images to be '
        "encoded later do not have; use 'none', or condition both")
  if config['joint'] != 'none' and (
      config['discriminator']['name'] != 'none.Discriminator'):
    loss = config['loss']
    if ':' not in loss['name'] and loss['name'] not in _BOTH_SIDES:
      yield 'loss.name', ("is no loss of pairs: G's is D's with the sides "
                          f'turned; use one of {", ".join(_BOTH_SIDES)}')
    if loss.get('label_smoothing'):
      yield 'loss.label_smoothing', ('would smooth the generated side for G, '
                                     "whose loss is D's turned; use 0.0")
    if config['latent_steps']:
      yield 'latent_steps', ('move z, the code by which a joint game judges a '
                             'generated image; use latent_steps=()')
    for path, term in terms:
      if names(term.parts.disc, 'labelled'):
        yield f'{path}.name', ('has D judge labelled images, whose codes a '
                               "joint game would need; use joint='none'")
    if not models.is_conditional(config['discriminator']):
      yield 'discriminator.conditioning', (
          'is how a joint game tells D the code of an image; use onehot, which '
          'joins it to the image, or projection')
    if models.is_conditional(config['generator']):
      yield 'joint', ('gives D codes in the place of labels, so that no '
                      "network may look at labels; use conditioning='none'")


def _bits(config, terms, shape):
  """The bound elbo needs a normal prior, and with Bernoulli images."""
  for path, _ in terms:
    if fields.at(config, path)['name'] == 'elbo' and (
        config['latent']['name'] != 'normal'):
      yield 'latent.name', (f'is not the prior of {path}, elbo, whose KL is '
                            "from N(0, I); use 'normal'")
  for path, _ in terms if kind_of(shape) == 'vectors' else ():
    spec = fields.at(config, path)
    if spec['name'] == 'elbo' and spec.get('likelihood', 'bernoulli') in (
        'bernoulli', 'binarised'):
      yield f'{path}.likelihood', ('takes values for probabilities, and points '
                                   "have none; use 'gaussian'")


def _labelled(config, terms):
  """Terms of labelled images need a D that is not told the class."""
  if models.is_conditional(config['discriminator']):
    for path, term in terms:
      if names(term.parts.disc, 'labelled'):
        yield f'{path}.name', ('has D tell the class of an image, which a '
                               'conditional D is told; use '
                               "discriminator.conditioning='none'")


def _missing_labels(config, terms):
  """What needs every label excludes data with missing ones."""
  rule = 'needs the label of every example, and some of the data have none; '
  for key in rules.told_labels(config):
    if path := models.conditioned_by(config[key]):
      yield f'{key}.{path}', (f'{rule}use data.labelled=1.0, or a network '
                              'without conditioning and conditional norm')
  for path, term in terms:
    if any(names(side, 'label') for side in (term.parts.disc, term.parts.gen)):
      yield f'{path}.name', f'{rule}use data.labelled=1.0, or semi_supervised'


def _augments(config) -> set[str]:
  return {spec['name'] for spec in config['augment']}
