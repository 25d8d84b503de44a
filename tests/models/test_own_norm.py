"""A norm of one's own, by name, in every network."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import shown_code
import tiny
from small_models import (
  DISCRIMINATORS,
  GENERATORS,
  KEY,
  build,
  inputs,
  networks,
  some_variables,
  struct_of,
)

from gan_jax.config import key_rules
from gan_jax.models import norms

CODE = shown_code.example('class RMS')
MORE = '''
def half():
  return lambda x: x / 2

def flat():
  return lambda x: x.reshape(len(x), -1)[:, :1]

class Scaled(nn.Module):
  cond: object
  @nn.compact
  def __call__(self, x):
    scale = nn.Dense(x.shape[-1], bias_init=nn.initializers.ones)(self.cond)
    return x * scale.reshape(len(x), *(1,) * (x.ndim - 2), -1)

def first(*, cond, dtype):
  return lambda x: (x * cond[:, 0].reshape(-1, *(1,) * (x.ndim - 1))
                    ).astype(dtype)
'''


@pytest.fixture(autouse=True)
def ideas(tmp_path, monkeypatch):
  (tmp_path / 'own_norms.py').write_text(CODE + MORE)
  monkeypatch.syspath_prepend(tmp_path)


def test_the_norm_of_the_pages_is_ten_lines():
  """It trains in test_docs.py."""
  assert len(CODE.strip().splitlines()) <= 10


def test_it_does_what_it_says():
  norm = norms.Norm('own_norms:RMS', train=True)
  x = jax.random.normal(KEY, (3, 4, 4, 5))
  y, variables = norm.init_with_output(KEY, x)
  want = np.asarray(x) / np.sqrt((np.asarray(x) ** 2).mean(-1, keepdims=True)
                                 + 1e-6)
  np.testing.assert_allclose(y, want, rtol=1e-5)
  assert [v.shape for v in jax.tree.leaves(variables['params'])] == [
      (1, 1, 1, 5)]
  function = norms.Norm('own_norms:half', train=False, dtype=jnp.bfloat16)
  half, _ = function.init_with_output(KEY, x)
  assert half.dtype == jnp.bfloat16
  np.testing.assert_allclose(half.astype(jnp.float32), x / 2, rtol=1e-2)


@pytest.mark.parametrize('name,kind', networks())
def test_every_network_takes_it(name, kind):
  model = build(name, kind, norm='own_norms:RMS', shape=(16, 16, 1))
  x, label = struct_of(kind, (16, 16, 1))
  params, stats = jax.eval_shape(model.init, KEY, x, label)
  paths = [jax.tree_util.keystr(path) for path, _ in
           jax.tree_util.tree_leaves_with_path(params)]
  assert any('RMS' in path for path in paths)
  # A norm that may have no shift leaves a layer its bias.
  plain = build(name, kind, norm='pixel', shape=(16, 16, 1))
  biases = [sum('bias' in jax.tree_util.keystr(path) for path, _ in
                jax.tree_util.tree_leaves_with_path(tree)) for tree in (
                    params, jax.eval_shape(plain.init, KEY, x, label)[0])]
  assert biases[0] == biases[1]
  jax.eval_shape(lambda *a: model.apply(*a, train=True), params, stats, x,
                 label)


def test_one_that_names_cond_is_given_it():
  x, cond = jnp.arange(6.0).reshape(2, 1, 1, 3), jnp.array([[3.0, 9.0],
                                                            [-2.0, 9.0]])
  norm = norms.Norm('own_norms:first', train=True)
  y, _ = norm.init_with_output(KEY, x, cond)
  assert y.tolist() == [[[[0.0, 3.0, 6.0]]], [[[-6.0, -8.0, -10.0]]]]
  with pytest.raises(ValueError, match='needs what it is conditioned on'):
    norm.init(KEY, x)


@pytest.mark.parametrize('conditioning', ['none', 'onehot'])
@pytest.mark.parametrize('name', GENERATORS)
def test_generators_condition_it_on_z_and_their_label(name, conditioning):
  model = build(name, 'Generator', norm='own_norms:Scaled', activation='tanh',
                conditioning=conditioning)
  z, label = inputs('Generator')
  params, stats = some_variables(model, z, label)
  paths = jax.tree_util.tree_leaves_with_path(params)
  sizes = {leaf.shape[0] for path, leaf in paths
           if 'Scaled' in jax.tree_util.keystr(path) and leaf.ndim == 2}
  # z has 5 numbers, of which biggan gives the first block's norms 2.
  more = 3 * (conditioning == 'onehot')
  assert sizes == ({2} if name == 'biggan.Generator' else {5 + more})
  images, _ = jax.jit(lambda p: model.apply(p, stats, z, label, train=True))(
      params)
  assert np.isfinite(images).all()


@pytest.mark.parametrize('name', DISCRIMINATORS)
def test_discriminators_have_nothing_to_condition_it_on(name):
  model = build(name, 'Discriminator', norm='own_norms:Scaled')
  with pytest.raises(ValueError, match='is for generators.*conditioned on z'):
    jax.eval_shape(model.init, KEY, *struct_of('Discriminator', (8, 8, 1)))


@pytest.mark.parametrize('norm,words', [
    ('own_norms:RMs', 'mean "RMS"'), ('no_lab:norm', 'cannot import'),
    ('bacth', 'did you mean "batch"')])
def test_a_norm_that_is_not_there(norm, words):
  config = tiny.config('unused', discriminator=dict(
      name='dcgan.Discriminator', norm=norm))
  (problem,) = key_rules.check(config)
  assert problem.path == 'discriminator.norm' and words in problem.rule


def test_a_norm_keeps_the_shape():
  x = jnp.zeros((2, 4, 4, 3))
  with pytest.raises(ValueError, match=re.escape('makes (2, 1) of (2, 4')):
    norms.Norm('own_norms:flat', train=True).init(KEY, x)


def test_other_choices_take_no_names_from_outside():
  config = tiny.config('unused', discriminator=dict(
      name='dcgan.Discriminator', weight_norm='own_norms:half'))
  (problem,) = key_rules.check(config)
  assert 'no such choice' in problem.rule
