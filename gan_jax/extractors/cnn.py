"""A small classifier of a data set's own labels, as an extractor."""

import logging
import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax import traverse_util

from gan_jax import parallel
from gan_jax.base.errors import DataError
from gan_jax.extractors import cnn_training, stored
from gan_jax.extractors.base import Extractor, check_images, digest, in_chunks
from gan_jax.models import layers, norms

# Whoever changes anything of the network or of its training counts this up:
# scores of another network must not be compared with those of this one.
_VERSION = 2
_LARGEST, _SMALLEST = 64, 8  # sides of images: of those seen, and at all
_CHUNK = 256
_log = logging.getLogger(__name__)


class Network(nn.Module):
  """Standardised images [B, H, W, C] -> (features [B, 128], logits [B, K]).

  Convolution 4x4 of stride 2, 32 channels; until no side exceeds 7, convolution
  3x3 and convolution 4x4 of stride 2, of 64, 128, 128 ... channels; layer norm
  and ReLU after each.  Dense 128, ReLU: the features; dense K.  Nothing is
  normalised over a batch: it would tie an image to its neighbours.

  classes: K.
  """

  classes: int

  @nn.compact
  def __call__(self, x):  # noqa: D102 (the class says it)
    init = nn.initializers.he_normal()

    def conv(width, x, **more):
      x = layers.Conv(width, bias=False, kernel_init=init, **more)(x)
      return nn.relu(norms.Norm('layer', train=False)(x))

    x, width = conv(32, x, size=4, stride=2), 64
    while max(x.shape[1:3]) > 7:
      x = conv(width, conv(width, x), size=4, stride=2)
      width = 128
    x = nn.relu(layers.Dense(128, kernel_init=init)(x.reshape(len(x), -1)))
    return x, layers.Dense(self.classes)(x)


def classifier(*, source) -> Extractor:
  """A small CNN trained on the labels of the data set itself.

  It is trained once, on a CPU, from fixed seeds: the same data give the same
  network, bit by bit, on one machine; another, or another number of cores, may
  round differently, and its network then has another sha256. It is kept in the
  cache, under the fingerprint of the data; 10,000 digits of 28 x 28 took 150 s
  on 2 busy cores, with accuracy 0.989. A tenth of the images is not trained on;
  the share of them that is classified correctly is notes['accuracy'].

  Features: the last hidden layer, [N, 128], with a mean square of 1 on the
  images held out, so that distances and kernels are of a usual size; logits
  [N, num_classes].  Sides above 64 pixels are seen at 64.

  Args:
    source: a `data.prepare.Source` with labels.

  Raises:
    DataError: vectors, no labels or one class, sides below 8 pixels, fewer
      than 10 images.
  """
  _check(source)
  definition = _definition(source)
  path = stored.path_of('classifier', definition, source.fingerprint)
  kept = stored.read(path)
  if kept is None:
    _log.info('training the classifier of %s, once: minutes', source.name)
    with parallel.on_cpu():
      kept = _train(source, definition)
    stored.write(path, *kept)
  return _extractor(*kept, definition, source)


def trained(source) -> Extractor:
  """The same network trained on these examples now, and not kept.

  Raises:
    DataError: as `classifier`.
  """
  _check(source)
  definition = _definition(source)
  with parallel.on_cpu():
    return _extractor(*_train(source, definition), definition, source)


def _definition(source) -> str:
  return (f'classifier {_VERSION} {tuple(source.images.shape[1:])} '
          f'{source.num_classes}')


def _check(source):
  shape, name = source.images.shape, source.name
  if len(shape) != 4:
    raise DataError(f'{name}: a classifier is for images [H, W, C], and the '
                    f'examples are vectors {list(shape[1:])}; use points')
  if source.num_classes < 2:
    raise DataError(f'{name}: a classifier needs labels of 2 classes or more, '
                    f'and the data have {source.num_classes}; use random')
  if source.labels.min() < 0:
    raise DataError(f'{name}: some examples have no label; a classifier needs '
                    f'all of them: use data.labelled=1.0, or random')
  if min(shape[1:3]) < _SMALLEST:
    raise DataError(f'{name}: images of {shape[1]} x {shape[2]}; a classifier '
                    f'needs sides of {_SMALLEST} or more: resize, or use '
                    f'random')
  if shape[0] < 10:
    raise DataError(f'{name}: {shape[0]} images; a classifier needs 10 or '
                    f'more, as a tenth is held out: use random')


def _train(source, definition):
  """(weights {'a/b': array}, notes) of a source."""
  shape, network = source.images.shape, Network(source.num_classes)
  train, held_out = cnn_training.split(shape[0])
  mean, std = cnn_training.statistics(source.images, train)
  params = cnn_training.fit(network, source.images, source.labels, train,
                            partial(_prepare, mean, std))
  flat = {name: np.asarray(value) for name, value in
          traverse_util.flatten_dict(params, sep='/').items()}
  flat.update(mean=mean, std=std, scale=np.float32(1.0))
  apply = partial(jax.jit(_forward(source.num_classes)),
                  traverse_util.unflatten_dict(flat, sep='/'))
  correct, square = 0, 0.0
  for rows in np.array_split(held_out, math.ceil(len(held_out) / 4096)):
    features, logits = in_chunks(apply, source.images[rows], _CHUNK)
    correct += int((logits.argmax(1) == source.labels[rows]).sum())
    square += float(np.square(features, dtype=np.float64).sum())
  square /= len(held_out) * features.shape[1]
  flat['scale'] = np.float32(1.0 / math.sqrt(max(square, 1e-12)))
  return flat, dict(
      accuracy=correct / len(held_out), classes=source.num_classes,
      held_out=len(held_out), trained_on=len(train))


def _forward(classes):
  """A function (weights, images uint8 [B, H, W, C]) -> features and logits."""
  network = Network(classes)

  def apply(weights, images):
    params = {k: v for k, v in weights.items()
              if k not in ('mean', 'std', 'scale')}
    features, logits = network.apply({'params': params}, _prepare(
        weights['mean'], weights['std'], images))
    return features * weights['scale'], logits

  return apply


def _extractor(flat, notes, definition, source):
  mesh, shape = parallel.own_mesh(), tuple(source.images.shape[1:])
  apply = parallel.spread(_forward(source.num_classes))
  weights = parallel.replicate(traverse_util.unflatten_dict(flat, sep='/'),
                               mesh)

  def extract(images):
    check_images(images, 'classifier')
    if tuple(images.shape[1:]) != shape:
      raise ValueError(
          f'images {list(images.shape[1:])}: this classifier was trained on '
          f'{list(shape)}; give it images of the same data set')
    return in_chunks(partial(apply, weights), images,
                     _CHUNK * mesh.size)

  return Extractor('classifier', digest(definition, flat), extract, notes)


def _prepare(mean, std, images):
  """uint8 [B, H, W, C] -> float32 (x - mean) / std, no side above 64."""
  x = (images.astype(jnp.float32) - mean) / std
  sides = [min(n, _LARGEST) for n in x.shape[1:3]]
  if tuple(sides) == x.shape[1:3]:
    return x
  return jax.image.resize(x, (len(x), *sides, x.shape[3]), 'linear')
