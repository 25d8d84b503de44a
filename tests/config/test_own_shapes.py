"""Own code whose arguments or shapes do not fit: named, with file and line."""

import re

import pytest
import tiny

from gan_jax.base.errors import ConfigError
from gan_jax.config import experiment

CODE = '''
import jax.numpy as jnp
import optax
from flax import linen as nn
from flax import nnx
from gan_jax.losses import Loss
from gan_jax.models import Critique
from gan_jax.penalties import Regulariser

def scalar():
  return lambda real_out: jnp.mean(real_out.logits)

def unknown():
  return lambda real_images: real_images

def loss_scalar():
  return Loss(lambda real, fake: jnp.mean(real), lambda real, fake: -fake)

def loss_int():
  return Loss(lambda real, fake: (fake - real).astype(int),
              lambda real, fake: -fake)

def wrong():
  return lambda real_out: real_out.logits < 0

def loss_none():
  return Loss(lambda real, fake: None, lambda real, fake: -fake)

def loss_tuple():
  return Loss(lambda real, fake: -real, lambda real, fake: (real, fake))

def loss_of_one():
  return Loss(lambda real: -real, lambda real, fake: -fake)

class Flat(nn.Module):
  @nn.compact
  def __call__(self, z, label, *, train):
    return nn.Dense(64)(z)

class Untrained(nn.Module):
  @nn.compact
  def __call__(self, z, label):
    return nn.Dense(64)(z)

class Column(nn.Module):
  @nn.compact
  def __call__(self, images, label, *, train):
    x = images.reshape(len(images), -1)
    return Critique(nn.Dense(1)(x), x, {})

class Code(nn.Module):
  latent_size: int
  @nn.compact
  def __call__(self, images, label, *, train):
    return nn.Dense(self.latent_size)(images.reshape(len(images), -1))

class Bytes(nn.Module):
  @nn.compact
  def __call__(self, z, label, *, train):
    return nn.Dense(64)(z).reshape(-1, 8, 8, 1).astype(jnp.uint8)

class Dropped(nn.Module):
  @nn.compact
  def __call__(self, images, label, *, train):
    x = nn.Dropout(0.5, deterministic=not train)(images)
    x = x.reshape(len(x), -1)
    return Critique(nn.Dense(1)(x)[:, 0], x, {})

class Newer(nnx.Module):
  def __init__(self, *, image_shape):
    self.image_shape = image_shape

class Other:
  pass

def nothing():
  Loss(lambda real, fake: fake - real, lambda real, fake: -fake)

def not_a_loss():
  return lambda real, fake: fake - real

def no_penalty():
  return 1.0

def no_memory():
  return Regulariser(lambda real_out, memory: real_out.logits * memory['m'],
                     memory={'m': 0.0})

def renamed():
  return Regulariser(lambda real_out, memory: (real_out.logits, {'n': 0.0}),
                     memory={'m': 0.0})

def grown():
  return Regulariser(lambda real_out, memory: (
      real_out.logits, {'m': real_out.logits}), memory={'m': 0.0})

def undeclared():
  return Regulariser(lambda real_out, memory: (real_out.logits, memory))

def loss_grown():
  return Loss(lambda real, fake, memory: -real,
              lambda real, fake, memory: -fake, memory={'m': 0.0},
              remember=lambda memory, real, fake: {'m': real})

def bytes():
  return lambda images, keys: images.astype(jnp.uint8)

def row():
  return lambda images, keys: images[:, 0]

def keyless():
  return lambda images: images

def half():
  return optax.GradientTransformation(lambda params: (), lambda grads: grads)
'''


@pytest.fixture
def mine(tmp_path, monkeypatch):
  path = tmp_path / 'own_shapes.py'
  path.write_text(CODE)
  monkeypatch.syspath_prepend(tmp_path)
  return path


def refused(folder, **changes):
  with pytest.raises(ConfigError) as error:
    experiment.load(tiny.config(tiny.write_images(folder / 'a.npz'), **changes))
  (problem,) = error.value.problems
  return problem


def term(name):
  return (dict(name=name, weight=1.0),)


@pytest.mark.parametrize('place, name, words', [
    ('penalties[0]', 'scalar', ', and are of shape ()'),
    ('penalties[0]', 'unknown', 'asks for real_images; did you mean "real"? '
     'Known: codes, critic, '),
    ('loss', 'loss_scalar', ', and are of shape (); return one for each '
     'example, without a mean'),
    ('loss', 'loss_int', 'loss.disc: values must be floats, and are int32, '
     'through which no gradient passes'),
    ('penalties[0]', 'wrong', 'must be floats, and are bool'),
    ('loss', 'loss_none', 'loss.disc: values must be [B], here of '
     'shape (2,), and are NoneType'),
    ('loss', 'loss_tuple', 'loss.gen: values must be [B], here of '
     'shape (2,), and are tuple'),
    ('loss', 'loss_of_one', 'takes 1 positional argument but 2 were given'),
    ('generator', 'Flat', 'the generator makes images (64,), the data are '
     '(8, 8, 1)'),
    ('generator', 'Untrained', "unexpected keyword argument 'train'"),
    ('discriminator', 'Column', 'logits must be [B], here of shape (2,), and '
     'are of shape (2, 1)'),
    ('discriminator', 'Untrained', "unexpected keyword argument 'train'"),
    ('generator', 'Bytes', 'the generator makes uint8, through which no'),
    ('penalties[0]', 'no_memory', 'must return ([B], the memory after the '
     'update), and returns '),
    ('penalties[0]', 'renamed', "has shapes {'n': ()}, before it had "
     "{'m': ()}"),
    ('penalties[0]', 'grown', "has shapes {'m': (2,)}, before it had "
     "{'m': ()}"),
    ('penalties[0]', 'undeclared', 'asks for memory'),
    ('loss', 'loss_grown', "has shapes {'m': (2,)}, before it had {'m': ()}"),
    ('augment[0]', 'bytes', 'makes uint8 of floats in [-1, 1]'),
    ('augment[0]', 'row', 'makes images (2, 8, 1) of images (2, 8, 8, 1)'),
    ('augment[0]', 'keyless', 'takes 1 positional argument but 2 were given'),
    ('gen_optimizer', 'half', 'takes 1 positional argument but 3 were given')])
def test_named_with_the_line_of_its_definition(place, name, words, mine):
  own = f'own_shapes:{name}'
  key, _, many = place.partition('[')
  spec = dict(name=own, **dict(weight=1.0) if key == 'penalties' else {})
  problem = refused(mine.parent, **{key: (spec,) if many else spec})
  assert (problem.path, problem.value) == (f'{place}.name', own)
  assert words in problem.rule
  lines = CODE.splitlines()
  number = next(i for i, line in enumerate(lines, 1)
                if line.startswith((f'def {name}(', f'class {name}(')))
  assert problem.rule.endswith(f'\n    {mine}, line {number}: '
                               f'{lines[number - 1]}')


@pytest.mark.parametrize('place, name, words', [
    ('loss', 'nothing', 'returns nothing; is a return missing?'),
    ('loss', 'not_a_loss', 'must return gan_jax.losses.Loss(disc, gen)'),
    ('penalties[0]', 'no_penalty', 'must return a function of the arguments'),
    ('augment[0]', 'nothing', 'returns nothing; is a return missing?'),
    ('latent', 'nothing', 'returns nothing; is a return missing?'),
    ('generator', 'nothing', 'returns nothing; is a return missing?'),
    ('evaluators[0]', 'nothing', 'returns nothing; is a return missing?'),
    ('loggers[0]', 'nothing', 'returns nothing; is a return missing?'),
    ('generator', 'Newer', 'Newer is neither a flax.linen module nor'),
    ('discriminator', 'Other', 'Other is neither a flax.linen module nor')])
def test_a_factory_that_returns_no_component(place, name, words, mine):
  key, _, many = place.partition('[')
  spec = dict(name=f'own_shapes:{name}',
              **dict(weight=1.0) if key == 'penalties' else {})
  problem = refused(mine.parent, **{key: (spec,) if many else spec})
  assert problem.path.removesuffix('.name') == place
  assert words in problem.rule
  assert problem.rule.count(f'\n    {mine}, line ') == 1
  assert re.search(rf'(def|class) {name}\b', problem.rule)


def test_dropout_of_flax_needs_the_keys(mine):
  rule = refused(mine.parent, discriminator=dict(
      name='own_shapes:Dropped')).rule
  assert f'{mine}, line ' in rule and 'Dropout' in rule
  assert 'with the argument `keys` of its call' in rule


def test_an_encoder_that_gives_no_posterior(mine):
  problem = refused(
      mine.parent, encoder=dict(name='own_shapes:Code'),
      penalties=term('elbo'), loss=dict(name='none'),
      discriminator=dict(name='none.Discriminator'), image_range=(0.0, 1.0))
  assert (problem.path, problem.value) == ('encoder.name', 'own_shapes:Code')
  assert 'must return a gan_jax.models.Posterior(mean' in problem.rule
  assert f'{mine}, line ' in problem.rule


@pytest.mark.parametrize('code, words', [
    ('undefined', "NameError: name 'undefined'"), ('None', 'not None'),
    ('jax.numpy.zeros(3)', 'must make z [B, Z] of keys [B], not '),
    ('jax.numpy.zeros((len(keys), 2, 4))', 'must make z [B, Z] of keys [B], '),
    ('jax.numpy.zeros((8, 4))', 'must make z [B, Z] of keys [B], not '),
    ('jax.random.normal(keys[0], (1, 4))', 'must make z [B, Z] of keys [B]')])
def test_a_prior_that_gives_no_z(code, words, tmp_path, monkeypatch):
  name = f'own_prior_{len(code)}'
  (tmp_path / f'{name}.py').write_text(
      f'import jax\ndef prior():\n  return lambda keys: {code}\n')
  monkeypatch.syspath_prepend(tmp_path)
  problem = refused(tmp_path, latent=dict(name=f'{name}:prior'))
  assert problem.path == 'latent' and words in problem.rule
