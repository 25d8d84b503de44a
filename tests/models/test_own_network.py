"""Networks of one's own that look at the label, and heads, by name."""

import jax
import numpy as np
import pytest
import tiny
from jax import random

import gan_jax
from gan_jax import models
from gan_jax.base import lookup
from gan_jax.base.errors import ConfigError
from gan_jax.config import experiment, keys

CODE = '''
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
import gan_jax
from gan_jax import models

class Silent(nn.Module):
  image_shape: tuple
  num_classes: int

  @nn.compact
  def __call__(self, z, label, *, train):
    x = jnp.concatenate([z, jax.nn.one_hot(label, self.num_classes)], -1)
    x = nn.Dense(self.image_shape[0] * self.image_shape[1])(x)
    return jnp.tanh(x).reshape(-1, *self.image_shape)

class Frank(Silent):
  conditional = True

def made(*, image_shape, num_classes):
  return models.as_model(Silent(image_shape, num_classes))

made.conditional = True

class Either(Silent):
  conditional: bool = True

class Blocks(Frank):
  blocks: int = 2
  heads: int = 4

class Judge(nn.Module):
  heads: int = 4

  def __call__(self, images, label, *, train):
    raise NotImplementedError

class Named(Silent):
  num_classes: str

class Still(nn.Module):
  image_shape: tuple

  @nn.compact
  def __call__(self, z, label, *, train):
    return jnp.broadcast_to(jnp.tanh(z[:, :1]).reshape(-1, 1, 1, 1),
                            (len(z), *self.image_shape))

class Brightness(nn.Module):
  @nn.compact
  def __call__(self, images, label, *, train):
    x = images.reshape(len(images), -1)
    return models.Critique(x.mean(1), x, {})

def stateless(*, image_shape):
  network = models.as_model(Still(image_shape))
  return network._replace(init=lambda key, z, label: ({}, ()))

class Bare(nn.Module):
  @nn.compact
  def __call__(self, images, label, *, train):
    return nn.Dense(1)(images.reshape(len(images), -1))[:, 0]
'''
ACGAN = (dict(name='acgan', weight=1.0),)


@pytest.fixture(autouse=True)
def ideas(tmp_path, monkeypatch):
  (tmp_path / 'own_networks.py').write_text(CODE)
  monkeypatch.syspath_prepend(tmp_path)


def config(path, name, **changes):
  return tiny.config(path, generator=dict(name=f'own_networks:{name}'),
                     **dict(penalties=ACGAN) | changes)


@pytest.mark.parametrize('name,more,want', [
    ('Silent', {}, ''), ('Frank', {}, 'name'), ('made', {}, 'name'),
    ('Either', {}, 'name'), ('Either', dict(conditional=False), '')])
def test_a_network_says_that_it_looks_at_the_label(name, more, want):
  spec = dict(name=f'own_networks:{name}', **more)
  assert models.conditioned_by(spec) == want
  assert models.is_conditional(spec) is bool(want)


@pytest.mark.parametrize('name', ['Frank', 'made'])
def test_it_plays_with_terms_of_classes(name, tmp_path):
  # Loading traces a step.
  run = experiment.load(config(tiny.write_images(tmp_path / 'a.npz'), name))
  state = run.init()
  z = jax.numpy.tile(random.normal(random.key(0), (1, 4)), (3, 1))
  images, _ = run.game.gen.apply(state.gen.params, state.gen.stats, z,
                                 np.arange(3), train=False)
  assert np.abs(images[0] - images[1]).max() > 1e-3


def test_one_that_does_not_say_so_is_told_how(tmp_path):
  path = tiny.write_images(tmp_path / 'a.npz')
  with pytest.raises(ConfigError, match="conditional = True in a network of"):
    experiment.load(config(path, 'Silent'))


@pytest.mark.parametrize('images,data,words', [
    (dict(classes=0), {}, "'own_networks:Frank': needs labels, and the data "
                          "'a' have none; use another network"),
    ({}, dict(labelled=0.5), "'own_networks:Frank': needs the label of every")])
def test_it_needs_labels(images, data, words, tmp_path):
  path = tiny.write_images(tmp_path / 'a.npz', **images)
  with pytest.raises(ConfigError) as error:
    experiment.load(config(path, 'Frank', penalties=(),
                           data=dict(name='npz', path=path, **data)))
  (problem,) = error.value.problems
  assert str(problem).startswith(f'generator.name = {words}')


def test_heads_of_one_name_have_one_size(tmp_path):
  """A term of one's own that asks for 'class' differently from acgan."""
  (tmp_path / 'own_terms.py').write_text('''
from gan_jax.penalties import Regulariser

def mine():
  return Regulariser(lambda real_out: real_out.heads['class'][:, 0],
                     heads=(('class', 5), ('other', 2)))
''')
  path = tiny.write_images(tmp_path / 'a.npz')
  mine = dict(name='own_terms:mine', weight=1.0)
  with pytest.raises(ConfigError) as error:
    experiment.load(config(path, 'Frank', penalties=(*ACGAN, mine)))
  (problem,) = error.value.problems
  assert str(problem) == (
      "penalties[1].name = 'own_terms:mine': own_terms:mine asks for a head "
      "'class' of 5 numbers, and penalties[0], acgan, for one of 3; leave one "
      'of them out, or give its head another name')


def test_fields_of_ones_own_are_those_of_the_config(tmp_path):
  """The program fills only what it says that it fills."""
  path = tiny.write_images(tmp_path / 'x.npz')
  spec = dict(name='own_networks:Blocks', blocks=5, heads=6)
  built = lookup.build('gan_jax.models', spec, kind='Generator',
                       **dict.fromkeys(keys.CHOICES['generator'].supplied))
  assert (built.blocks, built.heads) == (5, 6)
  experiment.load(config(path, 'Frank', penalties=()) | dict(generator=spec))


@pytest.mark.parametrize('key,name,said', [
    ('generator', 'Named', "num_classes of its own, num_classes: str, and the "
     'program gives num_classes=3; rename yours'),
    ('discriminator', 'Judge', 'heads of its own, heads: int = 4, and the '
     r'program gives heads=\(\); rename yours')])
def test_a_field_with_the_name_of_a_supplied_one_is_told(
    tmp_path, key, name, said):
  path = tiny.write_images(tmp_path / 'x.npz')
  with pytest.raises(ConfigError, match=said):
    experiment.load(tiny.config(path, **{key: dict(
        name=f'own_networks:{name}')}))


def test_a_discriminator_that_returns_logits_alone_is_told_what_to_return(
    tmp_path):
  path = tiny.write_images(tmp_path / 'a.npz')
  with pytest.raises(ConfigError, match=r'must return a gan_jax.models.Critique'
                     r'\(logits \[B\], features'):
    experiment.load(tiny.config(path, discriminator=dict(
        name='own_networks:Bare')))


def test_networks_without_parameters_play(tmp_path, no_pictures):
  path = tiny.write_images(tmp_path / 'a.npz')
  own = tiny.config(path, generator=dict(name='own_networks:Still'),
                    discriminator=dict(name='own_networks:Brightness'),
                    train_steps=2)
  assert 'all    [8, 8, 8, 1]           0' in experiment.describe(
      experiment.load(own))
  run = gan_jax.train(own, tmp_path / 'run')
  z = np.array([[-0.5, 0, 0, 0], [0, 1, 1, 1], [2, 0, 0, 0]], np.float32)
  np.testing.assert_array_equal(  # (tanh(z) + 1) 127.5
      run.generator(z)[:, 5, 5, 0], [69, 128, 250])


def test_statistics_that_are_no_dict_are_told(tmp_path):
  path = tiny.write_images(tmp_path / 'a.npz')
  with pytest.raises(ConfigError, match=r'init of the generator must return '
                     r'\(params, stats\), stats a dict, \{\} for none, and '
                     r'not \(\)'):
    experiment.load(config(path, 'stateless', penalties=()))
