"""Every norm and weight norm in every network; ends, autoencoders, tables."""

import itertools
import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny
from small_models import (
  DISCRIMINATORS,
  KEY,
  abstract,
  build,
  changed,
  count,
  inputs,
  networks,
  some_variables,
  struct_of,
)

from gan_jax import models
from gan_jax.base import lookup
from gan_jax.config import rules
from gan_jax.models import layers, norms

NORMS = typing.get_args(norms.NormName)
WEIGHT_NORMS = typing.get_args(layers.WeightNormName)
SHAPES = ((14, 14, 1), (8, 12, 3))


def kinds(tree):
  return jax.tree.map(lambda x: (x.shape, x.dtype), tree)


# Norms, weight norms.


@pytest.mark.parametrize('name,kind', [
    # Their blocks take norms as those of biggan do.
    pytest.param(*network, marks=[pytest.mark.slow] * (
        network[0].startswith(('resnet', 'biggan_deep'))))
    for network in networks()])
def test_every_norm_and_weight_norm_in_every_network(name, kind):
  taken = [norm for norm in NORMS
           if kind == 'Generator' or norm not in norms.CONDITIONAL_NORMS]
  # Each norm once; the four weight norms and two shapes take turns.
  for norm, weight_norm, shape in zip(
      taken, itertools.cycle(WEIGHT_NORMS), itertools.cycle(SHAPES[::-1])):
    model = build(name, kind, norm=norm, weight_norm=weight_norm, shape=shape)
    x, label = struct_of(kind, shape)
    params, stats = jax.eval_shape(model.init, KEY, x, label)
    out, after = jax.eval_shape(
        lambda *args, model=model: model.apply(*args, train=True), params,
        stats, x, label)
    assert kinds(after) == kinds(stats), (norm, weight_norm)
    assert all(s.dtype == jnp.float32 for s in jax.tree.leaves(after))
    assert ('spectral' in stats) == (weight_norm == 'spectral')
    if kind == 'Generator':
      assert out.shape == (4, *shape)
    else:
      assert out.logits.shape == (4,) and out.features.ndim == 2


COMPILED = [
    ('dcgan', 'virtual_batch', 'spectral', {}),
    ('dcgan', 'group', 'weight', {}),
    ('mlp', 'instance', 'equalized', {}),
    ('resnet', 'layer', 'spectral', dict(attention=4, flat_blocks=1)),
    ('biggan', None, 'spectral', dict(attention=4, flat_blocks=0)),
    ('autoencoder', 'pixel', 'spectral', {}),
]


@pytest.mark.parametrize('name,norm,weight_norm,kwargs', COMPILED)
def test_discriminators_train_in_bfloat16_and_test_by_example(
    name, norm, weight_norm, kwargs):
  if norm:
    kwargs = dict(kwargs, norm=norm)
  if name in ('resnet', 'biggan'):
    kwargs = dict(kwargs, to=4)
  model = build(f'{name}.Discriminator', 'Discriminator', dtype=jnp.bfloat16,
                weight_norm=weight_norm, **kwargs)
  x, label = inputs('Discriminator')
  params, stats = some_variables(model, x, label)

  @jax.jit
  def run(params, stats, x):
    def loss(params):
      out, after = model.apply(params, stats, x, label, train=True)
      return jnp.sum(out.logits), after

    test = model.apply(params, stats, x, label, train=False)[0].logits
    return jax.grad(loss, has_aux=True)(params), test

  (gradient, after), base = jax.tree.map(np.asarray, run(params, stats, x))
  assert all(np.isfinite(g).all() for g in jax.tree.leaves((gradient, after)))
  assert max(np.abs(g).max() for g in jax.tree.leaves(gradient)) > 0
  other = np.asarray(run(params, stats, changed(x, 1, 1.0))[1])
  rest = np.array([0, 2, 3])
  np.testing.assert_array_equal(base[rest], other[rest])
  assert base[1] != other[1]


@pytest.mark.parametrize('norm', norms.CONDITIONAL_NORMS)
@pytest.mark.parametrize('name', ['dcgan', 'biggan'])
def test_conditional_norms_bring_in_label_or_z(name, norm):
  model = build(f'{name}.Generator', 'Generator', norm=norm, activation='tanh')
  z, label = inputs('Generator')
  params, stats = some_variables(model, z, label)
  # The first layer is put out: what is left comes through the norms.
  params = jax.tree.map(lambda p: 0.3 * p, params)
  params['Dense_0'] = jax.tree.map(np.zeros_like, params['Dense_0'])
  apply = jax.jit(lambda z, label: model.apply(params, stats, z, label,
                                               train=False)[0])

  def run(z, label):
    return np.asarray(apply(z, label))

  base = run(z, label)
  by_label = np.abs(run(z, changed(label, 1, 1)) - base).max((1, 2, 3))
  by_z = np.abs(run(changed(z, 1, 1.0), label) - base).max((1, 2, 3))
  on_label, on_z = norm == 'conditional_batch', (
      norm != 'conditional_batch' or name == 'biggan')
  assert (by_label[1] > 1e-5) == on_label and (by_z[1] > 1e-5) == on_z
  assert not by_label[[0, 2, 3]].any() and not by_z[[0, 2, 3]].any()


@pytest.mark.parametrize('name', DISCRIMINATORS)
@pytest.mark.parametrize('norm,words', [
    ('conditional_batch', "takes the label by conditioning='projection'"),
    ('self_modulation', 'conditioned on z'), ('adain', 'conditioned on z')])
def test_discriminators_refuse_the_norms_of_generators(name, norm, words):
  model = build(name, 'Discriminator', norm=norm)
  with pytest.raises(ValueError, match=f'norm {norm!r} is for gen.*{words}'):
    jax.eval_shape(model.init, KEY, *struct_of('Discriminator', (8, 8, 1)))


def test_generators_refuse_projection_and_labels_that_are_not_there():
  args = struct_of('Generator', (8, 8, 1))
  for kwargs, words in (
      (dict(conditioning='projection'), 'only a discriminator has'),
      (dict(norm='conditional_batch', num_classes=0), 'the data have none')):
    model = build('resnet.Generator', 'Generator', shape=(8, 8, 1), **kwargs)
    with pytest.raises(ValueError, match=words):
      jax.eval_shape(model.init, KEY, *args)


# The ends of discriminators.


@pytest.mark.parametrize('name', DISCRIMINATORS)
def test_heads_projection_and_minibatch_of_every_discriminator(name):
  asked = (('class', 3), ('proxies', 5))
  args = struct_of('Discriminator', (8, 8, 1))
  model = models.as_model(_module(name, heads=asked, minibatch='std',
                                  conditioning='projection'))
  if name == 'autoencoder.Discriminator':
    with pytest.raises(ValueError, match='an autoencoder has none'):
      abstract(model, *args)
    return
  params, out = abstract(model, *args)
  assert {k: v.shape for k, v in out.heads.items()} == {
      'class': (4, 3), 'proxies': (3, 5)}
  if name == 'gat.Discriminator':  # a code of its own
    assert params['embedding']['embedding'].shape == (3, 2048)
    return
  kernel = params['Heads_0']['projection']['kernel']
  assert kernel.shape == (3, out.features.shape[1])


def _module(name, **kwargs):
  return lookup.find('gan_jax.models', name, 'Discriminator')(
      num_classes=3, **kwargs)


@pytest.mark.parametrize('minibatch', ['std', 'discrimination'])
@pytest.mark.parametrize('name', ['mlp', 'dcgan'])
def test_minibatch_layers_compare_the_batch(name, minibatch):
  model = build(f'{name}.Discriminator', 'Discriminator', norm='none',
                minibatch=minibatch)
  x, label = inputs('Discriminator')
  params, stats = some_variables(model, x, label)
  if minibatch == 'discrimination':  # exp(-distance) would be 0.
    params['Minibatch_0'] = jax.tree.map(lambda p: 0.01 * p,
                                         params['Minibatch_0'])
  run = jax.jit(lambda x: model.apply(params, stats, x, label, train=True)[0])
  change = np.abs(np.asarray(run(changed(x, 1, 1.0)).logits)
                  - np.asarray(run(x).logits))
  assert (change > 1e-6).all()


@pytest.mark.parametrize('minibatch,batch,devices,packing,words', [
    # What a device holds: 4, 2, 3, 8, 12; of packs 1 or more to compare.
    ('std', 4, 1, 1, ''), ('std', 4, 2, 1, ''), ('std', 6, 2, 1, ''),
    ('std', 64, 8, 1, ''), ('std', 48, 2, 2, ''), ('none', 7, 1, 1, ''),
    ('discrimination', 7, 1, 1, ''), ('discrimination', 6, 3, 1, ''),
    ('std', 10, 2, 1, 'leaves 5 examples to a device, and minibatch=\'std\' '
     'compares them in groups of 4; use a multiple of 8: 8 or 16'),
    ('std', 6, 1, 1, 'leaves 6 examples to a device'),
    ('std', 36, 2, 3, 'use a multiple of 24: 24 or 48'),
    ('std', 4, 4, 1, 'leaves one example to a device, and minibatch=\'std\' '
     'compares several; use 8 or more, or discriminator.minibatch=\'none\''),
    ('discrimination', 6, 2, 3, 'use 12 or more')])
def test_a_batch_that_minibatch_layers_cannot_compare_is_refused(
    minibatch, batch, devices, packing, words):
  config = tiny.config('unused', batch_size=batch, packing=packing,
                       discriminator=dict(name='mlp.Discriminator', widths=(8,),
                                          minibatch=minibatch))
  found = rules.of_config(config, devices, [])
  assert len(found) == bool(words)
  for problem in found:
    assert problem.path == 'batch_size' and problem.value == batch
    assert words in problem.rule


@pytest.mark.parametrize('batch,packing,words', [
    # XLA divides the step of the whole batch: all of it is compared.
    (4, 1, ''), (8, 1, ''), (8, 2, ''),
    (4, 4, 'leaves one example to a step, and minibatch=\'std\' compares '
     'several; use 8 or more'),
    (20, 4, 'leaves 5 examples to a step'), (4, 3, 'a multiple of 3 does')])
def test_a_sharded_step_compares_the_whole_batch(batch, packing, words):
  config = tiny.config(
      'unused', batch_size=batch, packing=packing, shard='state',
      discriminator=dict(name='mlp.Discriminator', minibatch='std'))
  found = rules.of_config(config, 4, [])
  assert len(found) == bool(words)
  assert all(words in problem.rule for problem in found)


def test_groups_of_another_size_are_looked_at():
  config = tiny.config('unused', batch_size=24, discriminator=dict(
      name='stylegan2.Discriminator', minibatch='std', group=16))
  (problem,) = rules.of_config(config, 1, [])
  assert 'in groups of 16; use a multiple of 16: 16 or 32' in problem.rule


def test_is_conditional():
  for name, kwargs, want in (
      ('dcgan.Generator', {}, False),
      ('dcgan.Generator', dict(norm='conditional_batch'), True),
      ('dcgan.Generator', dict(conditioning='onehot'), True),
      ('biggan.Generator', {}, True),
      ('biggan.Generator', dict(norm='self_modulation'), False),
      ('biggan.Discriminator', {}, True),
      ('biggan.Discriminator', dict(conditioning='none'), False),
      ('gan_jax.models.biggan:Generator', {}, True)):
    assert models.is_conditional(dict(name=name, **kwargs)) is want
  with pytest.raises(ValueError, match='no such name'):
    models.is_conditional(dict(name='dcgan.Generater'))


# Autoencoders.


@pytest.mark.parametrize('error,power', [('l1', 1), ('mse', 2)])
def test_an_autoencoder_of_zeros_errs_by_the_image(error, power):
  model = build('autoencoder.Discriminator', 'Discriminator', error=error,
                conditioning='onehot')
  x, label = inputs('Discriminator', (9, 12, 2))
  params, stats = jax.tree.map(lambda s: np.zeros(s.shape, s.dtype),
                               jax.eval_shape(model.init, KEY, x, label))
  out, _ = jax.jit(lambda p: model.apply(p, stats, x, label, train=True))(
      params)
  want = (np.abs(np.float64(x)) ** power).mean((1, 2, 3))
  np.testing.assert_allclose(out.logits, want, rtol=1e-5)
  assert out.features.shape == (4, 6) and out.heads == {}


def test_autoencoders_are_marked():
  marked = [name for name in DISCRIMINATORS if _module(name).autoencoder]
  assert marked == ['autoencoder.Discriminator']


# Tables.


@pytest.mark.parametrize('name,kind', networks())
def test_every_network_has_a_table_that_adds_up(name, kind):
  model = build(name, kind, shape=(8, 8, 1), weight_norm='spectral')
  x, label = struct_of(kind, (8, 8, 1))
  params, _ = jax.eval_shape(model.init, KEY, x, label)
  rows = model.describe(x, label).splitlines()
  numbers = [int(row.split()[-1].replace(',', '')) for row in rows[1:]]
  assert numbers[-1] == sum(numbers[:-1]) == count(params)
