"""Inception against published programs, and the ways to its 299 x 299.

The golden numbers are those of pytorch-fid 0.3.0 (blocks, resizer 'pytorch'),
torch-fidelity 0.4.0 ('tf1') and clean-fid 0.1.35 ('clean') with torch 2.13, for
the random weights below.
"""

import jax
import numpy as np
import pytest
from random_inception import noise, weights

from gan_jax.extractors import inception_v3

# Height and width, and `summary`, of each block.
BLOCKS = {
    'Conv2d_2b_3x3': ((51, 67), 0.89355, -0.35313),
    'Conv2d_4a_3x3': ((23, 31), 2.49193, -1.41482),
    'Mixed_5b': ((11, 15), 3.89136, -1.32692),
    'Mixed_5c': ((11, 15), 4.74956, 1.41887),
    'Mixed_5d': ((11, 15), 5.54882, 0.33278),
    'Mixed_6a': ((5, 7), 7.06538, 0.56557),
    'Mixed_6b': ((5, 7), 7.01605, 1.30520),
    'Mixed_6c': ((5, 7), 7.22054, 0.41506),
    'Mixed_6d': ((5, 7), 7.15311, 3.92207),
    'Mixed_6e': ((5, 7), 7.79897, 0.08455),
    'Mixed_7a': ((2, 3), 10.48302, -6.33892),
    'Mixed_7b': ((2, 3), 10.21376, -5.73979),
    'Mixed_7c': ((2, 3), 10.31356, -5.03011),
}
FEATURES = [6.9319363, 18.300993, 8.508191, 1.0707113]  # every 512th
LOGITS = [2.7934728, -21.812963, 8.250941, 14.732661]  # every 252nd
# Of two images 32 x 40: every 512th feature, every 336th logit.
IMAGES = {
    'tf1': ([[14.386905, 27.83907, 13.176221, 1.661294],
             [14.350375, 27.455593, 12.889733, 1.576069]],
            [[28.975525, 30.122805, -0.896501],
             [28.71313, 29.728344, -1.005593]]),
    'pytorch': ([[14.508528, 27.796627, 13.244643, 1.769669],
                 [14.439952, 27.56672, 12.613827, 1.599822]],
                [[28.861694, 30.208704, -0.815392],
                 [28.274868, 29.887154, -0.710067]]),
    'clean': ([[16.344612, 31.45314, 14.624817, 1.991214],
               [16.278355, 30.986723, 13.868934, 1.785454]],
              [[32.982864, 34.63462, -0.91441],
               [32.246162, 34.440643, -0.593761]]),
}
# Mean, standard deviation, and four values at PIXELS, of the resized images.
PIXELS = ([0, 1, 150, 298], [0, 1, 201, 298], [0, 1, 2, 1])
RESIZED = {
    ((32, 40), 'tf1'):
        [0.003807, 0.387216, -0.710938, 0.780119, 0.041912, -0.320312],
    ((32, 40), 'pytorch'):
        [0.008751, 0.389416, -0.709804, 0.843137, -0.230409, -0.317647],
    ((32, 40), 'clean'):
        [0.004683, 0.470801, -0.933253, 0.885487, -0.359867, -0.435512],
    ((400, 310), 'tf1'):
        [-0.002776, 0.385611, -0.710938, -0.371498, 0.071297, -0.124301],
    ((400, 310), 'pytorch'):
        [0.001118, 0.387085, -0.608955, -0.161045, 0.288695, -0.232368],
    ((400, 310), 'clean'):
        [-0.002676, 0.399818, -0.566209, -0.219636, 0.132449, -0.115674],
    ((299, 299), 'tf1'):
        [-0.003166, 0.577462, -0.710938, -0.09375, 0.75, -0.445312],
    ((299, 299), 'pytorch'):
        [0.000743, 0.579727, -0.709804, -0.090196, 0.756863, -0.443137],
    ((299, 299), 'clean'):
        [-0.003166, 0.577462, -0.710938, -0.09375, 0.75, -0.445312],
}


def summary(x):
  """Size and one direction: any change of [B, H, W, C] moves them."""
  x = np.asarray(x, np.float64)
  direction = np.random.RandomState(2).random_sample(x.shape) - 0.5
  return np.sqrt(np.mean(x ** 2)), np.vdot(x, direction) / np.sqrt(x.size)


def resized(resizer, images):
  return np.asarray(inception_v3.resize_on_device(
      resizer, inception_v3.resize_on_host(resizer, images)))


# The network.


def test_the_table_of_layers():
  table = inception_v3.table()
  names = {name: (graph, shape) for name, graph, shape in table}
  assert len(table) == len(names) == len({g for _, g, _ in table}) == 94
  # By hand, from the published table of names.
  assert names['Conv2d_4a_3x3'] == ('conv_4', (3, 3, 80, 192))
  assert names['Mixed_5b.branch1x1'] == ('mixed/conv', (1, 1, 192, 64))
  assert names['Mixed_5c.branch5x5_2'] == (
      'mixed_1/tower/conv_1', (5, 5, 48, 64))
  assert names['Mixed_6a.branch3x3'] == ('mixed_3/conv', (3, 3, 288, 384))
  assert names['Mixed_6b.branch7x7dbl_3'] == (
      'mixed_4/tower_1/conv_2', (1, 7, 128, 128))
  assert names['Mixed_7a.branch7x7x3_4'] == (
      'mixed_8/tower_1/conv_3', (3, 3, 192, 192))
  assert names['Mixed_7b.branch3x3_2b'] == (
      'mixed_9/tower/mixed/conv_1', (3, 1, 384, 384))
  assert names['Mixed_7c.branch3x3dbl_3a'] == (
      'mixed_10/tower_1/mixed/conv', (1, 3, 384, 384))
  assert names['Mixed_7c.branch_pool'] == (
      'mixed_10/tower_2/conv', (1, 1, 2048, 192))
  # Of torchvision's network with 1008 classes, without biases of the classes
  # and auxiliary classes; running statistics count as weights here.
  size = sum(np.prod(shape) for shape, *_ in
             inception_v3.weights_table().values())
  assert size == 21_785_568 + 2 * 17_216 + 2048 * 1008


def test_means_leave_out_the_padding():
  x = np.arange(9, dtype=np.float32).reshape(1, 3, 3, 1)
  mean = inception_v3._pool(x, 'mean')[0, ..., 0]
  # Corner 0, 1, 3, 4; side 0 to 5; centre 0 to 8.
  assert [mean[0, 0], mean[0, 1], mean[1, 1]] == [2.0, 2.5, 4.0]
  assert inception_v3._pool(-x, 'max')[0, 0, 0, 0] == 0.0
  assert inception_v3._pool(-x, 'max')[0, 2, 2, 0] == -4.0
  assert inception_v3._pool(x, 'halve').tolist() == [[[[8.0]]]]


def test_fold_is_batch_norm_with_epsilon_a_thousandth():
  tensors = dict(weights())
  name = 'Conv2d_1a_3x3'
  for part, value in dict(weight=3.0, bias=5.0, running_mean=7.0,
                          running_var=0.003).items():
    tensors[f'{name}.bn.{part}'] = np.full(32, value, np.float32)
  kernel, bias = inception_v3.fold(tensors)[name]
  root = np.sqrt(0.004)
  np.testing.assert_allclose(bias, 5.0 - 7.0 * 3.0 / root, rtol=1e-5)
  np.testing.assert_allclose(
      kernel[2, 1, 0, 9], tensors[f'{name}.conv.weight'][9, 0, 2, 1] * 3 / root,
      rtol=1e-5)


def test_every_block_is_that_of_pytorch_fid():
  x = noise((1, 107, 139, 3)).astype(np.float32) / 127.5 - 1
  found = jax.jit(inception_v3.forward)(inception_v3.fold(weights()), x)
  for name, (size, *numbers) in BLOCKS.items():
    assert found[name].shape[1:3] == size, name
    np.testing.assert_allclose(summary(found[name]), numbers, atol=1e-4,
                               err_msg=name)
  np.testing.assert_allclose(found['features'][0, ::512], FEATURES, atol=1e-4)
  np.testing.assert_allclose(found['logits'][0, ::252], LOGITS, atol=1e-4)


# Images.


@pytest.mark.parametrize('size,resizer', RESIZED)
def test_resized_as_the_published_programs_do(size, resizer):
  out = resized(resizer, noise((1, *size, 3)))
  assert out.shape == (1, 299, 299, 3) and out.dtype == np.float32
  found = [out.mean(), out.std(), *out[0][PIXELS]]
  np.testing.assert_allclose(found, RESIZED[size, resizer], atol=3e-6)


def test_the_shift_of_half_a_pixel():
  """A ramp from 0 to 255: pixel i shows where in the source it is from."""
  ramp = np.broadcast_to(np.arange(100, dtype=np.uint8)[None, :, None, None],
                         (1, 100, 7, 3))
  i = np.arange(299)
  out = resized('tf1', ramp)[0, :, 0, 0] * 128 + 128
  np.testing.assert_allclose(out, np.minimum(i * 100 / 299, 99), atol=1e-4)
  out = (resized('pytorch', ramp)[0, :, 0, 0] + 1) * 127.5
  np.testing.assert_allclose(
      out, np.clip((i + 0.5) * 100 / 299 - 0.5, 0, 99), atol=1e-4)


def test_only_clean_has_a_low_pass_filter():
  """Columns black, white, black ... three to a pixel of the result."""
  lines = np.zeros((1, 299, 897, 3), np.uint8)
  lines[:, :, ::2] = 255
  assert np.ptp(resized('tf1', lines)[0, :, 10:-10]) > 1.9
  assert np.ptp(resized('clean', lines)[0, :, 10:-10]) < 0.2


def small(monkeypatch, resizer='tf1'):
  """The extractor without its network: features are means of its input."""
  def forward(_, x):
    return {'features': x.mean(axis=(1, 2)), 'logits': x[:, 0, 0]}

  monkeypatch.setattr(inception_v3, '_CHUNK', 2)  # on each of four devices
  monkeypatch.setattr(inception_v3, 'fold', lambda _: {})
  monkeypatch.setattr(inception_v3, 'forward', forward)
  return inception_v3.build({'w': np.ones(2, np.float32)}, resizer, dict(a=1))


def test_the_resizer_is_part_of_the_hash_and_of_the_notes(monkeypatch):
  found = {name: small(monkeypatch, name) for name in IMAGES}
  assert len({extractor.sha256 for extractor in found.values()}) == 3
  for name, extractor in found.items():
    assert extractor.notes == dict(resizer=name, a=1)
    assert extractor.name == ('inception' if name == 'tf1'
                              else f'inception_{name}')


@pytest.mark.parametrize('resizer', IMAGES)
def test_grey_images_are_three_equal_channels(resizer, monkeypatch):
  extract = small(monkeypatch, resizer).extract
  images = noise((11, 20, 16, 1))
  features, logits = extract(images)
  assert features.shape == logits.shape == (11, 3)
  np.testing.assert_array_equal(extract(np.repeat(images, 3, 3))[0], features)
  np.testing.assert_array_equal(extract(images[9:])[0], features[9:])


def test_other_images_are_refused(monkeypatch):
  extract = small(monkeypatch).extract
  with pytest.raises(ValueError, match='4 channels: inception takes 1 or 3'):
    extract(noise((2, 8, 8, 4)))
  with pytest.raises(ValueError, match='inception takes uint8'):
    extract(np.zeros((2, 8, 8, 3), np.float32))


@pytest.mark.slow
@pytest.mark.parametrize('resizer', IMAGES)
def test_features_are_those_of_the_published_programs(resizer, monkeypatch):
  monkeypatch.setattr(inception_v3, '_CHUNK', 2)
  found = inception_v3.build(weights(), resizer, {})
  features, logits = found.extract(noise((2, 32, 40, 3)))
  assert features.shape == (2, 2048) and logits.shape == (2, 1008)
  np.testing.assert_allclose(features[:, ::512], IMAGES[resizer][0], atol=1e-4)
  np.testing.assert_allclose(logits[:, ::336], IMAGES[resizer][1], atol=1e-4)
