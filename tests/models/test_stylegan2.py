"""StyleGAN2: layers and parameters of the authors', styles, noise, mixing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax, random
from small_models import (
  KEY,
  abstract,
  build,
  changed,
  count,
  forward,
  inputs,
  some_variables,
  struct,
)

from gan_jax.game import sampling
from gan_jax.game.state import Average
from gan_jax.models import stylegan2

LABELS = struct(8, dtype=jnp.int32)


def generator(**kwargs):
  return build('stylegan2.Generator', 'Generator', **dict(
      shape=(8, 8, 3), width=4, max_width=8, style=6,
      mapping_layers=2) | kwargs)


def discriminator(**kwargs):
  return build('stylegan2.Discriminator', 'Discriminator', **dict(
      shape=(8, 8, 3), width=4, max_width=8) | kwargs)


def with_variables(model, kind='Generator', shape=(8, 8, 3), batch=4):
  x, label = inputs(kind, shape, batch)
  return x, label, *some_variables(model, x, label)


@pytest.mark.parametrize('shape,words', [
    ((28, 28, 1), r'not 28x28; use data.pad=\(32,32\)'),
    ((48, 48, 3), r'data.pad=\(64,64\)'), ((32, 16, 1), 'not 32x16'),
    ((4, 4, 1), r'not 4x4; use data.pad=\(8,8\)')])
def test_other_sizes_are_refused(shape, words):
  for model, kind in ((generator(shape=shape), 'Generator'),
                      (discriminator(shape=shape), 'Discriminator')):
    with pytest.raises(ValueError, match=words):
      jax.eval_shape(model.init, KEY, *inputs(kind, shape))


# Layers.


def test_modulation_is_a_kernel_of_each_examples_own():
  """Eq. 1-3 by a convolution for each example; then noise, bias, activation."""
  rng = np.random.default_rng(0)
  x, w = (np.float32(rng.normal(size=s)) for s in ((3, 5, 5, 4), (3, 6)))
  layer = stylegan2.Modulated(7)
  noise = np.float32(rng.normal(size=(3, 25)))
  params = jax.tree.map(
      lambda s: np.float32(rng.normal(size=s.shape)),
      jax.eval_shape(layer.init, KEY, x, w, noise))['params']
  got = jax.jit(layer.apply)({'params': params}, x, w, noise)
  style = w @ params['style']['kernel'] / np.sqrt(6) + params['style']['bias']
  for i in range(3):
    kernel = params['kernel'] * style[i][None, None, :, None]
    kernel = kernel / np.sqrt((kernel ** 2).sum((0, 1, 2)) + 1e-8)
    y = lax.conv_general_dilated(x[i:i + 1], kernel, (1, 1), 'SAME',
                                 dimension_numbers=('NHWC', 'HWIO', 'NHWC'))[0]
    y = np.asarray(y) + params['noise'] * noise[i].reshape(5, 5, 1)
    y = y + params['bias']
    np.testing.assert_allclose(got[i], active(y), rtol=1e-4, atol=1e-4)


def active(x):
  return np.sqrt(2.0) * np.where(x < 0, 0.2 * x, x)


def square_1(x):
  return x / np.sqrt((x ** 2).mean(-1, keepdims=True) + 1e-8)


def mapped(x, layers, rate=0.01):
  for layer in layers:
    x = active(rate * (x @ layer['kernel'] / np.sqrt(x.shape[-1])
                       + layer['bias']))
  return x


def test_the_mapping_and_the_image_of_a_layer_in_numpy():
  rng = np.random.default_rng(0)
  z, x, w = (np.float32(rng.normal(size=s))
             for s in ((3, 5), (3, 2, 2, 4), (3, 6)))
  label = np.array([0, 2, 1])

  def run(layer, *args):
    params = jax.tree.map(
        lambda s: np.float32(rng.normal(size=s.shape)),
        jax.eval_shape(layer.init, KEY, *args))
    return params['params'], jax.jit(layer.apply)(params, *args)

  p, got = run(stylegan2.Mapping(6, 2, 3), z, label)
  code = p['embed']['kernel'][label] / np.sqrt(3) + p['embed']['bias']
  want = mapped(np.concatenate([square_1(z), square_1(code)], 1),
                [p['fc0'], p['fc1']])
  np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-6)
  p, got = run(stylegan2.ToImage(3), x, w)
  style = w @ p['style']['kernel'] / np.sqrt(6) + p['style']['bias']
  want = x * style[:, None, None] / np.sqrt(4) @ p['kernel'][0, 0] + p['bias']
  np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_the_discriminator_in_numpy():
  model = discriminator(conditioning='projection')
  x, label, params, stats = with_variables(model, 'Discriminator')
  # Around 0: others are a mean, which does not tell where a pixel is.
  params = jax.tree.map(lambda v: 3.0 * (v - np.float32(0.2)), params)
  p = jax.tree.map(np.float64, params)
  taps = np.outer([1, 3, 3, 1], [1, 3, 3, 1])[..., None, None] / 64
  taps = taps * np.eye(4)

  def conv(x, kernel, pad, step=1):
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    side, n = len(kernel), (x.shape[1] - len(kernel)) // step + 1
    return sum(x[:, i:i + step * n:step, j:j + step * n:step] @ kernel[i, j]
               for i in range(side) for j in range(side))

  def kernel(name):
    k = p[name]['kernel']
    return k / np.sqrt(np.prod(k.shape[:-1]))

  def bias(name):
    return p[name]['bias']

  x = active(conv(x, kernel('b8_image'), 0) + bias('b8_image'))
  y = active(conv(x, kernel('b8_conv0'), 1) + bias('b8_conv0'))
  y = conv(conv(y, taps, 2), kernel('b8_conv1'), 0, 2) + bias('b8_conv1')
  x = conv(conv(x, taps, 1, 2), kernel('b8_skip'), 0)
  x = (active(y) + x) / np.sqrt(2)
  spread = np.sqrt(x.var(0) + 1e-8).mean()
  x = np.concatenate([x, np.full((4, 4, 4, 1), spread)], -1)
  x = active(conv(x, kernel('b4_conv'), 1) + bias('b4_conv'))
  x = active(x.reshape(4, -1) @ kernel('b4_dense') + bias('b4_dense'))
  x = x @ kernel('logits') + bias('logits')
  m = p['mapping_network']
  code = mapped(square_1(m['embed']['kernel'][label] / np.sqrt(3)
                         + m['embed']['bias']), [m[f'fc{i}'] for i in range(8)])
  want = (x * code).sum(1) / np.sqrt(8)
  np.testing.assert_allclose(forward(model)(params, stats, label=label, x=(
      inputs('Discriminator', (8, 8, 3))[0])), want, rtol=1e-3,
                             atol=1e-4 * np.abs(want).max())


def test_an_image_is_of_the_style_behind_that_of_its_convolution():
  """Style 1 is of the image of 4 px and of the next convolution, 3 of the last.

  Images are enlarged and added: without that of 8 px the one of 4 px is left.
  """
  model = generator()
  _, _, params, stats = with_variables(model)
  p = params['synthesis_network']
  run = jax.jit(lambda p, w: model.styles.synthesis(
      {**params, 'synthesis_network': p}, stats, w))
  w = np.float32(np.random.default_rng(0).normal(size=(1, 4, 6)))
  for silent, layers in (('b8_image', [0, 1]), ('b4_image', [0, 1, 2, 3])):
    some = {**p, silent: jax.tree.map(np.zeros_like, p[silent])}
    moved = [np.abs(run(some, changed(w, (0, i), 1.0)) - run(some, w)).max()
             for i in range(4)]
    assert [i for i in range(4) if moved[i] > 1e-4] == layers


def test_an_enlarging_layer_starts_with_the_variance_of_its_input():
  """Of normal input, away from the border, before the activation."""
  x = random.normal(KEY, (2, 16, 16, 64))
  layer = stylegan2.Modulated(64, up=True)
  args = x, jnp.zeros((2, 6)), jnp.zeros((1, 1024))
  y, _ = jax.jit(layer.init_with_output)(random.key(1), *args)
  assert y.shape == (2, 32, 32, 64)
  y = np.asarray(y)[:, 4:-4, 4:-4] / np.sqrt(2.0)
  y = np.where(y < 0, 5.0 * y, y)
  # A filter of a power of two pixels leaves less than 1 of white noise.
  assert 0.2 < y.var() < 1.0


def test_rates_of_the_mapping_are_a_hundredth():
  """A step along the gradient changes its output 10^-4 times as much."""
  x = random.normal(KEY, (4, 5))
  moved = []
  for rate in (1.0, 0.01):
    layer = stylegan2.Linear(3, rate=rate)
    params = jax.jit(layer.init)(KEY, x)['params']
    out = jax.jit(lambda params, layer=layer: layer.apply(
        {'params': params}, x))
    slope = jax.grad(lambda p, out=out: jnp.sum(out(p)))(params)
    moved.append((out(params), out(jax.tree.map(
        lambda p, g: p - 0.1 * g, params, slope)) - out(params)))
  np.testing.assert_allclose(moved[0][0], moved[1][0], rtol=1e-5, atol=1e-6)
  np.testing.assert_allclose(moved[1][1], 1e-4 * moved[0][1], rtol=0.05)


# Styles.


def test_an_image_follows_from_z_and_in_training_from_the_keys():
  model = generator(shape=(16, 16, 3))
  x, label, params, stats = with_variables(model)
  run = jax.jit(lambda z, keys: model.apply(params, stats, z, label, train=True,
                                            keys=keys)[0])
  keys = random.split(KEY, 4)
  first, again, other = (np.asarray(run(x, k)) for k in (
      keys, keys, random.split(random.key(8), 4)))
  np.testing.assert_array_equal(first, again)
  assert (np.abs(first - other).max((1, 2, 3)) > 1e-3).all()
  moved = np.abs(np.asarray(run(changed(x, 2, 1.0), keys)) - first)
  assert moved[2].max() > 1e-3 and moved[[0, 1, 3]].max() == 0.0
  still = forward(model)
  images = np.asarray(still(params, stats, x, label))
  np.testing.assert_allclose(still(params, stats, x[[1] * 4], label),
                             images[[1] * 4], rtol=1e-4, atol=1e-5)


def test_the_styles_of_a_share_of_examples_are_mixed():
  model = generator(shape=(16, 16, 3), mixing=0.75)
  x, label, params, stats = with_variables(model)
  z, label = jnp.tile(x[:1], (2000, 1)), jnp.zeros(2000, jnp.int32)
  keys = random.split(KEY, 2000)
  w = np.asarray(jax.jit(lambda keys: model.styles.mapping(
      params, stats, z, label, keys=keys))(keys))
  plain = np.asarray(jax.jit(model.styles.mapping)(params, stats, z[:1],
                                                   label[:1]))
  assert w.shape == (2000, 6, 6) and (plain[0] == plain[0, :1]).all()
  own = np.isclose(w, plain, rtol=1e-4, atol=1e-5).all(-1)
  layers = own.sum(1)
  # The first so many layers have the style of z, and at least one.
  assert (own == (np.arange(6) < layers[:, None])).all() and layers.min() == 1
  shares = np.bincount(layers, minlength=7)[1:] / 2000
  np.testing.assert_allclose(shares, [0.15] * 5 + [0.25], atol=0.03)
  never = generator(shape=(16, 16, 3), mixing=0.0)
  same = jax.jit(never.styles.mapping)(params, stats, x, inputs('Generator')[1],
                                       keys=keys[:4])
  assert (np.asarray(same) == np.asarray(same)[:, :1]).all()


def test_styles_are_not_mixed_with_a_given_noise():
  model = generator(mixing=1.0)
  z, label, params, stats = with_variables(model)
  noise = random.normal(KEY, (4, model.noise().size))
  got, want = jax.jit(lambda noise: (
      model.apply(params, stats, z, label, train=False, keys=noise)[0],
      model.styles.synthesis(params, stats, model.styles.mapping(
          params, stats, z, label), keys=noise)))(noise)
  np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_the_mean_style_is_an_average_of_training():
  model = generator()
  x, label, params, stats = with_variables(model)
  w = np.asarray(jax.jit(model.styles.mapping)(params, stats, x, label))[:, 0]
  old = np.asarray(model.styles.mean(stats))
  train = jax.jit(lambda keys: model.apply(params, stats, x, label, train=True,
                                           keys=keys)[1])
  for keys in (None, random.split(KEY, 4)):
    after = train(keys)
    np.testing.assert_allclose(model.styles.mean(after),
                               0.995 * old + 0.005 * w.mean(0), rtol=1e-5)
  after = jax.jit(lambda stats: model.apply(params, stats, x, label,
                                            train=False)[1])(stats)
  np.testing.assert_array_equal(model.styles.mean(after), old)


def test_truncation_brings_styles_to_their_mean():
  model = generator()
  x, label, params, stats = with_variables(model)
  average = Average(params, stats)
  made = jax.jit(lambda average, psi: sampling.generate(model, average, x,
                                                        label, psi))
  np.testing.assert_allclose(made(average, jnp.ones(4)), made(average, None),
                             rtol=1e-4, atol=1e-4)
  silent = jax.tree_util.tree_map_with_path(
      lambda path, p: 0.0 * p if path[-1].key == 'noise' else p, params)
  quiet = Average(silent, stats)
  none = np.asarray(made(quiet, jnp.zeros(4)))
  np.testing.assert_allclose(none, none[[0] * 4], rtol=1e-4, atol=1e-4)
  mean = np.tile(stats['styles']['mean'], (1, 4, 1))
  want = jax.jit(model.styles.synthesis)(silent, stats, mean)
  np.testing.assert_allclose(none[:1], want, rtol=1e-4, atol=1e-4)


# Both networks.


@pytest.mark.parametrize('kind,model,conditioning', [
    ('Generator', generator, 'embedding'),
    ('Discriminator', discriminator, 'projection')])
def test_labels(kind, model, conditioning):
  more = dict(minibatch='none') if kind == 'Discriminator' else {}
  x, label = inputs(kind, (8, 8, 3))
  # As they start: other weights would silence a mapping of 8 layers.
  params, stats = jax.jit(model(conditioning=conditioning, **more).init)(
      KEY, x, label)
  run = forward(model(conditioning=conditioning, **more))
  base = np.asarray(run(params, stats, x, label))
  other = np.abs(np.asarray(run(params, stats, x, changed(label, 1, 1))) - base)
  assert other[1].max() > 1e-4 and other[[0, 2, 3]].max() == 0.0
  abstract(model(conditioning='none', **more), x, None)
  with pytest.raises(ValueError, match='needs labels, and the data have none'):
    jax.eval_shape(model(conditioning=conditioning, num_classes=0).init, KEY, x,
                   label)
  with pytest.raises(ValueError, match='no such choice'):
    model(conditioning='onehot')


@pytest.mark.parametrize('kind,model', [('Generator', generator),
                                        ('Discriminator', discriminator)])
def test_bfloat16_and_the_table_of_layers(kind, model):
  exact, rough = model(), model(dtype=jnp.bfloat16)
  x, label, params, stats = with_variables(exact, kind)
  want, got = (np.asarray(forward(m)(params, stats, x, label))
               for m in (exact, rough))
  assert got.dtype == np.float32 and (got != want).any()
  np.testing.assert_allclose(got, want, rtol=0.1,
                             atol=0.03 * np.abs(want).max())
  rows = exact.describe(x, label).splitlines()
  numbers = [int(row.split()[-1].replace(',', '')) for row in rows[1:]]
  assert numbers[-1] == sum(numbers[:-1]) == count(params)


def test_ranges_heads_and_the_minibatch():
  low, high = generator(), generator(image_range=(0.0, 1.0))
  x, label, params, stats = with_variables(low)
  np.testing.assert_allclose(
      forward(high)(params, stats, x, label),
      (forward(low)(params, stats, x, label) + 1) / 2, rtol=1e-5, atol=1e-6)
  model = discriminator(heads=(('class', 3),))
  x, label, params, stats = with_variables(model, 'Discriminator')
  run = jax.jit(lambda x: model.apply(params, stats, x, label, train=True)[0])
  out = run(x)
  assert out.heads['class'].shape == (4, 3) and out.features.shape == (4, 8)
  assert 'logits' not in params['Heads_0'] and not model.per_example
  other = run(changed(x, 1, 1.0))
  assert (np.asarray(other.logits) != np.asarray(out.logits)).all()
  assert discriminator(minibatch='none').per_example
