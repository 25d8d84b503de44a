"""Classes of which only some are known."""

from collections.abc import Callable
from typing import Literal

import jax.numpy as jnp
import optax
from jax import nn

from gan_jax.penalties.heads import check_classes
from gan_jax.penalties.term import Regulariser


def semi_supervised(*, num_classes: int,
                    form: Literal['k', 'k_plus_1'] = 'k_plus_1',
                    batch_mean: Callable = jnp.mean) -> Regulariser:
  """Semi-supervised classes.  Salimans et al. 2016, arXiv:1606.03498, 5.

  The discriminator classifies; what it says of real and generated follows from
  its class logits l, for every adversarial loss, and its own logit is idle:

    k_plus_1: K + 1 classes, the last one is 'generated':
      logit = logsumexp(l_1 .. l_K) - l_{K+1};
    k: the same with l_{K+1} = 0: logit = logsumexp(l_1 .. l_K).

  disc: CE of l_1 .. l_K with the class, a mean over the real examples of the
  batch (of all devices) that have a label, 0 where none has; the others have
  the label -1. The paper trains the generator by `feature_matching` alone;
  beside it the adversarial loss goes on.
  """
  check_classes('semi_supervised', num_classes)
  if form not in ('k', 'k_plus_1'):
    raise ValueError(f"form {form!r} must be 'k' or 'k_plus_1'")

  def judge(out):
    logits = out.heads['semi_supervised']
    found = nn.logsumexp(logits[:, :num_classes], axis=-1)
    return found if form == 'k' else found - logits[:, num_classes]

  def disc(real_out, label):
    known = (label >= 0).astype(jnp.float32)
    logits = real_out.heads['semi_supervised'][:, :num_classes]
    values = optax.losses.softmax_cross_entropy_with_integer_labels(
        logits.astype(jnp.float32), jnp.maximum(label, 0))
    # Where none has a label all values are 0.
    return values * known / jnp.maximum(batch_mean(known), 1e-9)

  size = num_classes + (form == 'k_plus_1')
  return Regulariser(disc, heads=(('semi_supervised', size),), judge=judge,
                     missing_labels=True)
