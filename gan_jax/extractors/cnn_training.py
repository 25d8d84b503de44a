"""The training of the classifier: fixed seeds, fixed order."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import random

from gan_jax.ops import images as ops

_BATCH = 64
_EPOCHS, _STEPS = 15, (200, 4000)  # of training, and the least and most steps
_RATE = 1e-3
_SEED = 1105
# Uniform up to these: radians; log of the magnification; share of the side.
_ANGLE, _SCALE, _SHIFT = 0.2, 0.15, 0.08


def split(count: int) -> tuple:
  """Indices (trained on, held out: a tenth) of N examples."""
  order = _shuffled(count, 0)
  return np.sort(order[count // 10:]), np.sort(order[:count // 10])


def statistics(images, rows) -> tuple:
  """(mean, std) over the pixels of some thousand images; std is 1 or more."""
  # Files may be sorted by class.
  part = np.asarray(images[rows[::max(1, len(rows) // 5000)]])
  return np.float32(part.mean()), np.float32(max(part.std(), 1.0))


def steps(count: int) -> int:
  """Of training on N examples."""
  return int(np.clip(_EPOCHS * count // _BATCH, *_STEPS))


def fit(network, images, labels, rows, prepare):
  """Parameters of a network, trained on some rows of a data set.

  Adam on the cross-entropy, its rate rising for a tenth of the steps and going
  to 0 along a cosine; images turned, scaled and moved a little.

  Args:
    network: linen module, images [B, H, W, C] -> (features, logits [B, K]).
    images: uint8 [N, H, W, C], read by index.
    labels: int32 [N].
    rows: indices of those to be trained on.
    prepare: uint8 images -> those that the network sees.
  """
  count = steps(len(rows))
  optimizer = optax.adam(optax.warmup_cosine_decay_schedule(
      0.0, _RATE, count // 10, count))
  key, start = random.split(random.key(_SEED))

  @partial(jax.jit, donate_argnums=(0, 1))
  def step(params, memory, image, label, key):
    image = _distort(prepare(image), key)

    def loss(params):
      logits = network.apply({'params': params}, image)[1]
      return optax.softmax_cross_entropy_with_integer_labels(
          logits, label).mean()

    updates, memory = optimizer.update(jax.grad(loss)(params), memory)
    return optax.apply_updates(params, updates), memory

  first = prepare(jnp.asarray(images[rows[:1]]))
  params = jax.jit(network.init)(start, first)['params']
  memory = optimizer.init(params)
  for i, chosen in enumerate(_batches(len(rows), count)):
    chosen = rows[chosen]
    params, memory = step(params, memory, np.asarray(images[chosen]),
                          labels[chosen], random.fold_in(key, i))
  return params


def _batches(count, number):
  """`number` times indices [64] in 0..count - 1: epochs, end to end."""
  waiting, epoch = np.zeros(0, np.int64), 0
  for _ in range(number):
    while len(waiting) < _BATCH:
      epoch += 1
      waiting = np.concatenate([waiting, _shuffled(count, epoch)])
    yield waiting[:_BATCH]
    waiting = waiting[_BATCH:]


def _shuffled(count, stream):
  # Raw bits: numpy promises the stream of a bit generator for ever.
  bits = np.random.PCG64(np.random.SeedSequence((_SEED, stream)))
  return np.argsort(bits.random_raw(count), kind='stable')


def _distort(images, key):
  """Turns, magnifies and moves each image."""
  def one(image, key):
    angle, rows, cols, *shift = random.uniform(key, (5,), minval=-1.0)
    rows, cols = jnp.exp(_SCALE * rows), jnp.exp(_SCALE * cols)
    turn = ops.rotation(jnp.cos(_ANGLE * angle), jnp.sin(_ANGLE * angle))
    sides = jnp.array(image.shape[:2], jnp.float32)
    return ops.warp(image, *ops.chain(
        ops.diagonal(rows, cols), turn, _SHIFT * sides * jnp.stack(shift)))

  return jax.vmap(one)(images, random.split(key, len(images)))
