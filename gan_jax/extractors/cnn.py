"""A small classifier trained on the data set's own labels, as an extractor."""

import functools
import logging
import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from flax import traverse_util

from gan_jax import parallel
from gan_jax.base.errors import DataError
from gan_jax.base.examples import kind_of
from gan_jax.data.threads import progress
from gan_jax.extractors import base
from gan_jax.metrics.arrays import chunks, permutation
from gan_jax.models import layers, norms
from gan_jax.ops import images as ops

# To be increased by any change of the network or of its training: scores of
# another network must not be compared with those of this one.
_VERSION = 2
_LARGEST, _SMALLEST = 64, 8  # sides of images: as seen, and at all
FEWEST = 10  # images
_CHUNK = 256  # images at a time on a device
# Of the training.
_BATCH = 64
_EPOCHS, _STEPS = 15, (200, 4000)  # epochs, and the limits of their steps
_RATE = 1e-3
_SEED = 1105
# Augmentation, uniform up to: radians; log of the scale; share of the side.
_ANGLE, _SCALE, _SHIFT = 0.2, 0.15, 0.08
_log = logging.getLogger(__name__)


class Network(nn.Module):
  """Standardised images [B, H, W, C] -> (features [B, 128], logits [B, K]).

  Convolution 4x4 of stride 2, 32 channels; until no side exceeds 7, convolution
  3x3 and convolution 4x4 of stride 2, of 64, 128, 128 ... channels; layer norm
  and ReLU after each. Dense 128, ReLU: the features; dense K. No batch norm,
  which would mix images.
  """

  classes: int  # K

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


def classifier(*, source) -> base.Extractor:
  """A small CNN trained on the labels of the data set itself.

  Trained once, on a CPU, from fixed seeds, and cached. Bit-identical on one
  machine; elsewhere, or with another number of cores, its sha256 may differ.
  10,000 digits of 28 x 28 took 150 s on 2 busy cores, with accuracy 0.989. A
  tenth of the images is held out; notes['accuracy'] is the accuracy on them.

  Features: the last hidden layer, [N, 128], scaled to a mean square of 1 on the
  held-out images; logits [N, num_classes]. Images with sides above 64 pixels
  are resized to 64.

  Raises:
    DataError: see `unsuited`.
  """
  _check(source)
  path = base.cache_path('classifier', _definition(source), source.fingerprint)
  kept = base.read_cache(path)
  if kept is None:
    _log.info('training the classifier of %s: once, some minutes', source.name)
    found = _train(source)
    kept = base.read_cache(path)  # Another process may have been faster.
    if kept is None:
      base.write_cache(path, *found)
      kept = found
  return _extractor(*kept, source)


def trained(source) -> base.Extractor:
  """The same network, trained on these examples now and not cached."""
  _check(source)
  return _extractor(*_train(source), source)


def _definition(source) -> str:
  return (f'classifier {_VERSION} {tuple(source.images.shape[1:])} '
          f'{source.num_classes}')


def unsuited(source) -> str:
  """Why no classifier can be trained on a data set; '' if one can be."""
  _, *shape = source.images.shape
  why = ''
  if len(shape) != 3:
    why = f'a classifier is for images, and these are {kind_of(shape)} {shape}'
  elif source.label_columns:
    why = (f'its labels are of {len(source.label_columns)} numbers, and a '
           'classifier needs classes: data.label_index=0 makes the first the '
           'class')
  elif source.num_classes < 2:
    why = ('a classifier needs labels of 2 classes or more, and the data have '
           f'{source.num_classes}')
  elif source.labels.min() < 0:
    why = ('some examples have no label, which a classifier needs: use '
           'data.labelled=1.0')
  elif min(shape[:2]) < _SMALLEST:
    why = (f'images of {shape[0]} x {shape[1]}; a classifier needs sides of '
           f'{_SMALLEST} or more: resize them')
  elif len(source.labels) < FEWEST:
    why = (f'{len(source.labels)} images; a classifier needs {FEWEST} or more, '
           'as a tenth is held out')
  return why and f'{source.name}: {why}'


def _check(source):
  if why := unsuited(source):
    axes = len(source.images.shape)
    other = {2: 'points', 4: 'random'}.get(axes, 'projection')
    raise DataError(f'{why}; or use {other}')


def _extractor(flat, notes, source):
  mesh, shape = parallel.own_mesh(), tuple(source.images.shape[1:])
  apply = _program(source.num_classes)
  weights = parallel.replicate(traverse_util.unflatten_dict(flat, sep='/'),
                               mesh)

  def extract(images):
    base.check_images(images, 'classifier')
    if tuple(images.shape[1:]) != shape:
      raise ValueError(
          f'images {list(images.shape[1:])}: this classifier was trained on '
          f'{list(shape)}; give it images of the same data set')
    return base.in_chunks(partial(apply, weights), images, _CHUNK * mesh.size)

  return base.Extractor('classifier', base.hash_arrays(
      _definition(source), flat), extract, notes)


@functools.cache
def _program(classes):
  # Compiled once for all members of a population.
  return parallel.spread(partial(_apply, classes))


def _apply(classes, weights, images):
  params = dict(weights)
  mean, std, scale = (params.pop(name) for name in ('mean', 'std', 'scale'))
  features, logits = Network(classes).apply({'params': params},
                                            _prepare(mean, std, images))
  return features * scale, logits


def _prepare(mean, std, images):
  """uint8 [B, H, W, C] -> float32 (x - mean) / std, no side above 64."""
  x = (images.astype(jnp.float32) - mean) / std
  sides = [min(n, _LARGEST) for n in x.shape[1:3]]
  if tuple(sides) == x.shape[1:3]:
    return x
  return jax.image.resize(x, (len(x), *sides, x.shape[3]), 'linear')


def _train(source):
  """(weights {'a/b': array}, notes) of a source."""
  count = source.images.shape[0]
  order = permutation(count, _SEED, 0)
  rows, held_out = np.sort(order[count // 10:]), np.sort(order[:count // 10])
  # Some thousand images from everywhere: files may be sorted by class.
  some, levels = rows[::max(1, len(rows) // 5000)], np.arange(256)
  counts = sum(np.bincount(np.ravel(source.images[part]), minlength=256)
               for part in chunks(some, 16))
  mean = np.average(levels, weights=counts)
  std = math.sqrt(np.average((levels - mean) ** 2, weights=counts))
  mean, std = np.float32(mean), np.float32(max(std, 1.0))
  with parallel.on_cpu():
    params = _fit(Network(source.num_classes), source, rows,
                  partial(_prepare, mean, std))
    flat = {name: np.asarray(value) for name, value in
            traverse_util.flatten_dict(params, sep='/').items()}
    flat |= dict(mean=mean, std=std, scale=np.float32(1.0))
    apply = partial(jax.jit(partial(_apply, source.num_classes)),
                    traverse_util.unflatten_dict(flat, sep='/'))
    correct, square = 0, 0.0
    for part in np.array_split(held_out, math.ceil(len(held_out) / 4096)):
      features, logits = base.in_chunks(apply, source.images[part], _CHUNK)
      correct += int((logits.argmax(1) == source.labels[part]).sum())
      square += float(np.square(features, dtype=np.float64).sum())
  square /= len(held_out) * features.shape[1]
  flat['scale'] = np.float32(1.0 / math.sqrt(max(square, 1e-12)))
  return flat, dict(
      accuracy=correct / len(held_out), classes=source.num_classes,
      held_out=len(held_out), trained_on=len(rows))


def _fit(network, source, rows, prepare):
  """Parameters after Adam on the cross-entropy of rows of a source."""
  count = int(np.clip(_EPOCHS * len(rows) // _BATCH, *_STEPS))
  optimizer = optax.adam(optax.warmup_cosine_decay_schedule(
      0.0, _RATE, count // 10, count))
  key, start = jax.random.split(jax.random.key(_SEED))

  @partial(jax.jit, donate_argnums=(0, 1))
  def step(params, memory, image, label, key):
    image = _distort(prepare(image), key)

    def loss(params):
      logits = network.apply({'params': params}, image)[1]
      return optax.softmax_cross_entropy_with_integer_labels(
          logits, label).mean()

    updates, memory = optimizer.update(jax.grad(loss)(params), memory)
    return optax.apply_updates(params, updates), memory

  first = prepare(jnp.asarray(source.images[rows[:1]]))
  params = jax.jit(network.init)(start, first)['params']
  memory = optimizer.init(params)
  with progress(count, 'classifier: train', 'step') as bar:
    for i, chosen in enumerate(_batches(len(rows), count)):
      chosen = rows[chosen]
      params, memory = step(params, memory, np.asarray(source.images[chosen]),
                            source.labels[chosen], jax.random.fold_in(key, i))
      bar.update()
  return params


def _batches(count, number):
  """Indices [number, 64] in 0..count - 1: shuffled epochs, end to end."""
  epochs = math.ceil(number * _BATCH / count)
  order = np.concatenate([permutation(count, _SEED, 1 + epoch)
                          for epoch in range(epochs)])
  return order[:number * _BATCH].reshape(number, _BATCH)


def _distort(images, key):
  def one(image, key):
    angle, rows, cols, *shift = jax.random.uniform(key, (5,), minval=-1.0)
    rows, cols = jnp.exp(_SCALE * rows), jnp.exp(_SCALE * cols)
    turn = ops.rotation(jnp.cos(_ANGLE * angle), jnp.sin(_ANGLE * angle))
    sides = jnp.array(image.shape[:2], jnp.float32)
    return ops.warp(image, *ops.chain(
        ops.diagonal(rows, cols), turn, _SHIFT * sides * jnp.stack(shift)))

  return jax.vmap(one)(images, jax.random.split(key, len(images)))
