"""Terms on logits, features and parameters."""

from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
from jax import nn

from gan_jax.penalties.term import Regulariser


def drift() -> Callable:
  """D(x)^2, which keeps a critic near 0.  Karras et al. 2018, 1710.10196, A.1.

  The paper's weight is 0.001.
  """
  def penalty(real_out):
    return real_out.logits ** 2

  return penalty


def lecam(*, decay: float = 0.99, start: int = 1000,
          batch_mean: Callable = jnp.mean) -> Regulariser:
  """LeCam: logits and the other side's average.  Tseng et al. 2021, 2104.03310.

  relu(real - average of fake)^2 + relu(average of real - fake)^2,
  with exponential averages of the logits, in the state. As in the authors' code
  it acts from update `start` on, and until then the averages are the last
  batch's. The paper's weight is 0.3.
  """
  def penalty(real_out, fake_out, memory):
    value = (nn.relu(real_out.logits - memory['fake']) ** 2
             + nn.relu(memory['real'] - fake_out.logits) ** 2)
    return jnp.where(memory['updates'] >= start, value, 0.0)

  def remember(memory, real_logits, fake_logits, step):
    del step
    keep = jnp.where(memory['updates'] < start, 0.0, decay)

    def average(old, logits):
      return keep * old + (1.0 - keep) * batch_mean(logits)

    return {'real': average(memory['real'], real_logits),
            'fake': average(memory['fake'], fake_logits),
            'updates': memory['updates'] + 1.0}

  return Regulariser(penalty, memory={'real': 0.0, 'fake': 0.0, 'updates': 0.0},
                     remember=remember)


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


def orthogonal(*, player: Literal['gen', 'disc', 'both'] = 'both'
               ) -> Regulariser:
  """|W^T W * (1 - I)|_F^2, over all kernels.  Brock et al. 2019, 1809.11096.

  Equation 3: the columns of each kernel, one for each output channel, become
  orthogonal and keep their norms. The paper's weight is 1e-4.
  """
  def penalty(params, keys):
    total = sum(_overlap(leaf) for leaf in jax.tree.leaves(params)
                if leaf.ndim >= 2)
    return jnp.full(keys.shape[:1], total)

  return Regulariser(disc=penalty if player != 'gen' else None,
                     gen=penalty if player != 'disc' else None)


def _overlap(kernel):
  columns = kernel.reshape(-1, kernel.shape[-1])
  gram = columns.T @ columns
  return jnp.sum((gram * (1.0 - jnp.eye(len(gram)))) ** 2)
