"""Terms on logits, features and parameters."""

from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp

from gan_jax.penalties.term import Regulariser


def drift() -> Callable:
  """D(x)^2, which keeps a critic near 0.  Karras et al. 2018, 1710.10196, A.1.

  The paper's weight is 0.001.
  """
  def penalty(real_out):
    return real_out.logits ** 2

  return penalty


def feature_matching(*, batch_all: Callable = lambda x: x) -> Regulariser:
  """|E f(real) - E f(fake)|^2.  Salimans et al. 2016, 1606.03498, section 3.1.

  For the generator, over the examples of all devices; f are the features of the
  discriminator before its last layer.
  """
  def gen(real_out, fake_out):
    means = [jnp.mean(batch_all(out.features.astype(jnp.float32)), axis=0)
             for out in (real_out, fake_out)]
    distance = jnp.sum((means[0] - means[1]) ** 2)
    return jnp.full(fake_out.logits.shape, distance)

  return Regulariser(gen=gen)


def pulling_away(*, batch_all: Callable = lambda x: x) -> Regulariser:
  """Mean squared cosine of features.  Zhao et al. 2017, 1609.03126, eq. 4.

  1 / (N (N - 1)) sum over i and j != i of cos(f(x_i), f(x_j))^2, for the
  generator, over the N generated images of all devices; f are the features of
  the discriminator: the code of an autoencoder, as in the paper (section 2.4),
  whose weight is 0.1.
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


def orthogonal(*, player: Literal['gen', 'disc', 'both'] = 'both'
               ) -> Regulariser:
  """|W^T W * (1 - I)|_F^2, over all kernels.  Brock et al. 2019, 1809.11096.

  Equation 3: the columns of each kernel, one for each output channel, become
  orthogonal and keep their norms. As in the authors' code a table of embeddings
  is none. The paper's weight is 1e-4, for G.
  """
  def penalty(params, keys):
    total = sum(_overlap(leaf) for path, leaf in
                jax.tree_util.tree_leaves_with_path(params) if leaf.ndim >= 2
                and path[-1:] != (jax.tree_util.DictKey('embedding'),))
    return jnp.full(keys.shape[:1], total)

  return Regulariser(disc=penalty if player != 'gen' else None,
                     gen=penalty if player != 'disc' else None)


def _overlap(kernel):
  columns = kernel.reshape(-1, kernel.shape[-1])
  rows, count = columns.shape
  if 2 * rows <= count:
    # |W^T W| = |W W^T|, which is smaller: the first layer of a generator may
    # have thousands of columns. So many overlap, and no digits cancel.
    squares = jnp.sum(columns ** 2, axis=0)
    return jnp.sum((columns @ columns.T) ** 2) - jnp.sum(squares ** 2)
  gram = columns.T @ columns
  return jnp.sum((gram * (1.0 - jnp.eye(len(gram)))) ** 2)
