"""Losses in which the whole batch, of all devices, takes part."""

from collections.abc import Callable
from typing import Literal

import jax.numpy as jnp
import numpy as np
from jax import lax, nn

from gan_jax.losses import independent
from gan_jax.losses.base import Loss


def _itself(x):
  """The examples of all devices where there is one device."""
  return x


def relativistic_average(*, batch_mean: Callable = jnp.mean) -> Loss:
  """RaGAN.  Jolicoeur-Martineau 2018, arXiv:1807.00734, section 4.2.

  disc: 1/2 [sp(-(real - E fake)) + sp(fake - E real)];  gen: mirrored.
  The paper's sum is halved, as in its code, to have RpGAN's scale.
  """
  return _average(lambda above: nn.softplus(-above), batch_mean)


def relativistic_average_least_squares(
    *, batch_mean: Callable = jnp.mean) -> Loss:
  """RaLSGAN.  Jolicoeur-Martineau 2018, arXiv:1807.00734, appendix D.

  disc: 1/2 [(real - E fake - 1)^2 + (fake - E real + 1)^2];  gen: mirrored.
  Halved as `relativistic_average`.
  """
  return _average(lambda above: (above - 1.0) ** 2, batch_mean)


def relativistic_average_hinge(*, batch_mean: Callable = jnp.mean) -> Loss:
  """RaHingeGAN.  Jolicoeur-Martineau 2018, arXiv:1807.00734, appendix D.

  disc: 1/2 [relu(1 - (real - E fake)) + relu(1 + (fake - E real))];
  gen: mirrored. Halved as `relativistic_average`.
  """
  return _average(lambda above: nn.relu(1.0 - above), batch_mean)


def _average(cost, batch_mean):
  """1/2 [cost(real - E fake) + cost(E real - fake)] and its mirror image."""
  def disc(real, fake):
    return 0.5 * (cost(real - batch_mean(fake)) + cost(batch_mean(real) - fake))

  def gen(real, fake):
    return disc(fake, real)

  return Loss(disc, gen, relative=True)


def softmax_gan(*, batch_all: Callable = _itself) -> Loss:
  """Softmax GAN.  Lin 2017, arXiv:1704.06191, section 3.

  disc: log Z - real;  gen: log Z - 1/2 (real + fake), where Z is the sum of
  exp(logit) over all real and generated examples. The discriminator gives all
  probability to the real ones, the generator wants it even over all.

  The logits are the negative of the paper's energies mu.
  """
  def log_partition(real, fake):
    return nn.logsumexp(batch_all(jnp.concatenate([real, fake])))

  def disc(real, fake):
    return log_partition(real, fake) - real

  def gen(real, fake):
    return log_partition(real, fake) - 0.5 * (real + fake)

  return Loss(disc, gen, relative=True)


def dual_contrastive(*, batch_all: Callable = _itself) -> Loss:
  """Dual contrastive loss.  Yu et al. 2021, arXiv:2103.16748, section 3.

  disc: log(1 + sum_j exp(fake_j - real_i)) + log(1 + sum_j exp(fake_i -
  real_j)): each real example against all generated ones, and conversely;
  gen: -disc, as the paper's min-max has it.
  """
  def disc(real, fake):
    against_fakes = nn.softplus(nn.logsumexp(batch_all(fake)) - real)
    against_reals = nn.softplus(nn.logsumexp(-batch_all(real)) + fake)
    return against_fakes + against_reals

  def gen(real, fake):
    return -disc(real, fake)

  return Loss(disc, gen, relative=True)


def mmd(*, bandwidths: tuple = (1.0, 2.0, 4.0, 8.0, 16.0),
        batch_all: Callable = _itself) -> Loss:
  """MMD-GAN.  Li et al. 2017, arXiv:1705.08584.

  The unbiased estimate of MMD^2 between features x, y [B, F] of real and of
  generated examples (Gretton et al. 2012, eq. 3), as the mean over i of

    1/(B-1) sum_{j != i} [k(x_i, x_j) + k(y_i, y_j)] - 2/B sum_j k(x_i, y_j),

  k(x, y) = sum_s exp(-|x - y|^2 / (2 s^2)). gen minimises it, disc minimises
  its negative. Left out of the paper: the autoencoder that keeps the features
  injective, and the feasible set reduction; the authors' code takes the root of
  the biased estimate. Weight clipping (theirs is to 0.01) must bound the
  features' scale: gradient penalties act on the logits, which nothing trains.

  Differences of all pairs are taken one by one ([B, B, F] operations), which is
  exact where features are large; meant for F up to some hundreds.

  Args:
    bandwidths: the s of the mixture, in units of the features.
    batch_all: supplied by the program.

  Raises:
    ValueError: no bandwidth, or one that is not positive; at a call, a batch of
      one example.
  """
  if not bandwidths or not all(s > 0.0 for s in bandwidths):
    raise ValueError(f'bandwidths {bandwidths} must be one or more, positive')

  def kernel(x, y):
    """[b, F], [B, F] -> [b, B]."""
    squares = jnp.sum((x[:, None] - y[None]) ** 2, axis=-1)
    return sum(jnp.exp(squares / (-2.0 * s ** 2)) for s in bandwidths)

  def estimate(real, fake):
    x, y = real.astype(jnp.float32), fake.astype(jnp.float32)
    all_x, all_y = batch_all(x), batch_all(y)
    count = all_x.shape[0]
    if count < 2:
      raise ValueError('mmd compares examples: batch_size must be 2 or more')
    # An example with itself, which the sums leave out, is exactly 1 per s.
    within = (jnp.sum(kernel(x, all_x) + kernel(y, all_y), axis=1)
              - 2.0 * len(bandwidths))
    across = jnp.sum(kernel(x, all_y), axis=1)
    return within / (count - 1) - across * (2.0 / count)

  def disc(real, fake):
    return -estimate(real, fake).astype(real.dtype)

  def gen(real, fake):
    return estimate(real, fake).astype(fake.dtype)

  return Loss(disc, gen, inputs='features')


def top_k(*, base: Literal['non_saturating', 'hinge', 'wasserstein', 'minimax',
                           'least_squares'] = 'non_saturating',
          fraction: float = 0.5, decay: float = 0.99, decay_every: int = 1000,
          batch_all: Callable = _itself) -> Loss:
  """Top-k training.  Sinha et al. 2020, arXiv:2002.06224, section 3.

  disc: that of `base`;  gen: that of `base` over the k generated examples of
  the highest logits, times B / k, and 0 over the others, so that the batch mean
  is the mean over the chosen. k = floor(B max(decay^n, fraction)), at least 1,
  n = updates of the discriminator // decay_every. Equal logits at the border
  are all chosen.

  Args:
    base: the loss.
    fraction: the paper's nu, where the decay stops.
    decay: the paper's gamma.
    decay_every: updates of the discriminator between two decays; the paper
      decays once an epoch.
    batch_all: supplied by the program.

  Raises:
    ValueError: fraction or decay outside (0, 1], or an interval below 1.
  """
  for name, value in {'fraction': fraction, 'decay': decay}.items():
    if not 0.0 < value <= 1.0:
      raise ValueError(f'{name} {value} is not in (0, 1]')
  if decay_every < 1:
    raise ValueError(f'decay_every {decay_every} is not 1 or more')
  loss = getattr(independent, base)()

  def disc(real, fake, memory):
    del memory
    return loss.disc(real, fake)

  def gen(real, fake, memory):
    # The choice is made, not differentiated.
    everyone = batch_all(lax.stop_gradient(fake))
    count = everyone.shape[0]
    epochs = jnp.floor(memory['updates'] / decay_every)
    share = jnp.maximum(decay ** epochs, fraction)
    k = jnp.maximum(jnp.floor(count * share), 1.0).astype(jnp.int32)
    border = jnp.sort(everyone)[count - k]
    chosen = everyone >= border
    scale = (count / jnp.sum(chosen)).astype(fake.dtype)
    return jnp.where(fake >= border, scale * loss.gen(real, fake),
                     jnp.zeros_like(fake))

  def remember(memory, real, fake):
    del real, fake
    return {'updates': memory['updates'] + 1.0}

  return Loss(disc, gen, {'updates': np.float32(0.0)}, remember,
              relative=loss.relative)
