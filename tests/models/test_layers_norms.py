"""Normalisations by hand and in numpy."""

import jax
import numpy as np
import pytest
from layer_runs import KEY, RNG, images, run, standard
from small_models import changed

from gan_jax.models import norms


@pytest.mark.parametrize('name,axes', [('batch', (0, 1, 2)),
                                       ('layer', (1, 2, 3)),
                                       ('instance', (1, 2))])
def test_norms_are_over_their_axes(name, axes):
  x = images(5, 3, 2, 4)
  got, _ = run(norms.Norm(name, train=True), x, train=True)
  np.testing.assert_allclose(got, standard(x, axes), atol=1e-5)


@pytest.mark.parametrize('name', ['batch', 'conditional_batch',
                                  'self_modulation'])
def test_batch_norm_of_values_far_from_0(name):
  """1,000 with a deviation of 0.1: E x^2 - (E x)^2 has no digit left."""
  x = np.float32(1000.0 + 0.1 * RNG.normal(size=(64, 3)))
  cond = [] if name == 'batch' else [np.zeros((64, 2), np.float32)]
  module = norms.Norm(name, train=True, momentum=0.0)
  got, after = run(module, x, *cond, train=True)
  # Float32 numbers near 1,000 are 6e-5 apart, and so is the mean exact.
  np.testing.assert_allclose(got, standard(x, 0), atol=2e-3)
  np.testing.assert_allclose(after['batch_stats']['BatchNorm_0']['var'],
                             np.float64(x).var(0), rtol=1e-2)


@pytest.mark.parametrize('name,axes', [('layer', (1, 2, 3)),
                                       ('group', (1, 2, 3)),
                                       ('instance', (1, 2)), ('adain', (1, 2))])
def test_norms_of_an_example_of_values_far_from_0(name, axes):
  """As above; two channels are one group."""
  x = np.float32(1000.0 + 0.1 * RNG.normal(size=(3, 8, 8, 2)))
  cond = [np.zeros((3, 2), np.float32)] if name == 'adain' else []
  got, _ = run(norms.Norm(name, train=True), x, *cond)
  # A sum of 128 such numbers is rounded, and so is the mean, to 6e-4 or less.
  np.testing.assert_allclose(got, standard(x, axes), atol=6e-3)


@pytest.mark.parametrize('channels,groups', [(4, 2), (6, 3), (64, 32),
                                             (96, 32), (1, 1)])
def test_group_norm_has_up_to_32_groups_of_two_channels_or_more(channels,
                                                                 groups):
  x = images(2, 3, 2, channels)
  got, _ = run(norms.Norm('group', train=True), x)
  want = standard(np.asarray(x).reshape(2, 3, 2, groups, -1), (1, 2, 4))
  np.testing.assert_allclose(got, want.reshape(x.shape), atol=1e-5)


def test_pixel_norm_by_hand():
  x = np.float32([[3.0, 4.0], [0.0, 0.0], [2e-4, 0.0]]).reshape(1, 1, 3, 2)
  got, variables = run(norms.Norm('pixel', train=True), x)
  # |(3, 4)|^2 / 2 = 12.5; a pixel of zeros stays one; 4e-8 / 2 + 1e-8 = 3e-8.
  np.testing.assert_allclose(got[0, 0], [np.array([3, 4]) / 12.5 ** 0.5, [0, 0],
                                         [2e-4 / 3e-8 ** 0.5, 0]], rtol=1e-6)
  assert not variables


@pytest.mark.parametrize('name', ['instance', 'group', 'pixel', 'layer'])
def test_norms_of_an_example_do_not_look_at_the_batch(name):
  for x in (images(4, 3, 2, 4), images(4, 8)):
    module = norms.Norm(name, train=True)
    base, _ = run(module, x)
    other, _ = run(module, changed(x, 1, 5.0 * x[0]))
    rest = np.array([0, 2, 3])
    np.testing.assert_array_equal(base[rest], other[rest])
    assert np.abs(base[1] - other[1]).max() > 1e-3


def test_conditional_batch_norm_is_a_table_of_the_classes():
  x, label = images(6, 3, 2, 4), np.array([0, 2, 1, 1, 0, 2])
  tables = {name: {'kernel': np.float32(RNG.normal(size=(3, 4)))}
            for name in ('scale', 'shift')}
  got, variables = run(norms.Norm('conditional_batch', train=True), x,
                       np.float32(np.eye(3))[label], params=tables, train=True)
  scale, shift = (np.float64(tables[name]['kernel'])[label][:, None, None]
                  for name in ('scale', 'shift'))
  want = standard(x, (0, 1, 2)) * (1 + scale) + shift
  np.testing.assert_allclose(got, want, atol=1e-4)
  assert set(variables['batch_stats']['BatchNorm_0']) == {'mean', 'var'}


def test_self_modulation_goes_through_a_hidden_layer():
  x, z = images(6, 3, 2, 4), images(6, 5)
  p = {name: {'kernel': np.float32(RNG.normal(size=(a, b))),
              'bias': np.float32(RNG.normal(size=(b,)))}
       for name, a, b in (('hidden', 5, 32), ('scale', 32, 4),
                          ('shift', 32, 4))}
  got, _ = run(norms.Norm('self_modulation', train=True), x, z, params=p,
               train=True)
  h = np.maximum(np.asarray(z) @ p['hidden']['kernel'] + p['hidden']['bias'], 0)
  scale, shift = ((h @ p[name]['kernel'] + p[name]['bias'])[:, None, None]
                  for name in ('scale', 'shift'))
  np.testing.assert_allclose(
      got, standard(x, (0, 1, 2)) * (1 + scale) + shift, rtol=1e-3, atol=1e-3)


def test_adain_styles_each_example_by_itself():
  x, z = images(3, 4, 5, 2), images(3, 6)
  p = {name: {'kernel': np.float32(RNG.normal(size=(6, 2))),
              'bias': np.float32(RNG.normal(size=(2,)))}
       for name in ('scale', 'shift')}
  got, _ = run(norms.Norm('adain', train=True), x, z, params=p)
  scale, shift = ((np.asarray(z) @ p[name]['kernel'] + p[name]['bias'])
                  [:, None, None] for name in ('scale', 'shift'))
  np.testing.assert_allclose(got, standard(x, (1, 2)) * (1 + scale) + shift,
                             rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize('name', norms.CONDITIONAL_NORMS)
def test_conditional_norms_start_near_the_plain_ones_and_need_a_cond(name):
  x = images(4, 3, 3, 2)
  plain, _ = run(norms.Norm('instance' if name == 'adain' else 'batch',
                             train=True), x, train=True)
  got, _ = run(norms.Norm(name, train=True), x, np.float32(np.eye(4)),
               train=True)
  assert 0 < np.abs(got - plain).max() < 0.4
  with pytest.raises(ValueError, match='needs what it is conditioned on'):
    norms.Norm(name, train=True).init(KEY, x)


def virtual(x, first):
  """The formula of the paper, in float64 and by the moments E x and E x^2."""
  x, first, weight = np.float64(x), np.float64(first), 1 / (len(first) + 1)
  mean, square = (
      (1 - weight) * r.mean(tuple(range(r.ndim - 1)))
      + weight * (v.mean((1, 2), keepdims=True) if v.ndim > 2 else v)
      for r, v in ((first, x), (first ** 2, x ** 2)))
  return (x - mean) / np.sqrt(square - mean ** 2 + 1e-5)


def test_virtual_batch_norm_refers_to_the_first_training_batch():
  first, x = images(6, 3, 2, 4), images(3, 3, 2, 4) * 0.5
  train = norms.Norm('virtual_batch', train=True)
  test = norms.Norm('virtual_batch', train=False)
  variables = jax.jit(train.init)(KEY, first)
  evaluate = jax.jit(test.apply)
  assert variables['reference']['VirtualBatchNorm_0']['taken'] == 0
  # Before: the moments of each example alone.
  np.testing.assert_allclose(evaluate(variables, x), standard(x, (1, 2)),
                             atol=1e-4)
  step = jax.jit(lambda v, x: train.apply(v, x, mutable=['reference']))
  y, state = step(variables, first)
  np.testing.assert_allclose(y, virtual(first, first), atol=1e-4)
  slope = jax.jit(jax.grad(
      lambda x, v: (train.apply(v, x, mutable=['reference'])[0] ** 3).sum()))
  early, variables = slope(first, variables), {**variables, **state}
  # The reference is a constant, in the step that takes it too.
  np.testing.assert_allclose(early, slope(first, variables), atol=1e-4)
  y, state = step(variables, x)
  want = virtual(x, first)
  np.testing.assert_allclose(y, want, atol=1e-4)
  jax.tree.map(np.testing.assert_array_equal, state['reference'],
               variables['reference'])
  np.testing.assert_allclose(evaluate(variables, x[:1]), want[:1], atol=1e-4)
  # An average of the statistics that began before the first batch.
  late = jax.tree.map(lambda v: 0.3 * v, variables['reference'])
  np.testing.assert_allclose(evaluate({**variables, 'reference': late}, x),
                             want, atol=1e-4)


@pytest.mark.parametrize('shape', [(6, 3), (6, 3, 2, 4)])
def test_virtual_batch_norm_is_of_the_whole_batch_and_far_from_0(shape):
  """On three devices; of E x^2 - (E x)^2 no digit would be left."""
  first, x = (np.float32(1000.0 + 0.1 * RNG.normal(size=shape))
              for _ in range(2))
  norm = norms.Norm('virtual_batch', train=True, axis_name='devices')
  variables = norm.init(KEY, first)

  def step(variables, x):
    return norm.apply(variables, x, mutable=['reference'])

  parts = [v.reshape(3, 2, *shape[1:]) for v in (first, x)]
  spread = jax.vmap(step, (None, 0), axis_name='devices')
  got, state = spread(variables, parts[0])
  # Float32 numbers near 1,000 are 6e-5 apart, and so is the mean exact.
  np.testing.assert_allclose(got.reshape(shape), virtual(first, first),
                             atol=2e-3)
  kept = jax.tree.map(lambda v: v[0], state)
  jax.tree.map(lambda one, all_: np.testing.assert_array_equal(
      np.broadcast_to(one, all_.shape), all_), kept, state)
  got, _ = spread({**variables, **kept}, parts[1])
  np.testing.assert_allclose(got.reshape(shape), virtual(x, first), atol=2e-3)
