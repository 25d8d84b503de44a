"""Consistency terms: by numpy, and by the moments of their noise."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest
from critics import (
  SHAPE,
  B,
  build,
  call,
  critique,
  direction,
  evaluate,
  images,
  keys_of,
  linear,
  normal,
)

from gan_jax import penalties

MANY = 100


def mirrored(a, x):
  """What mirroring adds to the critic a.x."""
  return linear(a, x) - linear(a, x[:, :, ::-1])


def moved(image, rows, columns, most):
  """Shifted by up to `most`, by numpy: [H, W, C]."""
  height, width = image.shape[:2]
  padded = np.pad(image, (*((n, n) for n in most), (0, 0)), mode='reflect')
  top, left = most[0] - rows, most[1] - columns
  return padded[top:top + height, left:left + width]


def test_cr_compares_with_the_mirrored_image():
  a, (real, fake) = direction(2.0), images(batch=MANY)
  got = np.asarray(evaluate(penalties.cr(shift=0.0, flip=True), linear,
                            (real, fake), keys_of(batch=MANY), a))
  flipped = np.square(mirrored(a, real))
  is_flipped = got > 1e-6
  np.testing.assert_allclose(got, np.where(is_flipped, flipped, 0.0), rtol=1e-3,
                             atol=1e-6)
  assert 25 < is_flipped.sum() < 75


# Of 3 by 2 pixels, mirrored: shifts by 4 rows or by 2 columns change nothing.
@pytest.mark.parametrize('shift,most,different', [
    (0.5, (1, 1), 3 * 2), (0.4, (1, 0), 3), (1.5, (4, 3), 4 * 2)])
def test_cr_compares_with_the_shifted_image(shift, most, different):
  a, (real, fake) = direction(2.0), images(batch=MANY)
  got = np.asarray(evaluate(penalties.cr(shift=shift), linear, (real, fake),
                            keys_of(batch=MANY), a))
  places = list(itertools.product(*(range(-n, n + 1) for n in most)))
  choices = np.array([[np.sum(np.asarray(a) * (image - moved(image, *by, most)))
                       for by in places] for image in np.asarray(real)]) ** 2
  error = np.abs(choices - got[:, None])
  assert error.min(axis=1).max() < 1e-4
  assert len(set(error.argmin(axis=1))) == different


def test_a_shifted_row_shows_its_mirror_image_by_hand():
  """0 1 2 3, by one to the left or right: 1 2 3 2 and 1 0 1 2."""
  rows = jnp.broadcast_to(jnp.arange(4.0).reshape(1, 1, 4, 1), (MANY, 1, 4, 1))
  # A row is read as one number, 0123, 1232 or 1012.
  digits = jnp.array([1000.0, 100.0, 10.0, 1.0]).reshape(1, 4, 1)
  got = call(penalties.cr(shift=0.25), real=rows, keys=keys_of(batch=MANY),
             real_out=critique(jnp.zeros(MANY)),
             critic=lambda x: linear(digits, x))
  assert set(np.sqrt(got).tolist()) == {123.0, 1232.0, 1012.0}


def test_bcr_is_cr_of_both_sides_with_draws_of_their_own():
  a, (real, fake) = direction(2.0), images(batch=MANY)
  got = np.asarray(evaluate(penalties.bcr(shift=0.0, flip=True), linear,
                            (real, fake), keys_of(batch=MANY), a))
  x, y = (np.square(mirrored(a, side)) for side in (real, fake))
  choices = np.stack([0 * x, x, y, x + y], axis=1)
  error = np.abs(choices - got[:, None])
  assert error.min(axis=1).max() < 1e-4
  assert np.bincount(error.argmin(axis=1)).min() > 10


def judged(a, scale=1.0):
  """A critique whose head sees what its logit does not."""
  def judge(x, purpose='real'):
    size = 3.0 if purpose == 'fake' else scale
    seen = size * jnp.stack([linear(a, x), jnp.zeros(len(x))], axis=-1)
    # A vector for each class, whatever the images: as many as images or not.
    return critique(jnp.zeros(len(x)), colour=seen, proxies=jnp.ones((3, 2)))
  return judge


@pytest.mark.parametrize('name,heads', [
    ('cr', True), ('cr', False), ('bcr', True), ('zcr', True), ('icr', True)])
def test_heads_of_the_discriminator_may_have_to_agree_too(name, heads):
  """Half of (k a.(x - T(x)))^2 in two outputs; k is 3 for generated images."""
  a, (real, fake) = direction(2.0), images(batch=MANY)
  judge, noise = judged(a), normal(5, *real.shape)
  shifts = {} if name == 'zcr' else dict(shift=0.0, flip=True)
  term = build(name, heads=heads, **shifts)
  got = np.asarray(call(
      getattr(term, 'disc', term), critic=lambda x: jnp.zeros(len(x)),
      critique=judge, real=real, fake=fake, real_out=judge(real),
      fake_out=judge(fake, 'fake'), keys=keys_of(batch=MANY), z=fake,
      generate=lambda z: fake + noise))
  x, y = (0.5 * np.square(k * mirrored(a, side))
          for k, side in ((1.0, real), (3.0, fake)))
  near = 0.5 * np.square(3.0 * linear(a, noise))
  choices = {'cr': [0 * x, x] if heads else [0 * x],
             'bcr': [0 * x, x, y, x + y], 'zcr': [near],
             'icr': [0.5 * near + v for v in (0 * x, x, y, x + y)]}[name]
  error = np.abs(np.stack(choices, axis=1) - got[:, None])
  assert error.min(axis=1).max() < 1e-3
  assert set(error.argmin(axis=1)) == set(range(len(choices)))


@pytest.mark.parametrize('name', ['bcr', 'icr'])
def test_generated_images_have_a_weight_of_their_own(name):
  a, (real, fake) = direction(2.0), images(batch=MANY)
  arguments = dict(critic=lambda x: linear(a, x), real=real, fake=fake,
                   real_out=critique(linear(a, real)), z=fake,
                   generate=lambda z: z, keys=keys_of(batch=MANY),
                   fake_out=critique(linear(a, fake)))
  one, two, only_real = (
      call(getattr(term, 'disc', term), **arguments) for term in (
          build(name, flip=True, fake_weight=w, **(
              {'latent_weight': 0.0} if name == 'icr' else {}))
          for w in (1.0, 2.0, 0.0)))
  np.testing.assert_allclose(two - one, one - only_real, rtol=1e-3, atol=1e-4)
  assert (one - only_real > 1e-3).any() and (only_real > 1e-3).any()


def of_latents(side, generate, a, count=4000, size=4):
  """A term of latents, of the critic a.x."""
  z = normal(3, count, size)
  fake = generate(z)
  return np.asarray(call(
      side, critic=lambda x: x @ a, generate=generate, z=z, fake=fake,
      real=fake, real_out=critique(fake @ a), fake_out=critique(fake @ a),
      keys=keys_of(batch=count)))


@pytest.mark.parametrize('name,share', [('zcr', 1.0), ('icr', 0.25)])
def test_consistency_of_latents(name, share):
  """An identity generator and a.x: (a.d)^2 with d ~ N(0, s^2)."""
  changes = dict(shift=0.0, latent_weight=0.25) if name == 'icr' else {}
  a, s = jnp.array([1.0, 2.0, 0.0, -2.0]), 0.1
  term = build(name, std=s, gen_weight=0.5, **changes)
  # s^2 |a|^2 times chi^2 of one degree: mean 1, variance 2.
  if name == 'zcr':
    got = of_latents(term.disc, lambda z: z, a) / (s ** 2 * 9.0)
    assert got.mean() == pytest.approx(1.0, abs=0.1)
    assert got.var() == pytest.approx(2.0, abs=0.5)
    assert len(np.unique(got)) > 0.99 * len(got)
  # The generator: -1/2 of the mean of 4 squares of the images' differences.
  got = of_latents(term.gen, lambda z: 3.0 * z, a) / (-0.5 * share
                                                         * (3 * s) ** 2)
  assert got.mean() == pytest.approx(1.0, abs=0.05)
  assert got.var() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize('name', ['zcr', 'icr'])
def test_consistency_of_latents_in_a_joint_game_is_by_the_pair(name):
  """(a.x - a.z) + e.z with x = z: by the pair, a plays no part."""
  a, e = jnp.array([[1.0, 2.0, 0.0, -2.0], [0.5, 0.0, 1.0, 0.0]])
  z = normal(3, B, 4)
  noise = normal(4, B, 4)
  changes = dict(shift=0.0, latent_weight=1.0) if name == 'icr' else {}

  def values(critic, codes, heads):
    def judge(x, code=z, *, purpose='real'):
      logits = critic(x, code)
      return critique(logits, colour=jnp.stack([logits, 0 * logits], 1))

    term = build(name, std=0.1, heads=heads, **changes)
    images = z.reshape(B, 2, 2, 1)
    return call(term.disc, critic=lambda *pair: judge(*pair).logits,
                critique=judge, z=z, real=images, fake=images,
                generate=lambda z: z.reshape(B, 2, 2, 1), keys=keys_of(),
                real_out=judge(images), fake_out=judge(images),
                **({'codes': {'real': noise, 'fake': z}} if codes else {}))

  for heads in (False, True):
    pairs = values(lambda x, code: (x.reshape(B, 4) - code) @ a + code @ e,
                   True, heads)
    alone = values(lambda x, code: x.reshape(B, 4) @ e, False, heads)
    np.testing.assert_allclose(pairs, alone, rtol=1e-3, atol=1e-7)
    assert (alone > 1e-6).all()


def test_icr_is_both_in_the_papers_proportions():
  term = penalties.icr(std=0.1, flip=True, shift=0.0)
  z = jnp.zeros((1000, *SHAPE))
  one = jnp.broadcast_to(images()[0][0], z.shape)
  a = direction(2.0)

  def values(generate):
    return np.asarray(call(
        term.disc, critic=lambda x: linear(a, x), generate=generate, z=z,
        real=one, fake=2.0 * one, real_out=critique(linear(a, one)),
        fake_out=critique(linear(a, 2.0 * one)), keys=keys_of(batch=1000)))

  # Without noise in what is generated: the four values of bcr.
  change = float(mirrored(a, one)[0] ** 2)
  got = values(lambda z: 2.0 * one)
  np.testing.assert_allclose(
      np.unique(np.round(got / change, 3)), [0.0, 1.0, 4.0, 5.0], atol=2e-3)
  # With it half of its square, 0.1^2 |a|^2, beside.
  noisy = values(lambda z: 2.0 * one + z)
  assert (noisy - got).mean() == pytest.approx(0.5 * 0.01 * 4.0, rel=0.15)


def test_latents_of_a_pack_have_noise_of_their_own():
  """A key for two latents, whose images are judged together."""
  term = penalties.zcr(std=1.0)
  z = jnp.zeros((8, 3))
  got = call(term.disc, critic=lambda x: x[:, 0] - x[:, 3], z=z,
                   generate=lambda z: z.reshape(4, 6),
                   fake_out=critique(jnp.zeros(4)), keys=keys_of(batch=4))
  assert got.shape == (4,) and (got > 1e-4).all()
  got = call(term.gen, z=z, generate=lambda z: z.reshape(4, 6),
                   fake=z.reshape(4, 6), keys=keys_of(batch=4))
  assert got.shape == (4,) and (got < 0).all()
