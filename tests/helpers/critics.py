"""What the tests of penalties share: images, keys, critics, their heads."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import random

from gan_jax.base import lookup
from gan_jax.game import terms
from gan_jax.models import Critique

SHAPE = (3, 2, 2)  # of an image: height, width and channels differ
B = 5


def build(name, **kwargs):
  return lookup.build('gan_jax.penalties', dict(name=name, **kwargs))


def ask(penalty, critic, real, fake, keys, **more):
  """The values of a penalty, given what it names."""
  codes = more.get('codes')
  real_out, fake_out = (
      Critique(critic(x, *([codes[side]] if codes else [])),
               x.reshape(len(x), -1), {})
      for side, x in (('real', real), ('fake', fake)))
  return terms.call(penalty, critic=critic, fake_critic=critic, critique=None,
                    real=real, fake=fake, keys=keys, real_out=real_out,
                    fake_out=fake_out, **more)


def normal(seed, *shape):
  return np.float32(np.random.default_rng(seed).normal(size=shape))


def images(seed=0, batch=B):
  return normal(seed, batch, *SHAPE), normal(seed + 1, batch, *SHAPE)


def keys_of(seed=0, batch=B):
  return random.wrap_key_data(np.random.default_rng(seed).integers(
      0, 2**32, (batch, 2), np.uint32))


def linear(a, x):
  """The critic a.x; its gradient is a, everywhere."""
  return jnp.einsum('bhwc,hwc->b', x, a)


def direction(norm, seed=9):
  a = normal(seed, *SHAPE)
  return norm * a / np.sqrt(np.sum(a ** 2))


def evaluate(penalty, critic, pair, keys=None, params=None):
  """Compiled; critic: (params, images) -> logits."""
  def values(params, real, fake, keys):
    return ask(penalty, lambda x: critic(params, x), real, fake, keys)

  return np.asarray(jax.jit(values)(params, *pair,
                                    keys_of() if keys is None else keys))


def critique(logits=None, features=None, **heads):
  size = next(len(x) for x in (logits, features, *heads.values())
              if x is not None)
  if isinstance(logits, (list, type(None))):
    logits = np.float32(logits or np.zeros(size))
  return Critique(logits, features, heads)


def call(function, **available):
  """`terms.call`, compiled: quicker than one operation after the other."""
  if 'critic' in available:
    available = dict(fake_critic=available['critic'], critique=None) | available
  fixed = {k: v for k, v in available.items() if v is None or callable(v)}
  arrays = {k: v for k, v in available.items() if k not in fixed}
  found = jax.jit(lambda arrays: terms.call(
      function, **jax.tree.map(jnp.asarray, arrays), **fixed))(arrays)
  return jax.tree.map(np.asarray, found)


LABEL = np.array([2, 0, 1, 2, 0], np.int32)
K = 3


def cross_entropy(logits, classes):
  logits = np.float64(logits)
  return np.array([np.log(np.exp(row).sum()) - row[y]
                   for row, y in zip(logits, np.asarray(classes), strict=True)])
