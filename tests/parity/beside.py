"""One function in two programs: values, gradients, the row of the table.

Arrays are float64 on both sides; a function maps them to one number, or to an
array whose weighted sum (by _WEIGHTS) is taken, so that signs and places count.
"""

import contextlib
import importlib
import inspect
import json
import os

import jax
import jax.numpy as jnp
import numpy as np
from peers import Peer

# A JSON line for each row goes here, if set.
RESULTS = 'PARITY_RESULTS'


def draw(seed, *shape):
  """N(0, 1), float64."""
  return np.random.default_rng(seed).normal(size=shape)


def _weights(count):
  return np.cos(np.arange(count) + 0.5)


def by_jax(function, *arrays):
  """(value, gradients) of our function of float64 arrays."""
  def total(*arrays):
    out = jnp.asarray(function(*arrays), jnp.float64)
    value = out if out.ndim == 0 else jnp.sum(
        out.ravel() * jnp.asarray(_weights(out.size)))
    return value, out

  with jax.enable_x64(True):
    arrays = [jnp.asarray(x, jnp.float64) for x in arrays]
    (_, out), slopes = jax.value_and_grad(
        total, argnums=tuple(range(len(arrays))), has_aux=True)(*arrays)
    return np.asarray(out), [np.asarray(x) for x in slopes]


def by_torch(function, *arrays):
  """(value, gradients) of a PyTorch function of float64 tensors."""
  import torch
  leaves = [torch.tensor(np.asarray(x), dtype=torch.float64,
                         requires_grad=True) for x in arrays]
  out = function(*leaves)
  total = out if out.ndim == 0 else (
      out.reshape(-1) * torch.tensor(_weights(out.numel()))).sum()
  slopes = torch.autograd.grad(total, leaves, allow_unused=True)
  return out.detach().numpy(), [
      np.zeros(x.shape) if slope is None else slope.numpy()
      for x, slope in zip(leaves, slopes, strict=True)]


def by_tensorflow(function, *arrays, dtype='float64'):
  """(value, gradients) of a TensorFlow function, in a graph as TF-GAN needs."""
  import tensorflow as tf
  with tf.Graph().as_default():
    leaves = [tf.constant(np.asarray(x, dtype)) for x in arrays]
    out = function(*leaves)
    total = out if out.shape.rank == 0 else tf.reduce_sum(
        tf.reshape(out, [-1]) * tf.constant(_weights(
            out.shape.num_elements()).astype(dtype)))
    slopes = [tf.zeros_like(x) if slope is None else slope for x, slope in zip(
        leaves, tf.gradients(total, leaves), strict=True)]
    with tf.compat.v1.Session() as session:
      session.run(tf.compat.v1.global_variables_initializer())
      value, *slopes = session.run([out, *slopes])
  return value, slopes


def difference(found, wanted) -> float:
  """Largest difference of two arrays, over the largest entry of the second."""
  found, wanted = (np.asarray(x, np.float64) for x in (found, wanted))
  assert found.shape == wanted.shape, (found.shape, wanted.shape)
  assert np.isfinite(wanted).all()
  # Where theirs is 0, so is the scale; ours must be 0 too.
  return float(np.abs(found - wanted).max() / (np.abs(wanted).max() or 1.0))


def check(ours: str, peer, place: str, found, wanted, *, most: float = 1e-12,
          decision: str = '', explained=None, remark: str = '') -> None:
  """Asserts what the row of a comparison says, and writes it down.

  Args:
    ours: our function, as `losses.independent.hinge`.
    peer: a `Peer`, or the name and version of a package.
    place: its file and function.
    found: (value, gradients or None) of ours.
    wanted: those of the peer.
    most: the largest difference that is rounding.
    decision: words of our docstring about the difference that there must then
      be; none if there must be no difference.
    explained: (found, wanted) after undoing what the decision is about, which
      must agree; needed with a decision.
    remark: for the table.
  """
  value, slopes = _differences(found, wanted)
  worst = max(value, slopes or 0.0)
  if decision:
    words = ' '.join(inspect.getdoc(_find(ours)).split())
    assert decision in words, f'{ours} does not say {decision!r}'
    assert worst > most, f'{ours} does not differ: {worst}'
    left = _differences(*explained)
    assert max(left[0], left[1] or 0.0) <= most, ('unexplained', left)
  else:
    assert worst <= most, (value, slopes)
  if os.environ.get(RESULTS):
    with open(os.environ[RESULTS], 'a') as file:
      file.write(json.dumps({
          'ours': ours, 'peer': peer.name if isinstance(peer, Peer) else peer,
          'place': place, 'link': peer.link if isinstance(peer, Peer) else '',
          'values': value, 'gradients': slopes, 'decision': decision,
          'remark': remark}) + '\n')


def _differences(found, wanted):
  return difference(found[0], wanted[0]), None if found[1] is None else max(
      difference(x, y) for x, y in zip(found[1], wanted[1], strict=True))


def scaled(pair, factor):
  """(value, gradients) times a number."""
  return np.multiply(pair[0], factor), [x * factor for x in pair[1]]


def _find(path):
  module, _, name = f'gan_jax.{path}'.rpartition('.')
  try:
    return getattr(importlib.import_module(module), name)
  except ModuleNotFoundError:  # A method: room.file.Class.method.
    module, _, kind = module.rpartition('.')
    return getattr(getattr(importlib.import_module(module), kind), name)


@contextlib.contextmanager
def given(module, **draws):
  """Draws of a module, given: {name of a function: arrays, one a call}.

  A result has the shape that is asked for, which is the first argument.
  """
  import torch
  old = {name: getattr(module, name) for name in draws}
  left = {name: list(values) for name, values in draws.items()}

  def source(name):
    def take(*args, **kwargs):
      value = torch.as_tensor(np.asarray(left[name].pop(0)))
      shape = kwargs.get('size') or args
      if len(shape) == 1 and not isinstance(shape[0], int):
        shape = shape[0].shape if hasattr(shape[0], 'shape') else shape[0]
      return value.reshape(tuple(shape))
    return take

  for name in draws:
    setattr(module, name, source(name))
  try:
    yield
    assert not any(left.values()), left
  finally:
    for name, function in old.items():
      setattr(module, name, function)
