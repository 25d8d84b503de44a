"""Penalties on the gradient of the critic by its input."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import random


def wgan_gp(*, target: float = 1.0, eps: float = 1e-10,
            one_sided: bool = False) -> Callable:
  """Gradient penalty.  Gulrajani et al. 2017, arXiv:1704.00028, eq. 3.

  (|grad D(x)| - target)^2 at x = a real + (1 - a) fake, a ~ U(0, 1) for each
  example, the norm taken over all of an image. The paper's weight is 10.

  Args:
    target: the norm aimed at.
    eps: added under the square root, whose derivative is infinite at 0.
    one_sided: penalise norms above the target only (WGAN-LP, Petzka et al.
      2018, arXiv:1709.08894, eq. 8).
  """
  def penalty(critic, real, fake, keys):
    points = _between(real, fake, keys)
    return _norm_penalty(critic, points, target, eps, one_sided)

  return penalty


def dragan(*, scale: float = 0.5, target: float = 1.0, eps: float = 1e-10,
           batch_mean: Callable = jnp.mean) -> Callable:
  """Gradient penalty around the data.  Kodali et al. 2017, arXiv:1705.07215.

  Like wgan_gp at x + a * scale * std(x) * u, with u ~ U(0, 1) for each pixel
  and a ~ U(0, 1) for each example, std over the whole batch, as in the
  authors' code. The paper's weight is 10.
  """
  def penalty(critic, real, keys):
    pairs = jax.vmap(random.split)(keys)
    alpha = _uniform(pairs[:, 0], (1,) * (real.ndim - 1))
    noise = _uniform(pairs[:, 1], real.shape[1:])
    mean = batch_mean(real)
    std = jnp.sqrt(batch_mean((real - mean) ** 2))
    points = real + alpha * scale * std * noise
    return _norm_penalty(critic, points, target, eps, one_sided=False)

  return penalty


def max_gp(*, eps: float = 1e-10,
           batch_all: Callable = lambda x: x) -> Callable:
  """The largest squared norm of a batch.  Zhou et al. 2019, arXiv:1902.05687.

  max |grad D|^2 over the examples of all devices, at points between real and
  generated images as in wgan_gp.
  """
  def penalty(critic, real, fake, keys):
    grad = _input_gradient(critic, _between(real, fake, keys))
    largest = jnp.max(batch_all(_squared_norm(grad) + eps))
    return jnp.full(real.shape[:1], largest)

  return penalty


def wgan_div(*, power: float = 6.0, eps: float = 1e-10) -> Callable:
  """|grad D|^p at points in between.  Wu et al. 2018, arXiv:1712.01026.

  The weight in the config is k; the paper's best are k = 2, p = 6 (its code has
  k = 10). It belongs to the wasserstein loss.
  """
  def penalty(critic, real, fake, keys):
    grad = _input_gradient(critic, _between(real, fake, keys))
    return (_squared_norm(grad) + eps) ** (power / 2.0)

  return penalty


def r1() -> Callable:
  """1/2 |grad D|^2 at real images.  Mescheder et al. 2018, 1801.04406, eq. 9.

  The weight in the config is the paper's gamma.
  """
  def penalty(critic, real):
    return 0.5 * _squared_norm(_input_gradient(critic, real))

  return penalty


def r2() -> Callable:
  """1/2 |grad D|^2 at generated images.  Mescheder et al. 2018, eq. 10."""
  def penalty(critic, fake):
    return 0.5 * _squared_norm(_input_gradient(critic, fake))

  return penalty


def _between(real, fake, keys):
  """Points a real + (1 - a) fake, with one a ~ U(0, 1) for each example."""
  alpha = _uniform(keys, (1,) * (real.ndim - 1))
  return alpha * real + (1.0 - alpha) * fake


def _uniform(keys, shape):
  """U(0, 1) of `shape` for each key: [B, *shape]."""
  return jax.vmap(lambda key: random.uniform(key, shape))(keys)


def _input_gradient(critic, images):
  """Gradient of the sum of logits by the images, [B, H, W, C] in float32.

  That is each logit's by its own image, unless batch norm in the critic mixes
  the images: use norm='none' or 'layer' there (Gulrajani et al., section 4).
  """
  grad = jax.grad(lambda x: jnp.sum(critic(x)))(images)
  return grad.astype(jnp.float32)


def _squared_norm(grad):
  return jnp.sum(grad ** 2, axis=tuple(range(1, grad.ndim)))


def _norm_penalty(critic, points, target, eps, one_sided):
  norm = jnp.sqrt(_squared_norm(_input_gradient(critic, points)) + eps)
  excess = norm - target
  return jax.nn.relu(excess) ** 2 if one_sided else excess ** 2
