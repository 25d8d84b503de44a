"""Features of images by a fixed random network, which needs no training.

Naeem et al. 2020, https://arxiv.org/abs/2002.09797: where images are unlike
those that a trained network has seen, such as digits, use a randomly
initialised one with 64 features.  We depart from their VGG-16: this network is
small, so that thousands of images take a second on a CPU.

The network, of which nothing depends on a run (scores of runs compare):

  scale  x / 127.5 - 1, float32 [H, W, C]
  conv   4x4, stride 2, SAME, 32 channels, no bias, leaky ReLU of slope 0.2
  conv   4x4, stride 2, SAME, 64 channels, the same
  conv   4x4, stride 2, SAME, 128 channels, the same
  pool   means over the 2 x 2 quarters of the map; in a map of odd size the
         middle row (column) counts half in either
  linear [row, column, channel] flattened, 512 -> 64, no bias

Weights are u * sqrt(g / fan_in), u uniform in [-1, 1), with g = 6 for the
convolutions (He et al. 2015, https://arxiv.org/abs/1502.01852) and g = 3 for
the linear layer; fan_in is the product of all axes but the last.  Layer i draws
u = 2 random_sample(shape) - 1 from RandomState([200209797, i]), i = 0 .. 3, in
float64, rounded to float32.  numpy keeps this stream for ever, and no step of
it depends on the machine.  Kernels are [4, 4, in, out].

Scores name this network `random`.  Whoever changes anything above gives it
another name, as scores of different networks must not be compared; nor must
scores of images of different sizes or channels.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.ops.conv import conv

FEATURES = 64
_STREAM = 200209797
_WIDTHS = (32, 64, 128)
_KERNEL = 4
_BINS = 2
# Images at a time, and their pixels: the first layer's output stays < 150 MB.
_CHUNK, _PIXELS = 256, 2**22


def random_features(images) -> np.ndarray:
  """Features of images by the network above.

  Args:
    images: uint8 [N, H, W, C], of any size and number of channels.

  Returns:
    float32 [N, 64].

  Raises:
    ValueError: another dtype or shape, or no images.
  """
  images = np.asarray(images)
  if images.dtype != np.uint8 or images.ndim != 4 or not images.size:
    raise ValueError(
        f'images {images.dtype} {list(images.shape)}: features are taken of '
        'uint8 [N, H, W, C], each 1 or more; convert with pictures.to_uint8')
  weights = [jnp.asarray(w) for w in random_weights(images.shape[3])]
  chunk = max(1, min(_CHUNK, _PIXELS // math.prod(images.shape[1:3])))
  found = []
  for start in range(0, len(images), chunk):
    part = images[start:start + chunk]
    # One shape, one compilation: the last chunk is filled up.
    fill = np.zeros((chunk - len(part), *images.shape[1:]), np.uint8)
    # Full float32 on accelerators too, which would round to bfloat16 or TF32.
    with jax.default_matmul_precision('highest'):
      out = _network(np.concatenate([part, fill]), weights)
    found.append(np.asarray(out)[:len(part)])
  return np.concatenate(found)


@functools.cache
def random_weights(channels: int) -> tuple:
  """Weights of the network for images of C channels, float32.

  Returns:
    Three kernels [4, 4, in, out] and the matrix [512, 64].
  """
  widths = (channels, *_WIDTHS)
  shapes = [(_KERNEL, _KERNEL, *pair)
            for pair in zip(widths[:-1], widths[1:], strict=True)]
  shapes.append((_BINS * _BINS * widths[-1], FEATURES))
  return tuple(_uniform(i, shape, gain=6.0 if len(shape) == 4 else 3.0)
               for i, shape in enumerate(shapes))


def _uniform(layer, shape, gain):
  u = 2.0 * np.random.RandomState([_STREAM, layer]).random_sample(shape) - 1.0
  weights = (u * math.sqrt(gain / math.prod(shape[:-1]))).astype(np.float32)
  weights.flags.writeable = False  # Shared by all callers.
  return weights


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
