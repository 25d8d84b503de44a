"""Terms of an encoder, q(z | x): they train it, and the generator with it.

-log p(x | z) of `reconstruction` and `kl`, each with the weight 1, are the
negative evidence lower bound (ELBO) of a variational autoencoder (Kingma &
Welling 2014, arXiv:1312.6114, eq. 10), in nats.
"""

from collections.abc import Callable
from typing import Literal, get_args

import jax
import jax.numpy as jnp

from gan_jax.ops import likelihoods
from gan_jax.penalties.term import Regulariser

Likelihood = Literal['bernoulli', 'binarised', 'gaussian', 'features']


def reconstruction(*, likelihood: Likelihood = 'bernoulli', sigma: float = 0.1,
                   sample: bool = True,
                   image_range: tuple[float, float] = (0.0, 1.0)
                   ) -> Regulariser:
  """-log p(x | z) with z ~ q(z | x).  Kingma & Welling 2014, 1312.6114, eq. 10.

  Summed over the values of an image, which count as numbers in [0, 1]; for
  the generator and its encoder.

  likelihood: 'bernoulli' of grey values as probabilities; 'binarised' of values
    that are 0 or 1, drawn anew in each step with the grey values as
    probabilities, which the encoder sees too (Burda et al. 2016,
    arXiv:1509.00519, 5); 'gaussian' with the deviation `sigma`; 'features'
    the same of the discriminator's features (VAE-GAN: Larsen et al. 2016,
    arXiv:1512.09300).
  sample: False takes the mean of q: an autoencoder.
  """
  if likelihood not in get_args(Likelihood):
    raise ValueError(f'likelihood {likelihood!r} must be one of '
                     f'{get_args(Likelihood)}')
  if not sigma > 0.0:
    raise ValueError(f'sigma {sigma} must be above 0')
  low, high = image_range

  def unit(images):
    return (images.astype(jnp.float32) - low) / (high - low)

  def decoded(real, encode, generate, keys):
    posterior = encode(real)
    return generate(likelihoods.draw(*posterior, keys) if sample
                    else posterior.mean)

  def of_values(real, encode, generate, keys):
    if likelihood == 'binarised':
      drawn = jax.vmap(lambda key, p: jax.random.bernoulli(
          jax.random.fold_in(key, 1), p))(keys, unit(real))
      real = low + (high - low) * drawn.astype(jnp.float32)
    x, mean = unit(real), unit(decoded(real, encode, generate, keys))
    return -(likelihoods.gaussian(x, mean, sigma) if likelihood == 'gaussian'
             else likelihoods.bernoulli(x, mean))

  def of_features(real, real_out, encode, generate, critique, keys):
    found = critique(decoded(real, encode, generate, keys)).features
    return -likelihoods.gaussian(real_out.features.astype(jnp.float32),
                                 found.astype(jnp.float32), sigma)

  return Regulariser(gen=of_features if likelihood == 'features' else of_values)


def kl(*, free_bits: float = 0.0, batch_mean: Callable = jnp.mean
       ) -> Regulariser:
  """KL of q(z | x) from N(0, I).  Kingma & Welling 2014, 1312.6114, eq. 10.

  The weight is the beta of Higgins et al. 2017 (openreview Sy2fzU9gl), and may
  be a schedule. With `free_bits`, in nats, each dimension's mean over the batch
  counts as at least that (Kingma et al. 2016, arXiv:1606.04934).
  """
  if not free_bits >= 0.0:
    raise ValueError(f'free_bits {free_bits} must be 0 or more')

  def gen(real, encode):
    each = likelihoods.kl_to_standard(*encode(real))
    if not free_bits:
      return jnp.sum(each, axis=-1)
    means = jax.vmap(batch_mean, in_axes=1)(each)
    return jnp.full(each.shape[:1], jnp.sum(jnp.maximum(means, free_bits)))

  return Regulariser(gen=gen)


def latent_regression() -> Regulariser:
  """-log q(z | G(z)) of the z that were drawn; the encoder learns to invert.

  With the generator frozen, this makes an encoder of a trained one: the "latent
  regressor" of Donahue et al. 2017, arXiv:1605.09782, with a deviation that is
  learnt.
  """
  def gen(fake, z, encode):
    return -likelihoods.normal(z, *encode(fake))

  return Regulariser(gen=gen)
