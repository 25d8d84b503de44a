"""What an idea is taken for, and the game that it makes."""

import sys

import pytest

from gan_jax.base.errors import ConfigError, RequestError
from gan_jax.config import fields, recipe
from gan_jax.studies.judge import ideas

FILE = '''
import jax.numpy as jnp
from flax import linen as nn
from gan_jax.losses import Loss
from gan_jax.models import Critique
from gan_jax.penalties import Regulariser


def mine(*, scale: float = 1.0):
  return Loss(lambda real, fake: scale * fake - real, lambda real, fake: -fake)


def centred():
  return lambda real_out, fake_out: (real_out.logits + fake_out.logits) ** 2


def domains(*, num_classes):
  return Regulariser(lambda real_out, label: real_out.heads['domain'][:, 0],
                     heads=(('domain', num_classes),))


class RMS(nn.Module):
  train: bool

  @nn.compact
  def __call__(self, x):
    return x / jnp.sqrt(jnp.mean(x ** 2, axis=-1, keepdims=True) + 1e-6)


class Draws(nn.Module):
  image_shape: tuple

  @nn.compact
  def __call__(self, z, label, *, train):
    size = 1
    for n in self.image_shape:
      size *= n
    return nn.Dense(size)(z).reshape(-1, *self.image_shape)


class Judges(nn.Module):
  width: int = 8

  @nn.compact
  def __call__(self, images, label, *, train):
    x = nn.Dense(self.width)(images.reshape(images.shape[0], -1))
    return Critique(nn.Dense(1)(x)[:, 0], x, {})


def shift():
  return lambda images, keys: images + 0.1


def broken():
  return 1 / 0


def needy(size):
  return Loss(None, None)


LR = 0.1
'''


@pytest.fixture
def lab(tmp_path, monkeypatch):
  """A folder with my_lab/ideas.py, from which the command is started."""
  (tmp_path / 'my_lab').mkdir()
  (tmp_path / 'my_lab' / 'ideas.py').write_text(FILE)
  monkeypatch.chdir(tmp_path)
  monkeypatch.setattr(sys, 'path', list(sys.path))
  return tmp_path


@pytest.mark.usefixtures('lab')
@pytest.mark.parametrize('name,kinds', [
    ('mine', ['loss']), ('centred', ['penalty']), ('domains', ['penalty']),
    ('RMS', ['generator.norm', 'discriminator.norm']), ('Draws', ['generator']),
    ('Judges', ['discriminator'])])
def test_the_kind_is_told(name, kinds):
  found = ideas.read(f'my_lab/ideas.py:{name}')
  assert found.name == name
  assert found.arguments == ','.join(
      f'{kind}=my_lab.ideas:{name}' for kind in kinds)
  line = FILE[:FILE.index(f' {name}(')].count('\n') + 1
  assert found.where == f'my_lab/ideas.py, line {line}'


def test_a_partial_has_no_line(lab):
  (lab / 'my_lab' / 'more.py').write_text(
      'import functools\nfrom my_lab.ideas import mine\n'
      'twice = functools.partial(mine, scale=2.0)\n')
  assert ideas.read('my_lab/more.py:twice') == ideas.Idea(
      'twice', 'loss=my_lab.more:twice')


def test_a_file_from_elsewhere(lab, tmp_path_factory):
  folder = tmp_path_factory.mktemp('other')
  (folder / 'elsewhere.py').write_text(FILE)
  assert ideas.read(f'{folder}/elsewhere.py:mine').arguments == (
      'loss=elsewhere:mine')
  (folder / 'random.py').write_text(FILE)
  with pytest.raises(RequestError, match='another module random; rename'):
    ideas.read(f'{folder}/random.py:mine')


@pytest.mark.usefixtures('lab')
@pytest.mark.parametrize('text,words', [
    ('my_lab/ideas.py:shift', 'say what it is.*--idea=augment=my_lab.ideas:sh'),
    ('my_lab/ideas.py:broken', 'ZeroDivisionError.*ideas.py, line 5., in brok'),
    ('my_lab/ideas.py:needy', 'needy also needs size'),
    ('my_lab/ideas.py:LR', "'LR' of 'my_lab.ideas' is not callable: 0.1"),
    ('my_lab/ideas.py:minne', "ideas.py:minne: there is no 'minne' in "
     "'my_lab.ideas'; did you mean .mine."),
    ('my_lab/none.py:mine', 'there is no file my_lab/none.py'),
    ('hinge', 'give FILE.py:NAME')])
def test_what_is_no_idea(text, words):
  with pytest.raises(RequestError, match=f'(?s){words}'):
    ideas.read(text)


def test_an_error_of_the_file_has_its_line(lab):
  (lab / 'my_lab' / 'torn.py').write_text('import jax\nx = jax.nothing\n')
  with pytest.raises(RequestError, match='(?s)nothing.*torn.py, line 2'):
    ideas.read('my_lab/torn.py:x')


@pytest.mark.usefixtures('lab')
def test_arguments_make_a_game():
  ideas.read('my_lab/ideas.py:centred')  # puts the folder on the path
  config = ideas.apply(recipe.get_config('dcgan'), (
      'loss=hinge,penalty=r1+my_lab.ideas:centred,penalties[1].weight=0.1,'
      'discriminator.weight_norm=spectral,disc_steps=2'))
  found = fields.plain(config)
  assert found['loss']['name'] == 'hinge'
  assert [(t['name'], t['weight']) for t in found['penalties']] == [
      ('r1', 10.0), ('my_lab.ideas:centred', 0.1)]
  assert found['discriminator']['weight_norm'] == 'spectral'
  assert (found['discriminator']['width'], found['disc_steps']) == (24, 2)


@pytest.mark.parametrize('arguments,words', [
    ('loss=hinj', 'did you mean "hinge"'), ('lose=hinge', "no argument 'lose'"),
    ('penalties[3].weight=1', 'read penalties.3..weight=1: penalties has no'),
    ('loss=hinge,disc_stepps=2', "no argument 'disc_stepps'.*\"disc_steps\"")])
def test_arguments_that_cannot_be_read(arguments, words):
  with pytest.raises(ConfigError):
    ideas.apply(recipe.get_config('ring'), arguments)
  with pytest.raises(RequestError, match='^--idea=.*' + words) as found:
    ideas.read(arguments)
  assert 'config.' not in str(found.value)


@pytest.mark.parametrize('text,words', [
    ('loss=hinge,data=mnist', 'data: of the task'),
    ('loss=hinge,quick', 'quick: of the task'),
    ('evaluators[0].num_samples=9,seed=3,train_steps=7',
     'evaluators, seed, train_steps: of the task')])
def test_what_belongs_to_the_task_is_no_idea(text, words, monkeypatch):
  monkeypatch.setattr(ideas, 'apply', lambda *_: None)
  with pytest.raises(RequestError, match=words):
    ideas.read(text)


@pytest.mark.usefixtures('lab')
def test_the_name_of_arguments():
  ideas.read('my_lab/ideas.py:centred')
  assert ideas.read('penalty=my_lab.ideas:centred,penalties[0].weight=2') == (
      'centred', 'penalty=my_lab.ideas:centred,penalties[0].weight=2', '')
  assert ideas.read('loss=hinge').name == 'loss=hinge'
