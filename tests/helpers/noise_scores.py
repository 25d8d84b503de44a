"""Scores of noise, by an extractor of a user."""

import numpy as np

from gan_jax.base import lookup
from gan_jax.base.files import short_hash
from gan_jax.data.prepare import make_source
from gan_jax.extractors import Extractor

CALLS = []


def means(*, source):
  """An extractor of a user: means of rows; logits that say 'dark', 'bright'."""
  del source

  def extract(images):
    CALLS.append(len(images))
    features = images.astype(np.float32).mean(axis=(2, 3)) / 255.0
    bright = features.mean(1, keepdims=True) - 0.5
    return features, 50.0 * np.concatenate([-bright, bright], 1)

  return Extractor('means', short_hash('means'), extract, {'of': 'rows'})


MEANS = {'name': f'{__name__}:means'}


def make(count, seed=0, **changes):
  images = np.random.RandomState(seed).randint(
      0, 256, (count, 8, 8, 1)).astype(np.uint8)
  images[::2] //= 2
  return make_source(images, (), 0, name='noise', **changes)


def evaluator(source, **changes):
  spec = dict(name='scores', extractor=MEANS, num_samples=40,
              metrics=('fd', 'prdc', 'classes', 'authenticity'))
  return lookup.build('gan_jax.evaluators', spec | changes, source=source,
                      seed=3)


def by_name(scores):
  return {score.name: score for score in scores}
