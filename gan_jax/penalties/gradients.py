"""Penalties on the gradient of the critic or the generator by its input.

In a joint game the critic judges pairs of an image and its code, and the points
are such pairs: the gradient is that by both, as a penalty that makes the critic
Lipschitz needs, and as in public code of Wasserstein BiGANs.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax, nn, random

from gan_jax.penalties.term import Regulariser


def wgan_gp(*, target: float = 1.0, eps: float = 1e-10,
            one_sided: bool = False) -> Callable:
  """Gradient penalty between real and fake.  Gulrajani et al. 2017, 1704.00028.

  Eq. 3: (|grad D(x)| - target)^2 at x = a real + (1 - a) fake, a ~ U(0, 1) per
  example, the norm over all of an image; `one_sided` penalises norms above the
  target only (WGAN-LP, Petzka et al. 2018, arXiv:1709.08894). `eps` is added
  under the square root. The paper's weight is 10.

  With another target TF-GAN and the code of Karras et al. 2018 (1710.10196)
  have (|grad D| / target - 1)^2: divide the weight by target^2 for that. It is
  not done here, so that the target may be 0.
  """
  return lambda critic, real, fake, keys, codes=None: _norm_penalty(
      critic, _between(real, fake, keys, codes), target, eps, one_sided)


def dragan(*, scale: float = 0.5, target: float = 1.0, eps: float = 1e-10,
           batch_mean: Callable = jnp.mean) -> Callable:
  """Gradient penalty around real images.  Kodali et al. 2017, arXiv:1705.07215.

  Like wgan_gp at x + a * scale * std(x) * u, with u ~ U(0, 1) per pixel, a ~
  U(0, 1) per example, std over the whole batch, as in the authors' code
  (StudioGAN's std has n - 1). The paper's weight is 10.
  """
  def penalty(critic, real, keys, codes=None):
    # One key for the share, one for each part of a point.
    draws = jax.vmap(lambda key: random.split(key, 3))(keys)

    def around(x, keys):
      noise = _uniform(keys, x.shape[1:])
      std = jnp.sqrt(batch_mean((x - batch_mean(x)) ** 2))
      return x + _share(draws[:, 0], x) * scale * std * noise

    points = tuple(map(around, _at(real, codes, 'real'),
                       (draws[:, 1], draws[:, 2])))
    return _norm_penalty(critic, points, target, eps, one_sided=False)

  return penalty


def max_gp(*, eps: float = 1e-10,
           batch_all: Callable = lambda x: x) -> Callable:
  """Largest squared gradient of a batch.  Zhou et al. 2019, arXiv:1902.05687.

  max |grad D|^2 over the examples of all devices, at points between real and
  generated images as in wgan_gp.
  """
  def penalty(critic, real, fake, keys, codes=None):
    squares = _squared_gradient(critic, _between(real, fake, keys, codes))
    return jnp.full(real.shape[:1], jnp.max(batch_all(squares + eps)))

  return penalty


def wgan_div(*, power: float = 6.0, eps: float = 1e-10) -> Callable:
  """Power of the gradient's norm (WGAN-div).  Wu et al. 2018, arXiv:1712.01026.

  |grad D|^p at points between real and fake images as in wgan_gp. The weight in
  the config is k; the paper's best are k = 2, p = 6 (its code has k = 10). It
  belongs to the wasserstein loss.
  """
  return lambda critic, real, fake, keys, codes=None: (_squared_gradient(
      critic, _between(real, fake, keys, codes)) + eps) ** (power / 2.0)


def r1() -> Callable:
  """Squared gradient at real images (R1).  Mescheder et al. 2018, 1801.04406.

  Eq. 9: 1/2 |grad D|^2. The weight in the config is the paper's gamma.
  """
  return lambda critic, real, codes=None: 0.5 * _squared_gradient(
      critic, _at(real, codes, 'real'))


def r2() -> Callable:
  """Squared gradient at fake images (R2).  Mescheder et al. 2018, 1801.04406.

  Eq. 10: 1/2 |grad D|^2. The weight in the config is the paper's gamma.
  """
  return lambda fake_critic, fake, codes=None: 0.5 * _squared_gradient(
      fake_critic, _at(fake, codes, 'fake'))


def _at(images, codes, side):
  """What the critic judges: (images,), or in a joint game (images, codes)."""
  return (images, codes[side]) if codes else (images,)


def _between(real, fake, keys, codes):
  """Points a real + (1 - a) fake, with one a ~ U(0, 1) per example."""
  return tuple(
      (alpha := _share(keys, x)) * x + (1.0 - alpha) * y for x, y in zip(
          _at(real, codes, 'real'), _at(fake, codes, 'fake'), strict=True))


def _share(keys, x):
  """One number ~ U(0, 1) per example, for x [B, ...] of any rank."""
  return _uniform(keys, ()).reshape(-1, *(1,) * (x.ndim - 1))


def _uniform(keys, shape):
  return jax.vmap(lambda key: random.uniform(key, shape))(keys)


def _squared_gradient(critic, points):
  """Squared norm of each logit's gradient by its own point, [B] float32.

  Differentiates the sum of logits, which is wrong if batch norm in the critic
  mixes images. Use norm='none' or 'layer' there (Gulrajani et al., sec. 4).
  """
  grads = jax.grad(lambda at: jnp.sum(critic(*at)))(points)
  return sum(jnp.sum(grad.astype(jnp.float32) ** 2, tuple(range(1, grad.ndim)))
             for grad in grads)


def _norm_penalty(critic, points, target, eps, one_sided):
  excess = jnp.sqrt(_squared_gradient(critic, points) + eps) - target
  return nn.relu(excess) ** 2 if one_sided else excess ** 2


def path_length(*, decay: float = 0.01, eps: float = 1e-10,
                batch_mean: Callable = jnp.mean) -> Regulariser:
  """Path length of the generator.  Karras et al. 2020, arXiv:1912.04958, eq. 4.

  (|J^T y| - a)^2, J the derivative of the image by the style w and y ~ N(0, 1)
  per example; a is an exponential average of |J^T y|, from 0 on. As in the
  authors' code y is divided by sqrt(H W), |J^T y|^2 is the mean over the layers
  of w, and a includes this batch; here no gradient goes through a. The paper's
  weight is 2, every 4 updates.

  Departure: of a generator without a style space J is by z, and depends on the
  scale of z.

  Batch norm in the generator mixes examples: J^T y is then of the whole batch's
  images by one z. `decay` is the share of a batch in a; `eps` is added under
  the root of |J^T y|.
  """
  def gen(styles, keys, memory):
    style, images_of = styles()
    images, slope = jax.vjp(images_of, style)
    shape = images.shape[1:]
    noise = jax.vmap(lambda key: random.normal(key, shape))(keys)
    noise /= math.sqrt(math.prod(shape[:-1]))
    (by_style,) = slope(noise.astype(images.dtype))
    square = jnp.sum(by_style.astype(jnp.float32) ** 2, axis=-1)
    length = jnp.sqrt(jnp.mean(square, tuple(range(1, square.ndim))) + eps)
    mean = memory['length'] + decay * (batch_mean(length) - memory['length'])
    values = (length - lax.stop_gradient(mean)) ** 2
    # With packing there is a key for several latents.
    values = jnp.mean(values.reshape(len(keys), -1), axis=-1)
    return values, {'length': mean}

  return Regulariser(gen=gen, memory={'length': 0.0})
