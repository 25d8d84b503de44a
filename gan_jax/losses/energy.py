"""Losses of a discriminator that is an autoencoder.

What stands for logits are reconstruction errors [B] >= 0, small where an image
looks real.
"""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jax import nn

from gan_jax.losses.base import Loss


def ebgan(*, margin: float = 10.0) -> Loss:
  """Energy-based GAN.  Zhao et al. 2016, arXiv:1609.03126, eq. 1-2.

  disc: real + relu(margin - fake);  gen: fake, of reconstruction errors [B].
  The paper's pulling-away term is a penalty: `pulling_away`.

  Args:
    margin: m of the paper (10 on MNIST), in units of the reconstruction error:
      beyond it a generated image is bad enough.

  Raises:
    ValueError: a margin that is not positive.
  """
  if not margin > 0.0:
    raise ValueError(f'margin {margin} is not positive')

  def disc(real, fake):
    return real + nn.relu(margin - fake)

  def gen(real, fake):
    del real
    return fake

  return Loss(disc, gen, needs='autoencoder')


def began(*, gamma: float = 0.5, lambda_k: float = 0.001,
          batch_mean: Callable = jnp.mean) -> Loss:
  """Boundary equilibrium GAN.  Berthelot et al. 2017, 1703.10717, section 3.4.

  disc: real - k fake;  gen: fake, of reconstruction errors [B]. After each
  update of the discriminator k += lambda_k (gamma E real - E fake), kept in
  [0, 1], from k = 0. The paper's fake errors in that rule are those of the
  generator's update, here they are those of the discriminator's.

  Args:
    gamma: diversity ratio in [0, 1]: E fake / E real at the equilibrium.
    lambda_k: rate of k for each update of the discriminator.
    batch_mean: supplied by the program.

  Raises:
    ValueError: gamma outside [0, 1] or a negative rate.
  """
  if not 0.0 <= gamma <= 1.0:
    raise ValueError(f'gamma {gamma} is not in [0, 1]')
  if not lambda_k >= 0.0:
    raise ValueError(f'lambda_k {lambda_k} is negative')

  def disc(real, fake, memory):
    return real - memory['k'].astype(fake.dtype) * fake

  def gen(real, fake, memory):
    del real, memory
    return fake

  def remember(memory, real, fake):
    balance = gamma * _mean(real) - _mean(fake)
    return {'k': jnp.clip(memory['k'] + lambda_k * balance, 0.0, 1.0)}

  def _mean(x):
    return batch_mean(x.astype(jnp.float32))

  return Loss(disc, gen, {'k': np.float32(0.0)}, remember, needs='autoencoder')
