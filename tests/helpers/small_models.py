"""Networks of the smallest sizes, their inputs and variables."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import random

from gan_jax import models
from gan_jax.base import lookup

ROOM = 'gan_jax.models'
# `table` makes rows of tables only, `none` is no network; the others have
# layers of their own, which no norm, activation or weight norm changes.
_OTHERS = ('table', 'none', 'stylegan2', 'r3gan')
GENERATORS, DISCRIMINATORS = (
    [name for name in lookup.names(ROOM, kind)
     if name.partition('.')[0] not in _OTHERS]
    for kind in ('Generator', 'Discriminator'))
KEY = random.key(0)
# Smallest that keep the shape of the full networks.
TINY = {'dcgan': dict(width=4), 'mlp': dict(widths=(8, 6)),
        'pooling_cnn': dict(widths=(4, 5), dense=6),
        'resnet': dict(width=4, max_width=8),
        'biggan': dict(width=4, max_width=8),
        'biggan_deep': dict(width=4, max_width=8), 'sndcgan': dict(width=4),
        'gat': dict(width=8, depth=2),
        'autoencoder': dict(width=4, code=6)}
# Halve exactly, hence not 50x30.
RESIDUAL = ('resnet', 'biggan', 'biggan_deep')


def build(name, kind, *, shape=(8, 8, 1), image_range=(-1.0, 1.0),
          num_classes=3, dtype=jnp.float32, **kwargs):
  tiny = TINY.get(name.split('.')[0], {})
  return models.as_model(lookup.build(
      ROOM, dict(name=name, **{**tiny, **kwargs}), kind=kind, image_shape=shape,
      image_range=image_range, num_classes=num_classes, axis_name=None,
      dtype=dtype))


def inputs(kind, shape=(8, 8, 1), batch=4):
  size = (5,) if kind == 'Generator' else shape
  x = np.random.default_rng(1).normal(size=(batch, *size))
  return np.float32(x), np.arange(batch, dtype=np.int32) % 3


def changed(x, i, by):
  """A copy of an array whose i-th example is another."""
  x = np.array(x)
  x[i] += by
  return x


def count(params):
  return sum(x.size for x in jax.tree.leaves(params))


def abstract(model, x, label):
  """(params, output) as shapes; nothing is computed."""
  params, stats = jax.eval_shape(model.init, KEY, x, label)
  out, _ = jax.eval_shape(lambda *a: model.apply(*a, train=True), params, stats,
                          x, label)
  return params, out


def of_bfloat16(x):
  """Whether most numbers of an array are rounded to bfloat16."""
  rough = jnp.asarray(x).astype(jnp.bfloat16).astype(jnp.float32)
  return np.median(np.abs(rough / x - 1.0)) < 1e-5


def struct(*shape, dtype=jnp.float32):
  return jax.ShapeDtypeStruct(shape, dtype)


def struct_of(kind, shape, batch=4):
  size = (20,) if kind == 'Generator' else shape
  return struct(batch, *size), struct(batch, dtype=jnp.int32)


def networks():
  return ([(name, 'Generator') for name in GENERATORS]
          + [(name, 'Discriminator') for name in DISCRIMINATORS])


def some_variables(model, x, label):
  """Parameters and statistics in numpy, of a network after some training."""
  rng = np.random.default_rng(0)
  params, stats = jax.tree.map(
      lambda s: np.asarray(rng.normal(0.2, 0.3, s.shape), s.dtype),
      jax.eval_shape(model.init, KEY, x, label))
  return params, jax.tree.map(lambda s: np.abs(s) + 0.5, stats)


def forward(model, train=False):
  """Compiled: images of a generator, logits of a discriminator."""
  def run(params, stats, x, label):
    out, _ = model.apply(params, stats, x, label, train=train)
    return jax.tree.leaves(out)[0]

  return jax.jit(run)
