"""Latents of given examples, by gradient descent on what they generate."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import random
from jax.tree_util import Partial

from gan_jax.ops.keys import per_example


class Inversion(NamedTuple):
  """The latents found for N examples.

  u: [N, S, Z], of S starts, the best first.
  loss: [N, S].
  found: [N, ...], what the best generate.
  error: [N], mean squared difference per number of the best.
  """

  u: jax.Array
  loss: jax.Array
  found: jax.Array
  error: jax.Array


def squared(found, x):
  """Sum of squares: found and x [...] -> []."""
  return jnp.sum((found - x) ** 2)


@partial(jax.jit, static_argnames=(
    'size', 'starts', 'candidates', 'steps', 'chunk'))
def search(decode, loss, target, label, key, *, size: int, first=None,
           prior: float = 0.0, starts: int = 4, candidates: int = 256,
           steps: int = 200, rate: float = 0.1, chunk: int = 50):
  """Minimises loss(decode(u), target) + prior |u|^2 of each example.

  Adam, whose rate falls to 0 by a cosine, from those of many random latents
  that have the lowest loss. Random starts alone often end in the wrong digit.

  Args:
    decode: see `gan_jax.inference`.
    loss: a Partial (example [...], target of one) -> [].
    target: a tree of [N, ...], what the loss compares with.
    label: [N] or [N, L].
    key: PRNG key.
    size: Z, numbers in a latent.
    first: [N, Z] latents to start from too, in place of one; None for none.
    prior: weight of |u|^2; of a sum of squares, sigma^2 makes this the most
      probable u under noise of deviation sigma.
    starts: S, descents of each example.
    candidates: random latents, S or more.
    steps: of each descent.
    rate: of Adam, at the start.
    chunk: examples at a time.

  Returns:
    (u [N, S, Z], loss [N, S], decode(u) [N, S, ...]), the best first.
  """
  optimizer = optax.adam(optax.cosine_decay_schedule(rate, steps))

  def one(inputs):
    target, label, key, first = inputs

    def losses(u):
      found = decode(u, jnp.broadcast_to(label, (len(u), *label.shape)))
      value = jax.vmap(loss, (0, None))(found, target)
      return value + prior * jnp.sum(u ** 2, axis=1), found

    def descend(carry, _):
      u, state = carry
      # Each has its own gradient in that of the sum.
      slope = jax.grad(lambda u: losses(u)[0].sum())(u)
      change, state = optimizer.update(slope, state)
      return (u + change, state), None

    u = random.normal(key, (candidates, size))
    # Few at a time: no more memory than the descents need.
    first_loss = jax.lax.map(lambda u: losses(u[None])[0][0], u,
                             batch_size=starts)
    u = u[jnp.argsort(first_loss)[:starts]]
    if first is not None:
      u = u.at[-1].set(first)
    (u, _), _ = jax.lax.scan(descend, (u, optimizer.init(u)), length=steps)
    value, found = losses(u)
    order = jnp.argsort(value)
    return u[order], value[order], found[order]

  keys = per_example(key, jnp.arange(len(label)))
  return jax.lax.map(one, (target, label, keys, first), batch_size=chunk)


@partial(jax.jit, static_argnames='chunk')
def each(function, x, label, chunk: int = 100):
  """function(x, label) of N examples, a Partial of batches, by chunks."""
  return jax.lax.map(lambda inputs: function(
      *jax.tree.map(lambda a: a[None], inputs))[0], (x, label),
                     batch_size=chunk)


def invert(decode, x, label, key, *, size: int, prior: float = 0.01,
           **how) -> Inversion:
  """Latents whose images are nearest to x [N, ...], by squared error.

  Args:
    decode: see `gan_jax.inference`.
    x: [N, ...].
    label: [N] or [N, L].
    key: PRNG key.
    size: Z, numbers in a latent.
    prior: weight of |u|^2 beside the sum of squares, that of noise of deviation
      0.1 by default.
    **how: further arguments of `search`.
  """
  u, loss, found = search(decode, Partial(squared), x, label, key, size=size,
                          prior=prior, **how)
  return Inversion(u, loss, found[:, 0], errors(x, found[:, 0]))


def errors(x, found):
  """Mean squared differences [N] of examples [N, ...]."""
  return jnp.mean((x - found).reshape(len(x), -1) ** 2, axis=1)


def noise_of(x, found, size: int) -> float:
  """Deviation of the noise around what a decoder says best of x [N, D].

  sqrt(sum (x - found)^2 / N (D - Z)): the Z numbers of u were fitted, as in a
  regression.

  Raises:
    ValueError: D is not above Z, with which any x might be fitted exactly.
  """
  numbers = x[0].size
  if numbers <= size:
    raise ValueError(f'sigma cannot be found of {numbers} numbers by a latent '
                     f'of {size}; give it')
  total = jnp.mean(errors(x, found)) * numbers / (numbers - size)
  return max(float(jnp.sqrt(total)), 1e-6)
