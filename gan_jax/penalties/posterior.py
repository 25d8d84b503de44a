"""Terms of an encoder, q(z | x): they train it, and the generator with it."""

from collections.abc import Callable
from typing import Literal, get_args

import jax
import jax.numpy as jnp

from gan_jax.base import lookup
from gan_jax.ops import likelihoods
from gan_jax.ops.keys import folded
from gan_jax.penalties.term import Regulariser

Likelihood = Literal['bernoulli', 'binarised', 'gaussian', 'features']


def elbo(*, likelihood: Likelihood = 'bernoulli', sigma: float = 0.1,
         beta: lookup.Number = 1.0, free_bits: float = 0.0, sample: bool = True,
         image_range: tuple[float, float] = (0.0, 1.0),
         batch_mean: Callable = jnp.mean) -> Regulariser:
  """Evidence bound, negative.  Kingma & Welling 2014, arXiv:1312.6114, eq. 10.

  -log p(x | z) + beta KL(q(z | x) || N(0, I)) in nats with z ~ q(z | x), for
  the generator and its encoder; the values of an image count as numbers in
  [0, 1].

  image_range: (0, 1) of what is no image: points keep their units.
  likelihood: 'bernoulli' of grey values as probabilities; 'binarised' of values
    that are 0 or 1, drawn anew in each step with the grey values as
    probabilities, which the encoder sees too (Burda et al. 2016,
    arXiv:1509.00519, 5); 'gaussian' with the deviation `sigma`; 'features'
    the same of the discriminator's features (VAE-GAN: Larsen et al. 2016,
    arXiv:1512.09300).
  beta: other than 1, no bound of log p(x) (Higgins et al. 2017, openreview
    Sy2fzU9gl); may be a schedule.
  free_bits: nats that each dimension's KL, as the mean over the batch, counts
    at least (Kingma et al. 2016, arXiv:1606.04934).
  sample: False takes the mean of q; with beta=0, an autoencoder.
  """
  if likelihood not in get_args(Likelihood):
    raise ValueError(f'likelihood {likelihood!r} must be one of '
                     f'{get_args(Likelihood)}')
  if lookup.is_plain(sigma) and not sigma > 0.0:
    raise ValueError(f'sigma {sigma} must be above 0')
  if lookup.is_plain(beta) and not beta >= 0.0:
    raise ValueError(f'beta {beta} must be 0 or more')
  if lookup.is_plain(free_bits) and not free_bits >= 0.0:
    raise ValueError(f'free_bits {free_bits} must be 0 or more')
  low, high = image_range

  def unit(images):
    return (images.astype(jnp.float32) - low) / (high - low)

  def bound(real, encode, generate, keys, step, log_prob):
    """`log_prob` (x, its reconstruction) -> [B]."""
    code = encode(real)
    z = likelihoods.draw(*code, folded(keys, 0)) if sample else code.mean
    weight = beta(step) if callable(beta) else beta
    return weight * _kl(code, free_bits, batch_mean) - log_prob(
        real, generate(z))

  def of_values(real, encode, generate, keys, step):
    if likelihood == 'binarised':
      drawn = jax.vmap(jax.random.bernoulli)(folded(keys, 1), unit(real))
      real = low + (high - low) * drawn.astype(jnp.float32)
    return bound(real, encode, generate, keys, step, lambda x, mean: (
        likelihoods.gaussian(unit(x), unit(mean), sigma)
        if likelihood == 'gaussian' else
        likelihoods.bernoulli(unit(x), unit(mean))))

  def of_features(real, real_out, encode, generate, critique, keys, step):
    return bound(real, encode, generate, keys, step, lambda x, mean: (
        likelihoods.gaussian(real_out.features.astype(jnp.float32),
                             critique(mean).features.astype(jnp.float32),
                             sigma)))

  return Regulariser(gen=of_features if likelihood == 'features' else of_values)


def _kl(code, free_bits, batch_mean):
  """KL(q(z | x) || N(0, I)) [B]; with free bits the same for all."""
  each = likelihoods.kl_to_standard(*code)
  if lookup.is_plain(free_bits) and not free_bits:
    return jnp.sum(each, axis=-1)
  means = jax.vmap(batch_mean, in_axes=1)(each)
  return jnp.full(each.shape[:1], jnp.sum(jnp.maximum(means, free_bits)))


def latent_regression() -> Regulariser:
  """-log q(z | G(z)) of the z that were drawn; the encoder learns to invert.

  With the generator frozen, this makes an encoder of a trained one: the "latent
  regressor" of Donahue et al. 2017, arXiv:1605.09782, with a deviation that is
  learnt.
  """
  def gen(fake, z, encode):
    return -likelihoods.normal(z, *encode(fake))

  return Regulariser(gen=gen)
