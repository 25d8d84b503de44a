"""Adversarial losses: one factory each, logits in, unreduced values out.

Every factory returns a `Loss`. Both halves take the raw logits of real and of
generated images, `(real [B], fake [B]) -> [B]`, so that relativistic losses
need no special case; the step takes the mean. A factory may ask for what the
program supplies:

  batch_mean: x -> mean over the examples of all devices.
  batch_all: x [b, ...] of this device -> [B, ...] of all devices.

`independent` holds the losses whose value of an example depends on that example
(or pair) only, `coupled` those that look at the whole batch, `energy` those of
discriminators that are autoencoders. Whatever this file imports, a config can
name: factories only.

sp is softplus, E the batch mean.
"""

from gan_jax.losses.base import Loss
from gan_jax.losses.coupled import (
  dual_contrastive,
  mmd,
  relativistic_average,
  relativistic_average_hinge,
  relativistic_average_least_squares,
  softmax_gan,
  top_k,
)
from gan_jax.losses.energy import began, ebgan
from gan_jax.losses.independent import (
  fgan,
  hinge,
  least_squares,
  minimax,
  non_saturating,
  relativistic,
  wasserstein,
)

__all__ = [
  'Loss', 'began', 'dual_contrastive', 'ebgan', 'fgan', 'hinge',
  'least_squares', 'minimax', 'mmd', 'non_saturating', 'relativistic',
  'relativistic_average', 'relativistic_average_hinge',
  'relativistic_average_least_squares', 'softmax_gan', 'top_k', 'wasserstein',
]
