"""Terms of classes and codes: by hand and by loops over pairs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from critics import (
  LABEL,
  B,
  K,
  build,
  call,
  critique,
  cross_entropy,
  keys_of,
  normal,
)

from gan_jax import penalties
from gan_jax.game import latents, terms


def sides(term, label=LABEL, **heads):
  """(disc, gen) of a term; heads: {name: (of real, of fake)}."""
  real, fake = ({k: v[i] for k, v in heads.items()} for i in (0, 1))
  return [call(side, real_out=critique(**real), fake_out=critique(**fake),
                     label=label) for side in (term.disc, term.gen)]


def test_acgan_by_hand():
  real, fake = normal(1, B, K), normal(2, B, K)
  term = penalties.acgan(num_classes=K)
  disc, gen = sides(term, **{'class': (real, fake)})
  on_fake = cross_entropy(fake, LABEL)
  np.testing.assert_allclose(disc, cross_entropy(real, LABEL) + on_fake,
                             rtol=1e-5)
  np.testing.assert_allclose(gen, on_fake, rtol=1e-5)
  assert term.heads == (('class', K),)
  classes = term.class_logits(critique(**{'class': real}))
  np.testing.assert_array_equal(classes, real)


def test_tac_gan_by_hand():
  real, fake = normal(1, B, K), normal(2, B, K)
  of_real, twin = normal(3, B, K), normal(4, B, K)
  term = penalties.tac_gan(num_classes=K)
  disc, gen = sides(term, **{'class': (real, fake), 'twin': (of_real, twin)})
  on_fake, on_twin = cross_entropy(fake, LABEL), cross_entropy(twin, LABEL)
  np.testing.assert_allclose(
      disc, cross_entropy(real, LABEL) + on_twin, rtol=1e-5)
  np.testing.assert_allclose(gen, on_fake - on_twin, rtol=1e-5, atol=1e-6)
  assert term.heads == (('class', K), ('twin', K))
  classes = term.class_logits(critique(**{'class': real, 'twin': of_real}))
  np.testing.assert_array_equal(classes, real)


def test_adc_gan_by_hand():
  real, fake = normal(1, B, 2 * K), normal(2, B, 2 * K)
  term = penalties.adc_gan(num_classes=K)
  disc, gen = sides(term, real_or_fake_class=(real, fake))
  on_fake = cross_entropy(fake, LABEL + K)
  np.testing.assert_allclose(disc, cross_entropy(real, LABEL) + on_fake,
                             rtol=1e-5)
  np.testing.assert_allclose(gen, cross_entropy(fake, LABEL) - on_fake,
                             rtol=1e-5, atol=1e-6)
  assert term.heads == (('real_or_fake_class', 2 * K),)
  classes = term.class_logits(critique(real_or_fake_class=real))
  np.testing.assert_array_equal(classes, real[:, :K])


def test_multi_hinge_by_hand():
  # Classes 0 and 1, and 2 for what is generated.
  real, fake = np.float32([[[2, 0.5, 1], [0, 0.25, 3]],
                           [[0, 0, 4], [1, 3, 0]]])
  term = penalties.multi_hinge(num_classes=2)
  disc, gen = sides(term, np.array([0, 1], np.int32),
                    class_or_fake=(real, fake))
  # 1 + the largest wrong one - the right one, of real and of generated images.
  np.testing.assert_allclose(disc, [0 + 0, 3.75 + 4], rtol=1e-6)
  np.testing.assert_allclose(gen, [5, 0], rtol=1e-6)
  assert term.heads == (('class_or_fake', 3),)
  classes = term.class_logits(critique(class_or_fake=real))
  np.testing.assert_array_equal(classes, real[:, :2])


def test_infogan_by_hand():
  codes = dict(categories=(3, 2), continuous=2)
  term = penalties.infogan(**codes)
  z = np.asarray(jax.jit(latents.infogan(**codes, noise=4))(keys_of()))
  head = normal(1, B, 7)
  want = (cross_entropy(head[:, :3], z[:, :3].argmax(-1))
          + cross_entropy(head[:, 3:5], z[:, 3:5].argmax(-1))
          + 0.5 * np.square(np.asarray(head - z[:, :7]))[:, 5:].sum(-1))
  for side in (term.disc, term.gen):
    got = call(side, fake_out=critique(code=head), z=z)
    np.testing.assert_allclose(got, want, rtol=1e-5)
  assert term.heads == (('code', 7),)
  assert penalties.infogan().heads == (('code', 10 + 2),)
  weighted = penalties.infogan(**codes, categorical_weight=2.0,
                               continuous_weight=0.1)
  squares = 0.5 * np.square(np.asarray(head - z[:, :7]))[:, 5:].sum(-1)
  got = call(weighted.gen, fake_out=critique(code=head), z=z)
  np.testing.assert_allclose(got, 2.0 * (want - squares) + 0.1 * squares,
                             rtol=1e-5)


def test_infogan_with_a_learnt_deviation():
  term = penalties.infogan(categories=(), continuous=2, learnt_std=True,
                           continuous_weight=0.5)
  assert term.heads == (('code', 4),)
  # Errors 1 and -2 of deviations 1 and 2: 1/2 + (log 2 + 1/2), halved.
  head = np.float32([[3.0, 0.0, 0.0, np.log(2.0)]])
  z = np.float32([[2.0, 2.0, 9.0]])
  for side in (term.disc, term.gen):
    got = call(side, fake_out=critique(code=head), z=z)
    np.testing.assert_allclose(got, [0.5 * (1.0 + np.log(2.0))], rtol=1e-6)


def unit(x):
  x = np.float64(x)
  return x / np.sqrt((x ** 2).sum(-1, keepdims=True))


def contragan_by_hand(x, proxies, label, temperature):
  values = []
  for i in range(len(x)):
    def e(other, i=i):
      return np.exp(x[i] @ other / temperature)
    others = [j for j in range(len(x)) if j != i]
    own = e(proxies[label[i]])
    above = own + sum(e(x[j]) for j in others if label[j] == label[i])
    values.append(-np.log(above / (own + sum(e(x[j]) for j in others))))
  return np.mean(values)


def reacgan_by_hand(x, proxies, label, temperature, positive, negative):
  values = []
  for i in range(len(x)):
    p = np.exp(min(x[i] @ proxies[label[i]] - positive, 0.0) / temperature)
    n = sum(np.exp(max(x[i] @ x[j] - negative, 0.0) / temperature)
            for j in range(len(x)) if label[j] != label[i])
    values.append(-np.log(p / (p + n)))
  return np.mean(values)


@pytest.mark.parametrize('name,by_hand,options', [
    ('contragan', contragan_by_hand, (0.7,)),
    ('reacgan', reacgan_by_hand, (0.5, 0.3, -0.1)),
    # e^100 is infinite in float32.
    ('contragan', contragan_by_hand, (0.01,)),
    ('reacgan', reacgan_by_hand, (0.01, 0.3, -0.1))])
def test_contrastive_terms_equal_loops_over_pairs(name, by_hand, options):
  names = ('temperature', 'easy_positive', 'easy_negative')[:len(options)]
  term = build(name, num_classes=K, size=2, **dict(zip(
      names, options, strict=True)))
  real, fake, proxies = normal(1, B, 2), normal(2, B, 2), normal(3, K, 2)
  label = np.asarray(LABEL)
  found = sides(term, embedding=(real, fake), proxies=(proxies, proxies))
  for got, x in zip(found, (real, fake), strict=True):
    want = by_hand(unit(x), unit(proxies), label, *options)
    assert want > 0.1
    np.testing.assert_allclose(got, np.full(B, want), rtol=1e-5)
  assert term.heads == (('embedding', 2), ('proxies', 2))
  # Of all devices: another one has other examples.
  others = {(B, 2): unit(normal(5, B, 2)), (B,): label[::-1]}
  wide = build(name, num_classes=K, size=2, batch_all=lambda x: (
      jnp.concatenate([x, jnp.asarray(others[x.shape], x.dtype)])),
               **dict(zip(names, options, strict=True)))
  want = by_hand(np.concatenate([unit(real), others[B, 2]]), unit(proxies),
                 np.concatenate([label, label[::-1]]), *options)
  got = sides(wide, embedding=(real, fake), proxies=(proxies, proxies))[0]
  np.testing.assert_allclose(got, np.full(B, want), rtol=1e-5)
  # One class has none to be told from.
  alone = sides(term, np.zeros(B, np.int32), embedding=(real, fake),
                proxies=(proxies, proxies))
  np.testing.assert_allclose(alone, np.zeros((2, B)), atol=1e-6)


@pytest.mark.parametrize('name,by_hand,paper', [
    ('contragan', contragan_by_hand, (1.0,)),
    ('reacgan', reacgan_by_hand, (0.5, 0.98, 0.02))])
def test_contrastive_terms_of_the_papers_numbers(name, by_hand, paper):
  """In float32, of a head in bfloat16 too."""
  term = build(name, num_classes=K)
  assert term.heads == (('embedding', 128), ('proxies', 128))
  x, proxies = (normal(i, n, 4).astype(jnp.bfloat16) for i, n in (
      (1, B), (3, K)))
  got = sides(term, embedding=(x, x), proxies=(proxies, proxies))[0]
  want = by_hand(unit(x), unit(proxies), np.asarray(LABEL), *paper)
  np.testing.assert_allclose(got, np.full(B, want), rtol=1e-5)


@pytest.mark.parametrize('name', ['contragan', 'reacgan'])
def test_gradients_of_contrastive_terms_are_finite(name):
  """At embeddings of length 0 and in bfloat16 too."""
  term = build(name, num_classes=K, size=2)

  @jax.jit
  def slopes(x, proxies):
    return jax.grad(lambda x, proxies: terms.call(
        term.disc, real_out=critique(embedding=x, proxies=proxies),
        label=LABEL).mean(), argnums=(0, 1))(x, proxies)

  for dtype in (jnp.float32, jnp.bfloat16):
    x = normal(1, B, 2).astype(dtype)
    for got in slopes(x, normal(3, K, 2)):
      assert np.isfinite(got).all() and np.abs(got).max() > 1e-3
    for got in slopes(0.0 * x, normal(3, K, 2)):
      assert np.isfinite(got).all()


@pytest.mark.parametrize('name', ['acgan', 'tac_gan', 'adc_gan', 'contragan',
                                  'reacgan', 'multi_hinge'])
def test_terms_of_classes_need_two(name):
  with pytest.raises(ValueError, match='needs labels of two classes or more, '
                                       'and the data have 0'):
    build(name, num_classes=0)
