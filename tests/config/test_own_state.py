"""Python state under jit, priors without keys, hidden labels: refused."""

import pytest
import tiny

from gan_jax.base.errors import ConfigError
from gan_jax.config import experiment

CODE = '''
import itertools
import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from gan_jax.base.lookup import Number
from gan_jax.losses import Loss
from gan_jax.models import Critique

COUNT = itertools.count()
SEEN = []

def counted():
  return Loss(lambda real, fake: fake - real * next(COUNT),
              lambda real, fake: -fake)

class Averaged:
  def __init__(self):
    self.ema = 0.0
  def disc(self, real, fake):
    self.ema = 0.9 * self.ema + 0.1 * jnp.mean(real)
    return fake - real + self.ema
  def gen(self, real, fake):
    return -fake

def averaged():
  made = Averaged()
  return Loss(made.disc, made.gen)

def noisy():
  return lambda images, keys: images + np.random.normal(
      size=images.shape).astype(np.float32)

def switched():
  return lambda real, fake: (real, fake)[next(COUNT) % 2].mean((1, 2, 3))

class Rolled(nn.Module):
  @nn.compact
  def __call__(self, images, label, *, train):
    x = images.reshape(len(images), -1)
    x = jnp.roll(x, np.random.default_rng().integers(1, 2**30), 1)
    return Critique(nn.Dense(1)(x)[:, 0], x, {})

class Hidden(nn.Module):
  @nn.compact
  def __call__(self, images, label, *, train):
    x = images.reshape(len(images), -1)
    x += nn.Embed(3, x.shape[1])(label)
    return Critique(nn.Dense(1)(x)[:, 0], x, {})

class Said(Hidden):
  conditional = True

class Drawn(nn.Module):
  image_shape: tuple
  @nn.compact
  def __call__(self, z, label, *, train):
    x = nn.Dense(64)(jnp.concatenate([z, jax.nn.one_hot(label, 3)], 1))
    return x.reshape(-1, *self.image_shape)

class Unused(Drawn):
  @nn.compact
  def __call__(self, z, label, *, train):
    jax.jit(lambda z, label: (z, nn.one_hot(label, 3)))(z, label)
    return nn.Dense(64)(z).reshape(-1, *self.image_shape)

def by_step(*, margin: Number = 1.0):
  return Loss(lambda real, fake: fake - real, lambda real, fake: -fake)

def fixed():
  return lambda keys: np.random.default_rng(0).normal(
      size=(len(keys), 4)).astype(np.float32)

def drawn():
  return lambda keys: np.random.normal(size=(len(keys), 4)).astype(np.float32)

def alike():
  return lambda keys: jnp.broadcast_to(jax.random.normal(keys[0], (4,)),
                                       (len(keys), 4))

def remembered():             # What does not enter the program may change.
  table = np.random.default_rng(0).normal(size=2).astype(np.float32)
  def disc(real, fake):
    SEEN.append(next(COUNT))
    return jax.nn.relu(jnp.where(real > 0, fake, real) + table.sum()
                       ) + jax.lax.cond(real[0] > 0, jnp.sin, jnp.cos, fake)
  return Loss(disc, lambda real, fake: -fake)

def prior():
  return jax.vmap(lambda key: jax.random.normal(key, (4,)))
'''


def load(folder, monkeypatch, classes=3, **changes):
  (folder / 'own_state.py').write_text(CODE)
  monkeypatch.syspath_prepend(folder)
  return experiment.load(tiny.config(
      tiny.write_images(folder / 'a.npz', classes=classes), **changes))


@pytest.mark.parametrize('key, name, words, line', [
    ('loss', 'counted', 'changes from call to call',
     'return Loss(lambda real, fake: fake - real * next(COUNT),'),
    ('loss', 'averaged', 'uses a value of one call in the next', ''),
    ('augment', 'noisy', 'changes from call to call',
     'return lambda images, keys: images + np.random.normal('),
    ('penalties', 'switched', 'changes from call to call',
     'return lambda real, fake: (real, fake)[next(COUNT) % 2].mean((1, 2, 3))'),
    ('discriminator', 'Rolled', 'changes from call to call',
     'x = jnp.roll(x, np.random.default_rng().integers(1, 2**30), 1)'),
    ('latent', 'drawn', 'changes from call to call', ''),
    ('latent', 'fixed', 'z[i] must depend on keys[i] alone', ''),
    ('latent', 'alike', 'z[i] must depend on keys[i] alone', '')])
def test_what_changes_in_python_is_refused(key, name, words, line, tmp_path,
                                           monkeypatch):
  spec = dict(name=f'own_state:{name}',
              **dict(weight=1.0) if key == 'penalties' else {})
  with pytest.raises(ConfigError) as error:
    load(tmp_path, monkeypatch,
         **{key: (spec,) if key in ('augment', 'penalties') else spec})
  (problem,) = error.value.problems
  assert words in problem.rule
  if key == 'latent':
    assert problem.path == 'latent.name'
  else:
    assert 'numpy.random, a counter, an attribute' in problem.rule
  if line:
    path = tmp_path / 'own_state.py'
    number = CODE.splitlines().index(
        next(x for x in CODE.splitlines() if x.strip() == line)) + 1
    assert f'{path}, line {number}, in ' in problem.rule
    assert problem.rule.endswith(f': {line}')


def test_no_false_alarm(tmp_path, monkeypatch):
  assert load(tmp_path, monkeypatch, loss=dict(name='own_state:remembered'),
              latent=dict(name='own_state:prior'), disc_steps=2)


@pytest.mark.parametrize('key, name, said', [
    ('discriminator', 'Hidden', False), ('discriminator', 'Said', True),
    ('generator', 'Drawn', False), ('generator', 'Unused', True)])
def test_a_network_says_that_it_uses_the_label(key, name, said, tmp_path,
                                               monkeypatch):
  changes = {key: dict(name=f'own_state:{name}')}
  if said:
    assert load(tmp_path, monkeypatch, **changes)
    return
  with pytest.raises(ConfigError) as error:
    load(tmp_path, monkeypatch, **changes)
  (problem,) = error.value.problems
  assert problem.path == f'{key}.name'
  assert 'write `conditional = True` in its class' in problem.rule


def test_without_labels_in_the_data_it_need_not(tmp_path, monkeypatch):
  assert load(tmp_path, monkeypatch, 0, generator=dict(name='own_state:Drawn'))


def test_a_loss_takes_no_schedule_as_it_is_not_told_the_step(tmp_path,
                                                             monkeypatch):
  margin = dict(name='linear_schedule', init_value=1.0, end_value=0.0,
                transition_steps=2)
  with pytest.raises(ConfigError) as error:
    load(tmp_path, monkeypatch,
         loss=dict(name='own_state:by_step', margin=margin))
  (problem,) = error.value.problems
  assert problem.path == 'loss.margin' and 'not told the step' in problem.rule
