"""Losses of single examples, or of pairs of a real and a generated one.

sp is softplus. `ebgan` and `began` need an autoencoder as discriminator, whose
logits are reconstruction errors [B] >= 0, small for real-looking images.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import nn

from gan_jax.base.lookup import is_plain

_LOG2 = 0.6931471805599453


class Loss(NamedTuple):
  """A loss of both players, before the mean over the batch.

  disc, gen: (real [B], fake [B]) -> [B], of logits of real and of generated
    examples; with a memory (real, fake, memory) -> [B].
  memory: initial float32 scalars, kept from update to update in the state.
  remember: (memory, real, fake) -> memory, after D's update. Must use
    `batch_mean` or `batch_all`, so that devices agree.
  inputs: 'logits' (real and fake are [B]) or 'features' ([B, F]).
  needs: 'autoencoder' if the logits are reconstruction errors, 'many_logits' if
    the features must be logits; the attribute of discriminators that have them;
    'nothing' if it trains no logits.
  relative: whether disc ignores a constant added to all logits, so that their
    sign means nothing.
  """

  disc: Callable
  gen: Callable
  memory: dict = {}
  remember: Callable | None = None
  inputs: str = 'logits'
  needs: str = ''
  relative: bool = False


def none() -> Loss:
  """No adversarial loss: each player learns by its terms alone."""
  return Loss(disc=lambda real, fake: jnp.zeros_like(real),
              gen=lambda real, fake: jnp.zeros_like(fake), needs='nothing',
              relative=True)


def minimax() -> Loss:
  """Saturating GAN loss.  Goodfellow et al. 2014, arXiv:1406.2661, eq. 1.

  disc: sp(-real) + sp(fake);  gen: -sp(fake), i.e. log(1 - D(G(z))), whose
  gradient vanishes when the discriminator wins. TF-GAN's gen has a constant
  more, the loss of real logits of 1; mimicry's "minimax" is `non_saturating`.
  """
  return Loss(disc=non_saturating().disc,
              gen=lambda real, fake: -nn.softplus(fake))


def non_saturating(*, label_smoothing: float = 0.0) -> Loss:
  """Non-saturating loss (BCE).  Goodfellow et al. 2014, 1406.2661, sec. 3.

  disc: (1-s) sp(-real) + s sp(real) + sp(fake);  gen: sp(-fake). With
  `label_smoothing` s in [0, 1) the target of real images is 1 - s (one-sided:
  Salimans et al. 2016, arXiv:1606.03498, 3.4).
  """
  if is_plain(label_smoothing) and not 0.0 <= label_smoothing < 1.0:
    raise ValueError(f'label_smoothing {label_smoothing} is not in [0, 1)')

  def disc(real, fake):
    # (1-s) sp(-a) + s sp(a) = sp(-a) + s a
    return nn.softplus(-real) + label_smoothing * real + nn.softplus(fake)

  return Loss(disc, gen=lambda real, fake: nn.softplus(-fake))


def disc_only() -> Loss:
  """`non_saturating` for D; G has no adversarial loss.

  disc: sp(-real) + sp(fake);  gen: 0. G learns by its terms, such as
  `feature_matching` (Salimans et al. 2016, arXiv:1606.03498, section 3.1), in
  whose features the paper's G has its whole objective.
  """
  return Loss(disc=non_saturating().disc,
              gen=lambda real, fake: jnp.zeros_like(fake))


def wasserstein() -> Loss:
  """Wasserstein loss (WGAN).  Arjovsky et al. 2017, arXiv:1701.07875.

  disc: fake - real;  gen: -fake.  Needs `disc_weight_clip` (as in the paper) or
  a penalty, to make the critic Lipschitz.
  """
  return Loss(disc=lambda real, fake: fake - real,
              gen=lambda real, fake: -fake, relative=True)


def least_squares(*, real_target: float = 1.0, fake_target: float = 0.0,
                  gen_target: float = 1.0) -> Loss:
  """Least squares on logits (LSGAN).  Mao et al. 2017, arXiv:1611.04076, eq. 2.

  disc: 1/2 (real - b)^2 + 1/2 (fake - a)^2;  gen: 1/2 (fake - c)^2, with b, a,
  c in the order of the arguments. b - c = 1, b - a = 2 minimises Pearson chi^2.
  """
  def disc(real, fake):
    return 0.5 * ((real - real_target) ** 2 + (fake - fake_target) ** 2)

  return Loss(disc, gen=lambda real, fake: 0.5 * (fake - gen_target) ** 2)


def hinge() -> Loss:
  """Hinge loss on logits.  Lim & Ye 2017, arXiv:1705.02894.

  disc: relu(1 - real) + relu(1 + fake);  gen: -fake.
  """
  def disc(real, fake):
    return nn.relu(1.0 - real) + nn.relu(1.0 + fake)

  return Loss(disc, gen=lambda real, fake: -fake)


def hinge_each() -> Loss:
  """Hinge loss of many logits for an example.  Sauer et al. 2021, 2111.01007.

  Of features [B, K] that are logits, as of `extractors.projected`. disc: mean
  over K of relu(1 - real) + relu(1 + fake);  gen: -mean of fake.
  """
  each = hinge()
  return Loss(disc=lambda real, fake: each.disc(real, fake).mean(-1),
              gen=lambda real, fake: each.gen(real, fake).mean(-1),
              inputs='features', needs='many_logits')


def relativistic() -> Loss:
  """Relativistic loss of pairs (RpGAN).  Jolicoeur-Martineau 2018, 1807.00734.

  disc: sp(-(real - fake));  gen: sp(-(fake - real)).
  """
  return Loss(disc=lambda real, fake: nn.softplus(fake - real),
              gen=lambda real, fake: nn.softplus(real - fake), relative=True)


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
  """Loss of an f-divergence (f-GAN).  Nowozin et al. 2016, arXiv:1606.00709.

  Equation 7, table 2.  disc: -g(real) + f*(g(fake)), which bounds
  -D_f(real || generated) from above (kl is KL(real || generated));  gen:
  -f*(g(fake)) ('saturating', eq. 7) or -g(fake) ('alternative', 3.2).

    divergence          g(v)             f*(t)              f*(g(v))
    kl                  v                exp(t - 1)         exp(v - 1)
    reverse_kl          -exp(-v)         -1 - log(-t)       v - 1
    jensen_shannon      log 2 - sp(-v)   -log(2 - exp(t))   sp(v) - log 2
    pearson             v                t^2 / 4 + t        v^2 / 4 + v
    squared_hellinger   1 - exp(-v)      t / (1 - t)        exp(v) - 1

  All but jensen_shannon and pearson grow exponentially in the logits: they
  overflow beyond 88.
  """
  activation, conjugate = _DIVERGENCES[divergence]
  value = conjugate if gen == 'saturating' else activation
  return Loss(disc=lambda real, fake: conjugate(fake) - activation(real),
              gen=lambda real, fake: -value(fake))


def ebgan(*, margin: float = 10.0) -> Loss:
  """Energy-based loss (EBGAN).  Zhao et al. 2017, arXiv:1609.03126, eq. 1-2.

  disc: real + relu(margin - fake);  gen: fake, of reconstruction errors [B].
  The margin > 0 is in units of that error (10 on MNIST in the paper). The
  paper's pulling-away term is the penalty `pulling_away`.
  """
  if is_plain(margin) and not margin > 0.0:
    raise ValueError(f'margin {margin} is not positive')
  return Loss(disc=lambda real, fake: real + nn.relu(margin - fake),
              gen=lambda real, fake: fake, needs='autoencoder')


def began(*, gamma: float = 0.5, lambda_k: float = 0.001,
          batch_mean: Callable = jnp.mean) -> Loss:
  """Boundary equilibrium loss (BEGAN).  Berthelot et al. 2017, 1703.10717.

  Section 3.4.  disc: real - k fake;  gen: fake, of reconstruction errors [B].
  After each update of D k += lambda_k (gamma E real - E fake), clipped to [0,
  1], from k = 0; lambda_k >= 0. gamma in [0, 1] is E fake / E real at the
  equilibrium. The paper takes the fake errors of G's update in that rule, here
  they are D's.
  """
  if is_plain(gamma) and not 0.0 <= gamma <= 1.0:
    raise ValueError(f'gamma {gamma} is not in [0, 1]')
  if is_plain(lambda_k) and not lambda_k >= 0.0:
    raise ValueError(f'lambda_k {lambda_k} is negative')

  def disc(real, fake, memory):
    return real - memory['k'].astype(fake.dtype) * fake

  def remember(memory, real, fake):
    real, fake = (batch_mean(x.astype(jnp.float32)) for x in (real, fake))
    k = memory['k'] + lambda_k * (gamma * real - fake)
    return {'k': jnp.clip(k, 0.0, 1.0)}

  return Loss(disc, gen=lambda real, fake, memory: fake,
              memory={'k': np.float32(0.0)}, remember=remember,
              needs='autoencoder')
