"""Terms that compare with what they remember."""

import math
from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
from jax import nn, random

from gan_jax.penalties.term import Regulariser


def lecam(*, decay: float = 0.99, start: int = 1000,
          batch_mean: Callable = jnp.mean) -> Regulariser:
  """LeCam: logits and the other side's average.  Tseng et al. 2021, 2104.03310.

  relu(real - average of fake)^2 + relu(average of real - fake)^2,
  with exponential averages of the logits, in the state. As in the authors' code
  for BigGAN it acts from update `start` on, and until then the averages are the
  last batch's; theirs include this batch, and decay by 0.9 there, by 0.99 for
  StyleGAN2. With a lazy interval only the updates in which it acts are
  averaged, and counted. The paper's weight is 0.3.
  """
  def penalty(real_out, fake_out, memory):
    value = (nn.relu(real_out.logits - memory['fake']) ** 2
             + nn.relu(memory['real'] - fake_out.logits) ** 2)
    keep = jnp.where(memory['updates'] < start, 0.0, decay)

    def average(old, logits):
      return keep * old + (1.0 - keep) * batch_mean(logits)

    return jnp.where(memory['updates'] >= start, value, 0.0), {
        'real': average(memory['real'], real_out.logits),
        'fake': average(memory['fake'], fake_out.logits),
        'updates': memory['updates'] + 1.0}

  return Regulariser(penalty, memory={'real': 0.0, 'fake': 0.0, 'updates': 0.0})


def historical_averaging(*, player: Literal['gen', 'disc', 'both'] = 'both'
                         ) -> Regulariser:
  """|params - their mean over time|^2.  Salimans et al. 2016, 1606.03498, 3.3.

  The mean is of the parameters before all earlier updates, 0 is the value in
  the first; with a lazy interval, of the updates in which it acts. The paper
  gives no weight.
  """
  def memory(params):
    return {'mean': jax.tree.map(jnp.zeros_like, params), 'updates': 0.0}

  def penalty(params, keys, memory):
    params = jax.tree.map(lambda p: p.astype(jnp.float32), params)
    gap = jax.tree.map(jnp.subtract, params, memory['mean'])
    total = sum(jnp.sum(leaf ** 2) for leaf in jax.tree.leaves(gap))
    updates = memory['updates'] + 1.0
    mean = jax.tree.map(lambda old, new: old + new / updates, memory['mean'],
                        gap)
    value = jnp.where(memory['updates'] > 0.0, total, 0.0)
    return (jnp.full(keys.shape[:1], value),
            {'mean': mean, 'updates': updates})

  return Regulariser(disc=penalty if player != 'gen' else None,
                     gen=penalty if player != 'disc' else None, memory=memory)


def path_length(*, decay: float = 0.01, eps: float = 1e-10,
                batch_mean: Callable = jnp.mean) -> Regulariser:
  """Path length of the generator.  Karras et al. 2020, 1912.04958, eq. 4.

  (|J^T y| - a)^2, J the derivative of the image by z and y ~ N(0, 1), for each
  example a draw; a is an exponential average of |J^T y|, in the state, from 0
  on. As in the authors' code y is divided by sqrt(H W), and a has seen the
  batch already; here no gradient goes through a. The paper's weight is 2, every
  4 updates.

  The paper's J is by the style; generators here have none, so that it is by z,
  whose scale it depends on. Batch norm in the generator couples the examples:
  J^T y is then of the whole batch's images by one z.

  Args:
    decay: share of the batch in a.
    eps: added under the square root, whose derivative is infinite at 0.
    batch_mean: supplied by the program.
  """
  def gen(generate, z, keys, memory):
    images, slope = jax.vjp(generate, z)
    shape = images.shape[1:]
    noise = jax.vmap(lambda key: random.normal(key, shape))(keys)
    noise /= math.sqrt(math.prod(shape[:-1]))
    (by_z,) = slope(noise.astype(images.dtype))
    length = jnp.sqrt(jnp.sum(by_z.astype(jnp.float32) ** 2, axis=-1) + eps)
    mean = memory['length'] + decay * (batch_mean(length) - memory['length'])
    # With packing there is a key for several latents.
    values = ((length - jax.lax.stop_gradient(mean)) ** 2).reshape(
        len(keys), -1)
    return jnp.mean(values, axis=-1), {'length': mean}

  return Regulariser(gen=gen, memory={'length': 0.0})
