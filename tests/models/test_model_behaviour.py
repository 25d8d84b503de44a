"""Behaviour of all networks, of those to come too."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_models import (
  DISCRIMINATORS,
  GENERATORS,
  KEY,
  RESIDUAL,
  abstract,
  build,
  changed,
  forward,
  inputs,
  networks,
  of_bfloat16,
  some_variables,
  struct_of,
)

from gan_jax import models
from gan_jax.models import layers, mlp, norms


@pytest.mark.parametrize('name,kind,conditioning', [
    # Residual networks take labels as the others do.
    pytest.param(*network, conditioning, marks=[pytest.mark.slow] * (
        conditioning == 'embedding' and network[0].startswith(RESIDUAL)))
    for network in networks() for conditioning in ('onehot', 'embedding')])
def test_conditioning_makes_the_label_count(name, kind, conditioning):
  model = build(name, kind, conditioning=conditioning)
  x, label = inputs(kind)
  params, stats = some_variables(model, x, label)
  params = jax.tree.map(lambda p: 0.5 * p, params)  # tanh would saturate.
  if 'Mapping_0' in params:  # Its weights are used at a hundredth.
    params['Mapping_0'] = jax.tree.map(lambda p: 50 * p, params['Mapping_0'])
  run = forward(model)
  base = np.asarray(run(params, stats, x, label))
  other = np.asarray(run(params, stats, x, changed(label, 1, 1)))
  same = np.array([0, 2, 3])
  np.testing.assert_array_equal(other[same], base[same])
  assert np.abs(other[1] - base[1]).max() > 1e-4


@pytest.mark.parametrize('name,kind', networks())
def test_without_conditioning_the_label_is_not_looked_at(name, kind):
  norm = 'layer' if name == 'biggan.Generator' else 'none'
  abstract(build(name, kind, conditioning='none', norm=norm), inputs(kind)[0],
           None)


@pytest.mark.parametrize('name,kind', networks())
def test_conditioning_that_cannot_be_is_refused(name, kind):
  with pytest.raises(ValueError, match='no such choice'):
    build(name, kind, conditioning='x')
  model = build(name, kind, conditioning='onehot', num_classes=0)
  with pytest.raises(ValueError, match='needs labels, and the data have none'):
    jax.eval_shape(model.init, KEY, *inputs(kind))


@pytest.mark.parametrize('name,kind', networks())
def test_bfloat16_arithmetic_keeps_float32_parameters(name, kind):
  x, label = inputs(kind)
  exact, rough = (build(name, kind, dtype=d)
                  for d in (jnp.float32, jnp.bfloat16))
  params, stats = some_variables(rough, x, label)
  assert {p.dtype for p in jax.tree.leaves((params, stats))} == {
      jnp.dtype('float32')}
  want, got = (np.asarray(forward(model)(params, stats, x, label))
               for model in (exact, rough))
  assert got.dtype == np.float32
  np.testing.assert_allclose(got, want, rtol=0.1, atol=0.05)
  assert (got != want).any()  # It does compute in bfloat16.


def _sums(jaxpr):
  """(dtype, how many numbers) of each sum of a program."""
  for eqn in jaxpr.eqns:
    if eqn.primitive.name == 'reduce_sum':
      x = eqn.invars[0].aval
      yield x.dtype, math.prod(x.shape[axis] for axis in eqn.params['axes'])
    for part in jax.tree.leaves(
        list(eqn.params.values()), is_leaf=lambda x: hasattr(x, 'jaxpr')):
      part = getattr(part, 'jaxpr', part)
      if hasattr(part, 'eqns'):
        yield from _sums(part)


@pytest.mark.parametrize('name,kind', [
    *networks(), *((f'{name}.{kind}', kind) for name in ('stylegan2', 'r3gan')
                   for kind in ('Generator', 'Discriminator'))])
def test_gradients_of_bfloat16_are_summed_in_float32(name, kind):
  """Of biases, scales and styles over the places; 2x2 pixels at most."""
  file = name.partition('.')[0]
  model = build(name, kind, dtype=jnp.bfloat16, **(
      dict(width=8, max_width=8) if file in ('stylegan2', 'r3gan') else
      dict(norm='self_modulation') if kind == 'Generator' else {}), **(
          dict(attention=8) if file in RESIDUAL and kind == 'Generator' else
          dict(attention=4, to=4) if file in RESIDUAL else
          dict(group_width=8) if file == 'r3gan' else {}))
  x, label = struct_of(kind, (8, 8, 1), batch=32)
  keys = jax.random.split(KEY, 32)

  def value(params, stats, x, label):
    out, _ = model.apply(params, stats, x, label, train=True, keys=keys)
    return jnp.sum(out if kind == 'Generator' else out.logits)

  found = [*_sums(jax.make_jaxpr(jax.grad(value))(*jax.eval_shape(
      model.init, KEY, x, label), x, label).jaxpr)]
  assert max(count for dtype, count in found if dtype == jnp.float32) > 30
  assert max([count for dtype, count in found if dtype == jnp.bfloat16],
             default=0) <= 4


def test_a_broadcast_of_bfloat16_has_the_whole_sum_as_its_gradient():
  def value(v):
    return jnp.sum(layers.spread(v, jnp.zeros((1000, 2), jnp.bfloat16)).astype(
        jnp.float32))

  for v in (jnp.ones(2), jnp.ones(()), jnp.ones((1, 2))):
    np.testing.assert_array_equal(jax.jit(jax.grad(value))(v), 2000.0 / v.size)


@pytest.mark.parametrize('name', sorted(
    set(DISCRIMINATORS) - {'autoencoder.Discriminator'}))
def test_the_last_layer_of_bfloat16_is_float32(name):
  model = build(name, 'Discriminator', dtype=jnp.bfloat16,
                conditioning='none', weight_norm='none',
                heads=(('classes', 3),))
  x, label = inputs('Discriminator')
  params, stats = some_variables(model, x, label)
  out, _ = jax.jit(lambda *a: model.apply(*a, train=False))(params, stats, x,
                                                           label)
  assert out.features.dtype == jnp.bfloat16
  features = np.asarray(out.features, np.float32)
  (ends,) = [part for part in params.values() if 'logits' in part]
  for got, name in ((out.logits[:, None], 'logits'),
                    (out.heads['classes'], 'classes')):
    want = features @ ends[name]['kernel'] + ends[name]['bias']
    assert got.dtype == jnp.float32
    np.testing.assert_allclose(got, want, rtol=1e-5)


@pytest.mark.parametrize('name,fields', [
    ('mlp.Generator', {}), ('table.Generator', dict(
        widths=(8, 6), row_blocks=(('number', 1),) * 7))])
def test_vectors_of_bfloat16_networks_have_all_digits(name, fields):
  model = build(name, 'Generator', shape=(7,), dtype=jnp.bfloat16, **fields)
  z, label = inputs('Generator', batch=32)
  # Biases start as 0: a sum with one would hide what the product is.
  x = forward(model)(*jax.jit(model.init)(KEY, z, label), z, label)
  if name == 'table.Generator':
    x = np.arctanh(x)  # of what the last layer says
  assert np.isfinite(x).all() and not of_bfloat16(x)


@pytest.mark.parametrize('image_range', [
    pytest.param((-1.0, 1.0), marks=pytest.mark.slow), (0.0, 1.0)])
@pytest.mark.parametrize('name', GENERATORS)
def test_images_fill_their_range_and_stay_in_it(name, image_range):
  model = build(name, 'Generator', image_range=image_range)
  x, label = inputs('Generator', batch=16)
  params, stats = some_variables(model, x, label)
  centred = jax.tree.map(lambda p: 20.0 * (p - 0.2), params)
  images = np.asarray(forward(model)(centred, stats, x, label))
  assert images.min() >= image_range[0] and images.max() <= image_range[1]
  low, high = image_range
  assert images.min() < low + 0.1 and images.max() > high - 0.1


def test_squash_is_tanh_or_sigmoid():
  x = np.float32([-1.0, 0.0, 2.0])
  np.testing.assert_allclose(layers.squash(x, (-1.0, 1.0)), np.tanh(x),
                             rtol=1e-6)
  np.testing.assert_allclose(layers.squash(x, (0.0, 1.0)),
                             1 / (1 + np.exp(-x)), rtol=1e-6)
  assert layers.squash(x.astype(jnp.bfloat16), (0.0, 1.0)).dtype == jnp.float32


@pytest.mark.parametrize('name,kind', [
    (n, k) for n, k in networks() if n.split('.')[0] in ('dcgan', 'mlp')])
def test_only_training_moves_the_running_statistics(name, kind):
  model = build(name, kind, norm='batch', norm_momentum=0.75, shape=(16, 16, 1))
  x, label = inputs(kind, shape=(16, 16, 1))
  params, stats = some_variables(model, x, label)
  after, kept = jax.jit(lambda *a: [model.apply(*a, train=train)[1]
                                    for train in (True, False)])(
                                        params, stats, x, label)
  leaves = jax.tree.leaves(stats)
  assert leaves and jax.tree.structure(stats) == jax.tree.structure(after)
  for old, new, same in zip(leaves, jax.tree.leaves(after),
                            jax.tree.leaves(kept), strict=True):
    assert (old != np.asarray(new)).any()
    np.testing.assert_array_equal(old, same)


@pytest.mark.parametrize('norm,has_stats', [
    ('none', False), ('layer', False), ('batch', True)])
def test_statistics_are_of_batch_norm_only(norm, has_stats):
  model = build('mlp.Generator', 'Generator', norm=norm)
  _, stats = jax.eval_shape(model.init, KEY, *inputs('Generator'))
  assert bool(stats) == has_stats


def test_constructors_refuse_what_they_do_not_know():
  for kwargs, words in ((dict(norm='bach'), 'did you mean "batch"'),
                        (dict(activation='rleu'), 'did you mean "relu"')):
    with pytest.raises(ValueError, match=words):
      build('dcgan.Generator', 'Generator', **kwargs)
  with pytest.raises(ValueError, match="norm 'bach' is not one of none"):
    norms.Norm('bach', train=True).init(KEY, jnp.zeros((2, 3)))
  with pytest.raises(ValueError, match="activation 'rule' is not one of"):
    layers.activation('rule', 0.2)


@pytest.mark.parametrize('norm', [
    pytest.param('none', marks=pytest.mark.slow), 'layer',
    pytest.param('pixel', marks=pytest.mark.slow), 'batch'])
@pytest.mark.parametrize('name', DISCRIMINATORS)
def test_two_batches_judged_as_one_are_judged_as_two(name, norm):
  # At 8 px dcgan has no layer with a norm.
  shape = (16, 16, 1) if name == 'dcgan.Discriminator' else (8, 8, 1)
  model = build(name, 'Discriminator', shape=shape, norm=norm,
                weight_norm='none', conditioning='onehot')
  x, label = inputs('Discriminator', shape)
  params, stats = some_variables(model, x, label)
  assert model.per_example
  assert bool(jax.tree.leaves(stats)) == (norm == 'batch')
  if not stats:
    run = forward(model, train=True)
    both = run(params, stats, x, label)
    each = [run(params, stats, x[i:i + 2], label[i:i + 2]) for i in (0, 2)]
    np.testing.assert_allclose(both, np.concatenate(each), rtol=1e-4,
                               atol=1e-5)


def test_networks_that_may_compare_examples_are_not_judged_as_one():
  class Own(mlp.Discriminator):
    pass

  for network in (mlp.Discriminator(num_classes=0, minibatch='std'),
                  mlp.Discriminator(num_classes=0, norm='module:function'),
                  mlp.Discriminator(num_classes=2, heads=(('proxies', 4),)),
                  Own(num_classes=0)):
    assert not models.as_model(network).per_example
