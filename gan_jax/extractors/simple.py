"""Extractors without labels and files: `random`, `projection`, `points`.

The network of `random`:

  scale  x / 127.5 - 1, float32 [H, W, C]
  conv   4x4, stride 2, SAME, 32 channels, no bias, leaky ReLU of slope 0.2
  conv   4x4, stride 2, SAME, 64 channels, the same
  conv   4x4, stride 2, SAME, 128 channels, the same
  pool   means over the 2 x 2 quarters of the map; in a map of odd size the
         middle row (column) counts half in either
  linear [row, column, channel] flattened, 512 -> 64, no bias

Weights are u * sqrt(g / fan_in), u uniform in [-1, 1), with g = 6 for the
convolutions (He et al. 2015, https://arxiv.org/abs/1502.01852) and g = 3 for
the linear layer; fan_in is the product of all axes but the last. Layer i draws
u = 2 random_sample(shape) - 1 from RandomState([200209797, i]), i = 0 .. 3, in
float64, rounded to float32: a stream that numpy never changes. Kernels are [4,
4, in, out]. After a change of any of this the network needs another name.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.extractors import base
from gan_jax.ops.conv import conv

_STREAM = 200209797
_WIDTHS = (32, 64, 128)
_BINS = 2
_CHUNK = 256  # images at a time
_PROJECTION = 20030101  # the stream of `projection`
_WIDTH, _ROWS = 256, 4096  # features, and values that a block of it takes


def random() -> base.Extractor:
  """A fixed random network with 64 features and no logits; see the module.

  For images unlike those of trained networks, such as digits: Naeem et al.
  2020, https://arxiv.org/abs/2002.09797, who have VGG-16.
  """
  def extract(images):
    base.check_images(images, 'random')
    weights = random_weights(images.shape[3])
    features, = base.in_chunks(lambda x: [_network(x, weights)], images, _CHUNK)
    return features, None

  # The rule draws weights for any number of channels; 3 stand for all.
  weights = {str(i): w for i, w in enumerate(random_weights(3))}
  sha256 = base.hash_arrays('random 1', weights)
  return base.Extractor('random', sha256, extract, {})


def projection() -> base.Extractor:
  """A fixed random projection of examples of any kind, without logits.

  x R / sqrt(F), of an example as one row x of D numbers in [-1, 1] and entries
  of R [D, F] from N(0, 1); F = 256, or D where that is smaller. It keeps
  distances: squares to about sqrt(2 / F), 9 % (Johnson & Lindenstrauss 1984;
  Dasgupta & Gupta 2003, https://doi.org/10.1002/rsa.10073). So it sees what the
  raw values say and nothing else: a shifted signal is another one. A Frechet
  distance on much fewer examples than features says little.

  R comes 4,096 rows at a time, block i from RandomState([20030101, i]), a
  stream that numpy never changes, rounded to float32. Takes uint8, as x / 127.5
  - 1, or float32 as it is.
  """
  def extract(examples):
    base.check(examples, ('uint8', 'float32'), range(2, 6),
               'projection takes uint8 or float32 [N, ...]')
    flat = np.reshape(examples[:], (len(examples), -1))
    width = min(_WIDTH, flat.shape[1])
    features = np.zeros((len(flat), width), np.float32)
    # A block of R at a time: all of it would be 2 GiB for 128^3 voxels.
    for start in range(0, flat.shape[1], _ROWS):
      part = flat[:, start:start + _ROWS]
      matrix = _gaussians(start // _ROWS)[:part.shape[1], :width]
      features += base.in_chunks(
          lambda x, matrix=matrix: [_product(x, matrix)], part, _CHUNK)[0]
    return features / np.float32(math.sqrt(width)), None

  return base.Extractor('projection', base.hash_arrays(
      'projection 1', {'0': _gaussians(0)}), extract, {})


@functools.lru_cache(64)  # 256 MiB at most: those of 64^3 voxels
def _gaussians(block):
  stream = np.random.RandomState([_PROJECTION, block])
  return stream.standard_normal((_ROWS, _WIDTH)).astype(np.float32)


@jax.jit
def _product(x, matrix):
  if x.dtype == np.uint8:
    x = x.astype(jnp.float32) / 127.5 - 1.0
  return x @ matrix


def points() -> base.Extractor:
  """Vectors unchanged: float32 [N, D] -> the same, without logits."""
  def extract(vectors):
    base.check(vectors, ('float32',), (2,), 'points takes float32 [N, D]',
               '; use random for images')
    return np.array(vectors[:]), None

  return base.Extractor('points', base.hash_arrays('points 1', {}), extract, {})


def random_weights(channels: int) -> list[np.ndarray]:
  """Three kernels [4, 4, in, out] and a matrix [512, 64], for C channels."""
  widths = (channels, *_WIDTHS)
  shapes = [(4, 4, *pair) for pair in zip(widths, _WIDTHS, strict=False)]
  shapes.append((_BINS * _BINS * widths[-1], 64))
  found = []
  for i, shape in enumerate(shapes):
    u = 2.0 * np.random.RandomState([_STREAM, i]).random_sample(shape) - 1.0
    gain = 6.0 if len(shape) == 4 else 3.0
    found.append((u * math.sqrt(gain / math.prod(shape[:-1]))).astype(
        np.float32))
  return found


@jax.jit
def _network(images, weights):
  *kernels, matrix = weights
  x = images.astype(jnp.float32) / 127.5 - 1.0
  for kernel in kernels:
    x = jax.nn.leaky_relu(conv(x, kernel, stride=2, padding='SAME'), 0.2)
  x = jnp.einsum('bhwc,ih,jw->bijc', x, _pooling(x.shape[1]),
                 _pooling(x.shape[2]))
  return x.reshape(len(x), -1) @ matrix


def _pooling(size):
  """[2, size]: the share of each pixel in the mean over either half."""
  start = np.arange(_BINS)[:, None] * size / _BINS
  pixel = np.arange(size)[None]
  overlap = (np.minimum(start + size / _BINS, pixel + 1)
             - np.maximum(start, pixel))
  return (np.maximum(overlap, 0) * _BINS / size).astype(np.float32)
