"""Classes of which some are known: the term, the data, what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import toy
from critics import LABEL, B, K, critique, cross_entropy, normal
from semi_supervised_terms import FORMS
from toy import KEY, make_batch, make_game

from gan_jax import losses, penalties
from gan_jax.game import terms as game_terms
from gan_jax.game.step import train_step
from gan_jax.models import Critique, Model
from gan_jax.penalties import Regulariser, Term

SOME = jnp.array([2, -1, 1, -1, 0])


def build(form='k_plus_1', **more):
  return penalties.semi_supervised(num_classes=K, form=form, **more)


def on_real(term, logits, label):
  return jax.jit(lambda logits, label: game_terms.call(
      term.disc, real_out=critique(semi_supervised=logits), label=label))(
          logits, label)


# The term.


@pytest.mark.parametrize('form', FORMS)
def test_what_the_logit_is(form):
  term, size = build(form), K + (form == 'k_plus_1')
  logits = normal(1, B, size)
  got = term.judge(critique(logits=normal(2, B), semi_supervised=logits))
  # The odds of 'a real class, any' against 'generated'.
  odds = np.exp(np.float64(logits))
  last = odds[:, K] if form == 'k_plus_1' else 1.0
  np.testing.assert_allclose(got, np.log(odds[:, :K].sum(axis=1) / last),
                             rtol=1e-4)
  assert term.heads == (('semi_supervised', size),) and term.gen is None


@pytest.mark.parametrize('form', FORMS)
def test_cross_entropy_is_of_labelled_examples(form):
  term, logits = build(form), normal(1, B, K + (form == 'k_plus_1'))
  each = cross_entropy(logits[:, :K], LABEL)
  np.testing.assert_allclose(on_real(term, logits, LABEL), each, rtol=1e-5)
  got = on_real(term, logits, SOME)
  want = cross_entropy(logits[:, :K], jnp.maximum(SOME, 0)) * np.asarray(
      SOME >= 0)
  assert float(got.mean()) == pytest.approx(want.sum() / 3, rel=1e-5)
  np.testing.assert_allclose(got, want * B / 3, rtol=1e-5)
  none = on_real(term, logits, jnp.full(B, -1))
  np.testing.assert_array_equal(none, np.zeros(B))
  # Of all devices: the others have no labels.
  wide = build(form, batch_mean=lambda x: jnp.mean(x) / 4)
  np.testing.assert_allclose(on_real(wide, logits, SOME), want * 4 * B / 3,
                             rtol=1e-5)


@pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize('label', [LABEL, SOME, jnp.full(B, -1)])
def test_slopes_are_finite(label, dtype):
  term = build()

  def loss(logits):
    out = critique(semi_supervised=logits)
    return jnp.mean(game_terms.call(term.disc, real_out=out, label=label)
                    + term.judge(out))

  slopes = jax.jit(lambda x: (jax.grad(loss)(x), jax.grad(
      lambda x: jnp.sum(jax.grad(loss)(x) ** 2))(x)))
  x = normal(1, B, K + 1).astype(dtype)
  for scale in (1.0, 0.0, 1e4):
    for slope in slopes(scale * x):
      assert np.isfinite(slope).all()


def test_bad_arguments():
  with pytest.raises(ValueError, match="form 'l' must be 'k'"):
    build('l')
  with pytest.raises(ValueError, match='labels of two classes'):
    penalties.semi_supervised(num_classes=0)


# A judge, in every loss and term.


def three_headed():
  """The linear discriminator with a head that triples its logit."""
  def apply(params, stats, images, label, *, train, keys=None):
    out, stats = toy.disc_apply(params, stats, images, label, train=train)
    return out._replace(heads={'triple': 3.0 * out.logits}), stats

  return Model(toy.DISC.init, apply, None)


JUDGE = Term('judge', Regulariser(
    lambda real_out: 0.0 * real_out.logits,
    judge=lambda out: out.heads['triple']), 1.0, 1)


@pytest.mark.parametrize('more', [
    {}, dict(unrolled_steps=1), dict(gradient_normalization=True),
    dict(loss=losses.relativistic())])
def test_a_judge_takes_the_place_of_the_logit_everywhere(more):
  """As of a discriminator that says three times as much."""
  def apply(*args, **kwargs):
    out, stats = toy.disc_apply(*args, **kwargs)
    return Critique(3.0 * out.logits, out.features, {}), stats

  lecam = Term('lecam', penalties.lecam(start=0), 0.1, 1)
  r1 = Term('r1', penalties.r1(), 0.1, 1)
  got, want = (make_game(disc=disc, penalties=found, **more)
               for disc, found in ((three_headed(), (lecam, r1, JUDGE)),
                                   (Model(toy.DISC.init, apply, None),
                                    (lecam, r1))))
  ends = [jax.jit(lambda s, b, game=game: train_step(s, b, KEY, game=game))(
      toy.make_state(game), make_batch(game)) for game in (got, want)]
  toy.assert_close(ends[0][0], ends[1][0])
  for name, value in ends[1][1].items():
    assert float(ends[0][1][name]) == pytest.approx(float(value), rel=1e-4)
