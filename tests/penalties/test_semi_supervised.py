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
from gan_jax.game.step import simultaneous_step, train_step
from gan_jax.models import Critique, Model
from gan_jax.penalties import Regulariser, Term


def build(form='k_plus_1'):
  return penalties.semi_supervised(num_classes=K, form=form)


def of_labelled(term, logits, label):
  """The term's values; D gives these logits to the labelled images alone."""
  def judge(images, *, purpose):
    assert purpose == 'labelled'  # random keys of its own
    return critique(semi_supervised=images)

  return game_terms.call(term.disc, critique=judge,
                         labelled=game_terms.Labelled(logits, label))


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
  assert penalties.semi_supervised(num_classes=K).heads == (
      ('semi_supervised', K + 1),)


@pytest.mark.parametrize('form', FORMS)
def test_cross_entropy_is_of_the_labelled_batch(form):
  term, logits = build(form), normal(1, B, K + (form == 'k_plus_1'))
  got = jax.jit(lambda *args: of_labelled(term, *args))(logits, LABEL)
  np.testing.assert_allclose(got, cross_entropy(logits[:, :K], LABEL),
                             rtol=1e-5)
  np.testing.assert_array_equal(
      term.class_logits(critique(semi_supervised=logits)), logits[:, :K])


@pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16])
def test_slopes_are_finite(dtype):
  term = build()

  def loss(logits):
    return jnp.mean(of_labelled(term, logits, LABEL)
                    + term.judge(critique(semi_supervised=logits)))

  slopes = jax.jit(lambda x: (jax.grad(loss)(x), jax.grad(
      lambda x: jnp.sum(jax.grad(loss)(x) ** 2))(x)))
  x = normal(1, B, K + 1).astype(dtype)
  for scale in (1.0, 0.0, 1e4):
    for slope in slopes(scale * x):
      assert np.isfinite(slope).all()


def with_classes(apply):
  """The linear discriminator with class logits [f, 2 f] of its logit f."""
  def run(*args, **kwargs):
    out, stats = apply(*args, **kwargs)
    return out._replace(heads={'semi_supervised': jnp.stack(
        [out.logits, 2.0 * out.logits], axis=1)}), stats

  return Model(toy.DISC.init, run, None)


@pytest.mark.parametrize('rule,disc_steps', [
    (train_step, 1), (train_step, 3), (simultaneous_step, 1)])
def test_the_step_gives_each_update_its_labelled_examples(rule, disc_steps):
  """One of SGD by hand: real and generated ones do not enter the term."""
  term = Term('semi_supervised',
              penalties.semi_supervised(num_classes=2, form='k'), 1.0, 1)
  game = make_game(disc=with_classes(toy.disc_apply), loss=toy.NO_LOSS,
                   penalties=(term,), disc_steps=disc_steps)
  assert game.draws_labelled
  plain, few = make_batch(game), normal(7, disc_steps, toy.B, toy.P)
  label = np.arange(disc_steps * toy.B).reshape(disc_steps, -1) % 2
  batch = plain._replace(
      image=jnp.concatenate([plain.image, few.reshape(plain.image.shape)]),
      label=jnp.concatenate([plain.label, jnp.asarray(label, jnp.int32)]))
  state, scalars = toy.run(game, batch=batch, rule=rule)
  _, v, c = map(np.float64, toy.weights(toy.make_state(game)))
  values = []
  for x, y in zip(np.float64(few), label, strict=True):
    f = x @ v + c  # CE is log(e^f + e^2f) - (1 + y) f
    values.append(np.mean(np.logaddexp(f, 2 * f) - (1 + y) * f))
    slope = (1 + toy.sigmoid(f) - (1 + y)) / toy.B
    v, c = v - toy.DISC_RATE * slope @ x, c - toy.DISC_RATE * slope.sum()
  toy.assert_params(toy.weights(state)[1:], (v, c))
  assert float(scalars['penalty/semi_supervised']) == pytest.approx(
      np.mean(values), rel=1e-4)


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
