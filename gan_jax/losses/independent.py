"""Losses of one example, or of one pair of a real and a generated one."""

from typing import Literal

import jax.numpy as jnp
from jax import nn

from gan_jax.losses.base import Loss

_LOG2 = 0.6931471805599453


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

  return Loss(disc, gen, relative=True)


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

  return Loss(disc, gen, relative=True)


# Of an output v: (the activation g, its conjugate f*(g)), the latter worked out
# so that no infinities cancel.
_DIVERGENCES = {
    'kl': (lambda v: v, lambda v: jnp.exp(v - 1.0)),
    'reverse_kl': (lambda v: -jnp.exp(-v), lambda v: v - 1.0),
    'jensen_shannon': (lambda v: _LOG2 - nn.softplus(-v),
                       lambda v: nn.softplus(v) - _LOG2),
    'pearson': (lambda v: v, lambda v: 0.25 * v ** 2 + v),
    'squared_hellinger': (lambda v: 1.0 - jnp.exp(-v),
                          lambda v: jnp.exp(v) - 1.0),
}


def fgan(*, divergence: Literal['kl', 'reverse_kl', 'jensen_shannon', 'pearson',
                                'squared_hellinger'] = 'jensen_shannon',
         gen: Literal['saturating', 'alternative'] = 'alternative') -> Loss:
  """f-GAN.  Nowozin et al. 2016, arXiv:1606.00709, eq. 6-8, tables 2 and 6.

  disc: -g(real) + f*(g(fake)), which bounds -D_f(real || generated) from above;
  gen: -f*(g(fake)) (saturating, eq. 6) or -g(fake) (alternative, 3.2).

    divergence          g(v)             f*(t)              f*(g(v))
    kl                  v                exp(t - 1)         exp(v - 1)
    reverse_kl          -exp(-v)         -1 - log(-t)       v - 1
    jensen_shannon      log 2 - sp(-v)   -log(2 - exp(t))   sp(v) - log 2
    pearson             v                t^2 / 4 + t        v^2 / 4 + v
    squared_hellinger   1 - exp(-v)      t / (1 - t)        exp(v) - 1

  All but jensen_shannon and pearson grow exponentially in the logits: they
  overflow beyond 88.

  Args:
    divergence: D_f; the direction of kl is KL(real || generated).
    gen: which of the two the generator minimises.
  """
  activation, conjugate = _DIVERGENCES[divergence]

  def disc_values(real, fake):
    return conjugate(fake) - activation(real)

  def gen_values(real, fake):
    del real
    return -(conjugate if gen == 'saturating' else activation)(fake)

  return Loss(disc_values, gen_values)
