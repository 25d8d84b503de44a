"""Consistency: small changes of an image must not change D's output."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax, random

from gan_jax.ops.images import check_images, random_flip
from gan_jax.penalties.term import Regulariser


def cr(*, shift: float = 0.125, flip: bool = False,
       heads: bool = False) -> Callable:
  """Consistency of D on real images (CR).  Zhang et al. 2020, arXiv:1910.12027.

  (D(x) - D(T(x)))^2 on real images. T shifts by up to `shift` of the size,
  mirrored at the border as in StudioGAN, and flips if `flip` is on (the paper
  does both; digits must not be flipped). The paper's weight is 10.

  heads: adds the mean squared change of each head of D, such as its class
    logits, as StudioGAN does; the paper has the logits only.
  """
  def penalty(critic, critique, real, real_out, keys):
    after = _change(real, keys, shift, flip)
    return _distance(real_out, (after,), critic, heads and critique)

  return penalty


def bcr(*, shift: float = 0.125, flip: bool = False, heads: bool = False,
        fake_weight: float = 1.0) -> Callable:
  """`cr` on real and on fake images (bCR).  Zhao et al. 2020, arXiv:2002.04724.

  real + fake_weight * fake. The paper's weights are 10 for both.
  """
  one = cr(shift=shift, flip=flip, heads=heads)

  def penalty(critic, fake_critic, critique, real, fake, real_out, fake_out,
              keys):
    keys = jax.vmap(random.split)(keys)
    return one(critic, critique, real, real_out, keys[:, 0]) + (
        fake_weight * one(fake_critic, _as_fake(critique), fake, fake_out,
                          keys[:, 1]))

  return penalty


def zcr(*, std: float = 0.03, gen_weight: float = 0.1,
        heads: bool = False) -> Regulariser:
  """Consistency of D on close latents (zCR).  Zhao et al. 2020, 2002.04724.

  (D(G(z)) - D(G(z + d)))^2, d ~ N(0, std^2); in a joint game of the pairs
  (G(z), z) and (G(z + d), z + d). G maximises the mean squared distance of the
  two images, times gen_weight, which multiplies the penalty's weight. The
  paper's weights are 5 for D and 0.5 for G: gen_weight 0.1; StudioGAN's BigGAN
  has 20, 0.5 and the std 0.05. `heads` as in `cr`.
  """
  def near(z, keys):
    # With packing there is a key for several latents.
    shape = len(z) // len(keys), *z.shape[1:]
    noise = jax.vmap(lambda k: random.normal(k, shape))(keys)
    return z + std * noise.reshape(z.shape)

  def disc(fake_critic, critique, generate, z, fake_out, keys, codes=None):
    z = near(z, keys)
    pair = (generate(z), z) if codes else (generate(z),)
    return _distance(fake_out, pair, fake_critic, heads and _as_fake(critique))

  def gen(generate, z, fake, keys):
    difference = fake - generate(near(z, keys))
    return -gen_weight * jnp.mean(difference ** 2,
                                  axis=tuple(range(1, fake.ndim)))

  return Regulariser(disc, gen)


def icr(*, shift: float = 0.125, flip: bool = False, heads: bool = False,
        fake_weight: float = 1.0, std: float = 0.03,
        latent_weight: float = 0.5, gen_weight: float = 0.1) -> Regulariser:
  """`bcr` and `zcr` together (ICR).  Zhao et al. 2020, arXiv:2002.04724.

  bcr + latent_weight * zcr. With weight 10: 10 on both sides of bcr, 5 on zcr,
  0.5 for the generator.
  """
  images = bcr(shift=shift, flip=flip, heads=heads, fake_weight=fake_weight)
  latents = zcr(std=std, gen_weight=gen_weight, heads=heads)

  def disc(critic, fake_critic, critique, real, fake, real_out, fake_out, keys,
           generate, z, codes=None):
    keys = jax.vmap(random.split)(keys)
    of_images = images(critic, fake_critic, critique, real, fake, real_out,
                       fake_out, keys[:, 0])
    return of_images + latent_weight * latents.disc(
        fake_critic, critique, generate, z, fake_out, keys[:, 1], codes)

  def gen(generate, z, fake, keys):
    return latent_weight * latents.gen(generate, z, fake, keys)

  return Regulariser(disc, gen)


def _distance(out, after, critic, critique):
  """(D(x) - D(after))^2, [B]; with a critique also that of the heads.

  after: (images,), in a joint game also (images, codes).
  """
  total = (out.logits - critic(*after)) ** 2
  for name, changed in (critique(*after).heads if critique else {}).items():
    if name != 'proxies':  # One for each class, whatever the images.
      total += jnp.mean((out.heads[name] - changed) ** 2, axis=-1)
  return total


def _as_fake(critique):
  return lambda *after: critique(*after, purpose='fake')


def _change(images, keys, shift, flip):
  check_images(images, 'a consistency term')
  keys = jax.vmap(random.split)(keys)
  most = [int(n * shift) for n in images.shape[1:3]]
  padded = jnp.pad(images, [(0, 0), *((n, n) for n in most), (0, 0)],
                   mode='reflect')

  def one(image, key):
    top, left = random.randint(key, (2,), 0, 2 * jnp.array(most) + 1)
    return lax.dynamic_slice(image, (top, left, 0), images.shape[1:])

  images = jax.vmap(one)(padded, keys[:, 0])
  return random_flip(images, keys[:, 1]) if flip else images
