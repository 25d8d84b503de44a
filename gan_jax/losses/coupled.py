"""Losses of the whole batch, over all devices.

sp is softplus, E the batch mean.
"""

from collections.abc import Callable
from typing import Literal

import jax.numpy as jnp
import numpy as np
from jax import lax, nn

from gan_jax.base.lookup import is_plain
from gan_jax.losses import independent
from gan_jax.losses.independent import Loss


def _one_device(x):
  return x


def relativistic_average(*, batch_mean: Callable = jnp.mean) -> Loss:
  """Relativistic average loss (RaGAN).  Jolicoeur-Martineau 2018, 1807.00734.

  disc: 1/2 [sp(-(real - E fake)) + sp(fake - E real)];
  gen: mirrored. Halved as in the authors' code, to have the scale of
  `relativistic`; TF-GAN's "relativistic" loss is this one, not halved.
  """
  return _average(lambda above: nn.softplus(-above), batch_mean)


def relativistic_average_least_squares(
    *, batch_mean: Callable = jnp.mean) -> Loss:
  """Relativistic average least squares.  Jolicoeur-Martineau 2018, 1807.00734.

  disc: 1/2 [(real - E fake - 1)^2 + (fake - E real + 1)^2];
  gen: mirrored. Halved as `relativistic_average`.
  """
  return _average(lambda above: (above - 1.0) ** 2, batch_mean)


def relativistic_average_hinge(*, batch_mean: Callable = jnp.mean) -> Loss:
  """Relativistic average hinge loss.  Jolicoeur-Martineau 2018, 1807.00734.

  disc: 1/2 [relu(1 - (real - E fake)) + relu(1 + (fake - E real))];
  gen: mirrored. Halved as `relativistic_average`.
  """
  return _average(lambda above: nn.relu(1.0 - above), batch_mean)


def _average(cost, batch_mean):
  """1/2 [cost(real - E fake) + cost(E real - fake)], and mirrored."""
  def disc(real, fake):
    return 0.5 * (cost(real - batch_mean(fake)) + cost(batch_mean(real) - fake))

  return Loss(disc, gen=lambda real, fake: disc(fake, real), relative=True)


def softmax_gan(*, batch_all: Callable = _one_device) -> Loss:
  """Softmax over the batch (Softmax GAN).  Lin 2017, arXiv:1704.06191.

  disc: log Z - real;  gen: log Z - 1/2 (real + fake), where Z is the sum of
  exp(logit) over all real and generated examples. The logits are the negative
  of the paper's energies mu.
  """
  def log_partition(real, fake):
    return nn.logsumexp(batch_all(jnp.concatenate([real, fake])))

  def gen(real, fake):
    return log_partition(real, fake) - 0.5 * (real + fake)

  return Loss(disc=lambda real, fake: log_partition(real, fake) - real, gen=gen,
              relative=True)


def dual_contrastive(*, batch_all: Callable = _one_device) -> Loss:
  """Dual contrastive loss.  Yu et al. 2021, arXiv:2103.16748.

  disc: log(1 + sum_j exp(fake_j - real_i)) + log(1 + sum_j exp(fake_i -
    real_j));
  gen: -disc, as in the paper's min-max.
  """
  def disc(real, fake):
    against_fakes = nn.softplus(nn.logsumexp(batch_all(fake)) - real)
    against_reals = nn.softplus(nn.logsumexp(-batch_all(real)) + fake)
    return against_fakes + against_reals

  return Loss(disc, gen=lambda real, fake: -disc(real, fake), relative=True)


def mmd(*, bandwidths: tuple = (1.0, 2.0, 4.0, 8.0, 16.0),
        batch_all: Callable = _one_device) -> Loss:
  """Kernel distance of D's features (MMD-GAN).  Li et al. 2017, 1705.08584.

  The unbiased estimate of MMD^2 between features x, y [B, F] of real and of
  generated examples (Gretton et al. 2012, eq. 3), as the mean over i of

    1/(B-1) sum_{j != i} [k(x_i, x_j) + k(y_i, y_j)] - 2/B sum_j k(x_i, y_j),

  k(x, y) = sum_s exp(-|x - y|^2 / (2 s^2)), s > 0 the `bandwidths`. gen
  minimises it, disc its negative. Departures: no autoencoder that keeps the
  features injective, no feasible set reduction; the authors' code takes the
  root of the biased estimate. Bound the features by weight clipping (theirs is
  to 0.01): gradient penalties act on the logits, which this loss does not
  train.

  Needs [B, B, F] operations, for exact differences: F up to some hundreds.

  Raises:
    ValueError: invalid bandwidths; at a call, a batch of one example.
  """
  if not bandwidths or not all(s > 0.0 for s in bandwidths):
    raise ValueError(f'bandwidths {bandwidths} must be one or more, positive')

  def kernel(x, y):
    """[b, F], [B, F] -> [b, B]."""
    squares = jnp.sum((x[:, None] - y[None]) ** 2, axis=-1)
    return sum(jnp.exp(squares / (-2.0 * s ** 2)) for s in bandwidths)

  def gen(real, fake):
    x, y = real.astype(jnp.float32), fake.astype(jnp.float32)
    all_x, all_y = batch_all(x), batch_all(y)
    count = all_x.shape[0]
    if count < 2:
      raise ValueError('mmd compares examples: batch_size must be 2 or more')
    # An example with itself, which the sums leave out, is exactly 1 per s.
    within = (jnp.sum(kernel(x, all_x) + kernel(y, all_y), axis=1)
              - 2.0 * len(bandwidths))
    across = jnp.sum(kernel(x, all_y), axis=1)
    value = within / (count - 1) - across * (2.0 / count)
    return value.astype(fake.dtype)

  return Loss(disc=lambda real, fake: -gen(real, fake), gen=gen,
              inputs='features')


def top_k(*, base: Literal['non_saturating', 'hinge', 'wasserstein', 'minimax',
                           'least_squares'] = 'non_saturating',
          fraction: float = 0.5, decay: float = 0.99, decay_every: int = 1000,
          batch_all: Callable = _one_device) -> Loss:
  """Trains G on its best images only (top-k).  Sinha et al. 2020, 2002.06224.

  disc: that of `base`;  gen: that of `base` over the k generated examples of
  the highest logits, times B / k, and 0 over the others, so that the batch mean
  is the mean over the chosen. k = floor(B max(decay^n, fraction)), at least 1,
  n = updates of D // decay_every (the paper: once an epoch). decay and
  fraction, the paper's gamma and nu, are in (0, 1]. All ties are chosen.
  """
  for name, value in {'fraction': fraction, 'decay': decay}.items():
    if is_plain(value) and not 0.0 < value <= 1.0:
      raise ValueError(f'{name} {value} is not in (0, 1]')
  if decay_every < 1:
    raise ValueError(f'decay_every {decay_every} is not 1 or more')
  loss = getattr(independent, base)()

  def gen(real, fake, memory):
    # The choice is made, not differentiated.
    everyone = batch_all(lax.stop_gradient(fake))
    count = everyone.shape[0]
    epochs = jnp.floor(memory['updates'] / decay_every)
    share = jnp.maximum(decay ** epochs, fraction)
    # 200 * 0.53 is below 106 in float32.
    k = jnp.floor(count * share * (1.0 + 1e-6))
    k = jnp.clip(k, 1.0, count).astype(jnp.int32)
    border = jnp.sort(everyone)[count - k]
    chosen = everyone >= border
    scale = (count / jnp.sum(chosen)).astype(fake.dtype)
    return jnp.where(fake >= border, scale * loss.gen(real, fake),
                     jnp.zeros_like(fake))

  return Loss(
      disc=lambda real, fake, memory: loss.disc(real, fake), gen=gen,
      memory={'updates': np.float32(0.0)}, relative=loss.relative,
      remember=lambda memory, real, fake: {'updates': memory['updates'] + 1.0})
