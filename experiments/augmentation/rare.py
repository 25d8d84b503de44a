"""Does a GAN help a classifier that has few examples of a class?

python experiments/augmentation/rare.py --seeds=5 --out=results.jsonl

Of the digits' training set one class keeps `--count` examples, the others all.
A perceptron learns ten classes from them, with nothing added, and with so many
more of the rare class that it has as many as the others on average: the same
again, shifted and turned ones, samples of `cgan` and of `acgan:small`, trained
on the same few (all classes drawn equally often). A line for each seed, which
chooses the few, and each method; those that are in the file are not made again.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
from PIL import Image

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', '..'))
from experiments.trainer import Trainer  # noqa: E402
from gan_jax.config import recipe  # noqa: E402
from gan_jax.data import load as data  # noqa: E402
from gan_jax.ops import images as ops  # noqa: E402

_GANS = {'cgan': ('cgan', 5000), 'acgan': ('acgan:small', 2000)}  # and steps
METHODS = ('none', 'repeated', 'classical', *_GANS)
_ANGLE, _SHIFT = 0.2, 2.0  # radians and pixels, uniform up to
_WIDTH, _STEPS, _BATCH, _RATE = 256, 1500, 100, 1e-3  # of the classifier


def few(seed, digit, count):
  """(images, labels) with `count` images of a digit, and the whole test set."""
  whole = data.load(dict(name='mnist10k', holdout=0.2))
  rare = np.flatnonzero(whole.labels == digit)
  kept = np.random.default_rng(seed).permutation(rare)[:count]
  rows = np.sort(np.concatenate([
      np.flatnonzero(whole.labels != digit), kept]))
  return (whole.images[rows], whole.labels[rows]), whole.held_out


@jax.jit
def distorted(images, key):
  """Shifts and turns of images [B, 28, 28, 1] in [0, 1]."""
  def one(image, key):
    angle, *shift = jax.random.uniform(key, (3,), minval=-1.0)
    turn = ops.rotation(jnp.cos(_ANGLE * angle), jnp.sin(_ANGLE * angle))
    return ops.warp(image, *ops.chain(turn, _SHIFT * jnp.stack(shift)))

  return jax.vmap(one)(images, jax.random.split(key, len(images)))


class Gans:
  """Generators of the rare class, each compiled once."""

  def __init__(self, folder):
    self._folder = folder
    self._trainers = {name: Trainer() for name in _GANS}

  def samples(self, name, train, seed, digit, count):
    """Images uint8 of a digit, by a GAN trained on `train`."""
    path = os.path.join(self._folder, f'{seed}.npz')
    np.savez(path, images=train[0], labels=train[1])
    recipe_name, steps = _GANS[name]
    config = recipe.get_config(f'{recipe_name},data=npz' if ':' in recipe_name
                               else f'{recipe_name}:data=npz')
    config.data.path, config.data.balanced = path, True
    config.seed, config.train_steps, config.loggers = seed, steps, ()
    trainer = self._trainers[name]
    _, state, _ = trainer(config)
    sampler = trainer.evaluator.sampler
    z = sampler.latents(jax.random.key(seed), count)
    return sampler.images(state.ema, z, np.full(count, digit, np.int32))


def added(method, train, seed, digit, gans):
  """Further images uint8 of the rare digit."""
  own = train[0][train[1] == digit]
  count = round((len(train[1]) - len(own)) / 9) - len(own)
  if method == 'none':
    return own[:0]
  if method in _GANS:
    return gans.samples(method, train, seed, digit, count)
  again = own[np.arange(count) % len(own)]
  if method == 'repeated':
    return again
  found = distorted(jnp.asarray(again / np.float32(255)), jax.random.key(seed))
  return np.rint(255 * np.clip(found, 0.0, 1.0)).astype(np.uint8)


@partial(jax.jit, static_argnums=1)
def _step(carry, optimizer, image, label):
  params, memory = carry

  def loss(params):
    return optax.softmax_cross_entropy_with_integer_labels(
        logits(params, image), label).mean()

  updates, memory = optimizer.update(jax.grad(loss)(params), memory)
  return optax.apply_updates(params, updates), memory


def logits(params, image):
  """Class logits [B, 10] of images uint8."""
  x = image.reshape(len(image), -1).astype(jnp.float32) / 255
  hidden = jax.nn.relu(x @ params['w'] + params['b'])
  return hidden @ params['v'] + params['c']


_OPTIMIZER = optax.adam(optax.linear_schedule(_RATE, 0.0, _STEPS))


def classifier(images, labels, seed):
  """Parameters of a perceptron after a fixed number of steps."""
  first, second = jax.random.split(jax.random.key(seed))
  init = jax.nn.initializers.he_normal()
  params = dict(w=init(first, (784, _WIDTH)), b=jnp.zeros(_WIDTH),
                v=init(second, (_WIDTH, 10)), c=jnp.zeros(10))
  carry, rng = (params, _OPTIMIZER.init(params)), np.random.default_rng(seed)
  for _ in range(_STEPS):
    rows = rng.integers(0, len(labels), _BATCH)
    carry = _step(carry, _OPTIMIZER, images[rows], labels[rows])
  return carry[0]


def result(method, seed, digit, count, gans, picture='') -> dict:
  """Trains with what a method adds; accuracy on the test set."""
  start = time.time()
  train, test = few(seed, digit, count)
  more = added(method, train, seed, digit, gans)
  params = classifier(np.concatenate([train[0], more]), np.concatenate(
      [train[1], np.full(len(more), digit, np.int32)]), seed)
  told = np.asarray(jax.jit(logits)(params, test.images)).argmax(1)
  recall = [float(np.mean(told[test.labels == k] == k)) for k in range(10)]
  if picture and not seed and len(more):
    grid = more[:40, :, :, 0].reshape(2, 20, 28, 28).swapaxes(1, 2)
    Image.fromarray(grid.reshape(56, 560)).save(f'{picture}-{method}.png')
  return {'method': method, 'seed': seed, 'digit': digit, 'count': count,
          'added': len(more), 'balanced_accuracy': float(np.mean(recall)),
          'recall': recall[digit],
          'others': float(np.mean(np.delete(recall, digit))),
          'test': len(told), 'seconds': round(time.time() - start, 1)}


def main():
  """Makes all results that are missing."""
  parser = argparse.ArgumentParser()
  parser.add_argument('--digit', type=int, default=8, help='the rare class')
  parser.add_argument('--count', type=int, default=20, help='its examples')
  parser.add_argument('--seeds', type=int, default=5)
  parser.add_argument('--methods', nargs='+', default=METHODS, choices=METHODS)
  parser.add_argument('--out', required=True, help='results.jsonl')
  parser.add_argument('--picture', default='', help='start of the names of '
                      'PNGs of what was added, for seed 0')
  asked = parser.parse_args()
  done = set()
  if os.path.exists(asked.out):
    with open(asked.out) as file:
      done = {(row['method'], row['seed']) for row in map(json.loads, file)}
  with tempfile.TemporaryDirectory() as folder:
    gans = Gans(folder)
    for seed in range(asked.seeds):
      for method in asked.methods:
        if (method, seed) in done:
          continue
        row = json.dumps(result(method, seed, asked.digit, asked.count, gans,
                                asked.picture))
        print(row, flush=True)
        with open(asked.out, 'a') as file:
          file.write(row + '\n')


if __name__ == '__main__':
  main()
