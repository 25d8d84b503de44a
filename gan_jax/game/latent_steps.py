"""Steps of z towards what D takes for real, before G draws (LOGAN).

Factories of a `LatentStep`. Wu et al. 2019, https://arxiv.org/abs/1912.00953,
algorithm 1: with g = dD(G(z))/dz, of a sum over the batch, a step is

  z' = clip(z + move(g), -bound, bound),

and both players learn from G(z') through the step: its parameters are theirs.
Both losses get weight times the mean of |move(g)|^2 (eq. 17). Several steps are
made one after another. z is for training alone: samples and scores draw from
the prior.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp


class LatentStep(NamedTuple):
  """A step of z.

  move: (g [B, Z]) -> the change of z [B, Z].
  share: of the elements of z that move, drawn anew for each z; g is 0 in the
    others.
  weight: of the mean of |change|^2, in the losses of both players.
  bound: z is clipped to [-bound, bound], 0 for no bound.
  """

  move: Callable
  share: float
  weight: float
  bound: float


def natural(*, rate: float = 0.9, damping: float = 5.0, share: float = 0.5,
            weight: float = 300.0, bound: float = 1.0) -> LatentStep:
  """Natural gradient (LOGAN).  Wu et al. 2019, arXiv:1912.00953, eq. 16.

  rate g / (damping + |g|^2): the inverse of the Fisher matrix g g^T + damping I
  times g. The constants are those of BigGAN-deep for ImageNet.
  PyTorch-StudioGAN has a damping of 0.1, a share of 0.8 and a weight of 0.1 for
  CIFAR-10; there a share is one of latents, which move whole or not at all, and
  the weight is of their change even where they do not move.

  Raises:
    ValueError: a number is out of range.
  """
  _above(rate=rate, damping=damping)
  return _checked(LatentStep(
      lambda g: rate * g / (damping + jnp.sum(g ** 2, -1, keepdims=True)),
      share, weight, bound))


def gradient(*, rate: float = 0.01, share: float = 1.0, weight: float = 3.0,
             bound: float = 1.0) -> LatentStep:
  """Plain gradient, rate g.  Wu et al. 2019, arXiv:1912.00953, eq. 4.

  Rate and weight are those of CS-GAN, which it is of (Wu et al. 2019,
  arXiv:1905.06723; deepmind-research/cs_gan: there three steps, whose weight is
  in the generator's loss, and a rate that is learnt).

  Raises:
    ValueError: a number is out of range.
  """
  _above(rate=rate)
  return _checked(LatentStep(lambda g: rate * g, share, weight, bound))


def _checked(step: LatentStep) -> LatentStep:
  """Raises ValueError for a share, weight or bound that cannot be."""
  if not 0 < step.share <= 1:
    raise ValueError(f'share={step.share} must be above 0, and 1 at most')
  if step.weight < 0 or step.bound < 0:
    raise ValueError(f'weight={step.weight} and bound={step.bound} must be 0 '
                     'or more')
  return step


def _above(**numbers):
  for name, number in numbers.items():
    if not number > 0:
      raise ValueError(f'{name}={number} must be above 0')
