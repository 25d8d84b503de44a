"""Penalties on logits, features and parameters."""

from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
from jax import nn

from gan_jax.penalties.term import Regulariser

Player = Literal['gen', 'disc', 'both']


def drift() -> Callable:
  """Logits of real images near 0.  Karras et al. 2018, arXiv:1710.10196.

  D(x)^2. The paper's weight is 0.001.
  """
  return lambda real_out: real_out.logits ** 2


def lecam(*, decay: float = 0.99, start: int = 1000,
          batch_mean: Callable = jnp.mean) -> Regulariser:
  """Logits near the other side's average.  Tseng et al. 2021, arXiv:2104.03310.

  relu(real - average of fake)^2 + relu(average of real - fake)^2, with
  exponential averages of the logits. As in the authors' code for BigGAN it acts
  from update `start` on, until when the averages are the last batch's; theirs
  include this batch, and decay by 0.9 there, by 0.99 for StyleGAN2. With a lazy
  interval only the updates in which it acts are averaged and counted. The
  paper's weight is 0.3.
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


def feature_matching(*, distance: Literal['squared', 'absolute'] = 'squared',
                     batch_all: Callable = lambda x: x) -> Regulariser:
  """Equal means of D's features.  Salimans et al. 2016, arXiv:1606.03498, 3.1.

  |E f(real) - E f(fake)|^2 for the generator, over the examples of all devices;
  f are the features of the discriminator before its last layer. 'absolute' is
  the mean over the features of |E f(real) - E f(fake)|, as in the authors' code
  of `multi_hinge` and in StudioGAN.
  """
  if distance not in ('squared', 'absolute'):
    raise ValueError(f"distance {distance!r} must be 'squared' or 'absolute'")

  def gen(real_out, fake_out):
    means = [jnp.mean(batch_all(out.features.astype(jnp.float32)), axis=0)
             for out in (real_out, fake_out)]
    gap = means[0] - means[1]
    value = (jnp.sum(gap ** 2) if distance == 'squared'
             else jnp.mean(jnp.abs(gap)))
    return jnp.full(fake_out.logits.shape, value)

  return Regulariser(gen=gen)


def pulling_away(*, batch_all: Callable = lambda x: x) -> Regulariser:
  """Features of fakes that differ (EBGAN-PT).  Zhao et al. 2017, 1609.03126.

  Eq. 14: 1 / (N (N - 1)) sum over i and j != i of cos(f(x_i), f(x_j))^2, for
  the generator, over the N generated images of all devices; f are D's features:
  the code of an autoencoder in the paper (section 2.4), whose weight is 0.1.
  """
  def gen(fake_out):
    features = batch_all(fake_out.features.astype(jnp.float32))
    gram = features @ features.T
    squares = jnp.diag(gram)
    cosines = gram ** 2 / (squares[:, None] * squares[None, :] + 1e-12)
    count = len(features)
    total = jnp.sum(cosines * (1.0 - jnp.eye(count)))
    return jnp.full(fake_out.logits.shape, total / max(count * (count - 1), 1))

  return Regulariser(gen=gen)


def orthogonal(*, player: Player = 'both') -> Regulariser:
  """Orthogonal columns of all kernels.  Brock et al. 2019, arXiv:1809.11096.

  Eq. 3, |W^T W * (1 - I)|_F^2, for all kernels but embeddings, as in the
  authors' code; norms are free. The paper's weight is 1e-4, for G. In that code
  (and StudioGAN's) the gradient is half of this norm's.
  """
  def penalty(params, keys):
    total = sum(_overlap(leaf) for path, leaf in
                jax.tree_util.tree_leaves_with_path(params) if leaf.ndim >= 2
                and path[-1:] != (jax.tree_util.DictKey('embedding'),))
    return jnp.full(keys.shape[:1], total)

  return _for_players(player, penalty)


def _overlap(kernel):
  columns = kernel.reshape(-1, kernel.shape[-1])
  rows, count = columns.shape
  if 2 * rows <= count:
    # |W^T W| = |W W^T|, which is smaller for thousands of columns; without
    # cancellation there.
    squares = jnp.sum(columns ** 2, axis=0)
    return jnp.sum((columns @ columns.T) ** 2) - jnp.sum(squares ** 2)
  gram = columns.T @ columns
  return jnp.sum((gram * (1.0 - jnp.eye(len(gram)))) ** 2)


def historical_averaging(*, player: Player = 'both') -> Regulariser:
  """Weights near their mean over time.  Salimans et al. 2016, 1606.03498, 3.3.

  |params - mean|^2, the mean over all earlier updates, 0 in the first; with a
  lazy interval, over those in which it acts. The paper gives no weight.
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

  return _for_players(player, penalty, memory=memory)


def _for_players(player, penalty, **more):
  return Regulariser(disc=penalty if player != 'gen' else None,
                     gen=penalty if player != 'disc' else None, **more)
