"""Adversarial losses: one factory each, logits in, unreduced values out.

Every factory returns `Loss(disc, gen)`. Both halves take the raw logits of real
and of generated images, `(real [B], fake [B]) -> [B]`, so that relativistic
losses need no special case; the step takes the mean. A factory may ask for
`batch_mean`, the mean over the examples of all devices.

sp is softplus, E the batch mean.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax import nn


class Loss(NamedTuple):
  """What each player minimises: (real logits [B], fake logits [B]) -> [B]."""

  disc: Callable
  gen: Callable


def minimax() -> Loss:
  """Saturating loss.  Goodfellow et al. 2014, arXiv:1406.2661, eq. 1.

  disc: sp(-real) + sp(fake);  gen: -sp(fake), i.e. log(1 - D(G(z))).
  Its generator gradient vanishes where the discriminator wins.
  """
  def gen(real, fake):
    del real
    return -nn.softplus(fake)

  return Loss(non_saturating().disc, gen)


def non_saturating(*, label_smoothing: float = 0.0) -> Loss:
  """Non-saturating loss.  Goodfellow et al. 2014, section 3.

  disc: (1-s) sp(-real) + s sp(real) + sp(fake);  gen: sp(-fake).

  Args:
    label_smoothing: s in [0, 1): the target for real images is 1 - s, that for
      generated ones stays 0 (Salimans et al. 2016, arXiv:1606.03498, 3.4).

  Raises:
    ValueError: s outside [0, 1).
  """
  if not 0.0 <= label_smoothing < 1.0:
    raise ValueError(f'label_smoothing {label_smoothing} is not in [0, 1)')

  def disc(real, fake):
    # (1-s) sp(-a) + s sp(a) = sp(-a) + s a
    return nn.softplus(-real) + label_smoothing * real + nn.softplus(fake)

  def gen(real, fake):
    del real
    return nn.softplus(-fake)

  return Loss(disc, gen)


def wasserstein() -> Loss:
  """Critic loss.  Arjovsky et al. 2017, arXiv:1701.07875, eq. 3.

  disc: fake - real;  gen: -fake.  The critic must be made Lipschitz by
  `disc_weight_clip` (after the update, as in the paper) or by a penalty.
  """
  def disc(real, fake):
    return fake - real

  def gen(real, fake):
    del real
    return -fake

  return Loss(disc, gen)


def least_squares(*, real_target: float = 1.0, fake_target: float = 0.0,
                  gen_target: float = 1.0) -> Loss:
  """LSGAN on logits.  Mao et al. 2017, arXiv:1611.04076, eq. 2.

  disc: 1/2 (real - b)^2 + 1/2 (fake - a)^2;  gen: 1/2 (fake - c)^2.

  Args:
    real_target: b of the paper.
    fake_target: a.
    gen_target: c; b - c = 1, b - a = 2 minimises Pearson chi^2.
  """
  def disc(real, fake):
    return 0.5 * ((real - real_target) ** 2 + (fake - fake_target) ** 2)

  def gen(real, fake):
    del real
    return 0.5 * (fake - gen_target) ** 2

  return Loss(disc, gen)


def hinge() -> Loss:
  """Hinge loss.  Lim & Ye 2017, arXiv:1705.02894, eq. 8-9.

  disc: relu(1 - real) + relu(1 + fake);  gen: -fake.
  """
  def disc(real, fake):
    return nn.relu(1.0 - real) + nn.relu(1.0 + fake)

  return Loss(disc, wasserstein().gen)


def relativistic() -> Loss:
  """RpGAN, real and fake in pairs.  Jolicoeur-Martineau 2018, 1807.00734, 4.1.

  disc: sp(-(real - fake));  gen: sp(-(fake - real)).
  """
  def disc(real, fake):
    return nn.softplus(fake - real)

  def gen(real, fake):
    return nn.softplus(real - fake)

  return Loss(disc, gen)


def relativistic_average(*, batch_mean: Callable = jnp.mean) -> Loss:
  """RaGAN.  Jolicoeur-Martineau 2018, arXiv:1807.00734, section 4.2.

  disc: 1/2 [sp(-(real - E fake)) + sp(fake - E real)];  gen: mirrored.
  The paper's sum is halved, as in its code, to have RpGAN's scale.
  """
  def disc(real, fake):
    return 0.5 * (nn.softplus(batch_mean(fake) - real)
                  + nn.softplus(fake - batch_mean(real)))

  def gen(real, fake):
    return disc(fake, real)

  return Loss(disc, gen)
