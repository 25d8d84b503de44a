"""The equilibrium that is drawn into the curves; the grid of samples."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny

from gan_jax import losses, parallel
from gan_jax.base import lookup
from gan_jax.config import experiment
from gan_jax.evaluators import score
from gan_jax.run import evaluator

LOG2 = float(np.log(2.0))


@pytest.mark.parametrize('spec,want', [
    (dict(name='non_saturating'),
     {'loss/disc': 2 * LOG2, 'loss/gen': LOG2, 'prob/real': 0.5}),
    (dict(name='minimax'),
     {'loss/disc': 2 * LOG2, 'loss/gen': -LOG2, 'prob/real': 0.5}),
    # D answers sigmoid(c) = (1 - s) / 2 to both; sp(-c) = -log(0.45).
    (dict(name='non_saturating', label_smoothing=0.1),
     {'loss/disc': -0.9 * np.log(0.45) - 1.1 * np.log(0.55),
      'loss/gen': -np.log(0.45), 'prob/real': 0.45}),
    # D answers 1/2, half way between the targets.
    (dict(name='least_squares'),
     {'loss/disc': 0.25, 'loss/gen': 0.125,
      'prob/real': 1 / (1 + np.exp(-0.5))}),
    # A critic's offset is free: only D's loss has a level.
    (dict(name='wasserstein'), {'loss/disc': 0.0}),
    (dict(name='hinge'), {'loss/disc': 2.0}),
    (dict(name='relativistic'), {'loss/disc': LOG2, 'loss/gen': LOG2}),
    (dict(name='relativistic_average', batch_mean=parallel.batch_mean),
     {'loss/disc': LOG2, 'loss/gen': LOG2}),
])
def test_equilibrium_by_hand(spec, want):
  supplied = {k: spec.pop(k) for k in ('batch_mean',) if k in spec}
  found = evaluator.equilibrium(
      lookup.build('gan_jax.losses', spec, **supplied))
  want = want | {'auc': 0.5}
  if 'prob/real' in want:
    want |= {f'prob/{x}': want['prob/real'] for x in ('fake', 'held_out')}
    if want['prob/real'] == 0.5:
      want |= {'sign/real': 0.0, 'sign/held_out': 0.0}
  assert set(found) == set(want)
  for key, value in want.items():
    np.testing.assert_allclose(found[key], value, atol=2e-3, err_msg=key)


@pytest.mark.parametrize('name', lookup.names('gan_jax.losses'))
def test_every_loss_has_finite_levels(name):
  loss = lookup.build('gan_jax.losses', dict(name=name),
                      batch_mean=parallel.batch_mean,
                      batch_all=parallel.batch_all)
  found = evaluator.equilibrium(loss)
  assert ('loss/disc' in found) == (
      loss.inputs == 'logits' and not loss.needs)
  assert np.isfinite(list(found.values())).all()


def test_a_loss_that_is_never_finite_has_no_equilibrium():
  never = losses.Loss(lambda real, fake: jnp.sqrt(-1.0 - real ** 2),
                      lambda real, fake: -fake)
  assert evaluator.equilibrium(never) == {}


def test_the_discriminator_classifies_held_out_examples(tmp_path):
  path = tiny.write_images(tmp_path / 'noise.npz', count=200)
  run = experiment.load(tiny.config(path, **dict(
      data=dict(name='npz', path=path, holdout=0.5, labelled=6),
      evaluators=(dict(name='classification_error'),),
      penalties=(dict(name='semi_supervised', weight=1.0, form='k'),))),
      devices=1)
  state = run.init()
  (score,) = evaluator.Evaluator(run).scores(state)
  test, params = run.source.held_out, jax.device_get(state.disc.params)
  x = test.images.reshape(len(test.labels), -1) / 127.5 - 1.0
  hidden = x @ params['Dense_0']['kernel'] + params['Dense_0']['bias']
  hidden = np.where(hidden > 0, hidden, 0.2 * hidden)
  head = params['Heads_0']['semi_supervised']
  told = (hidden @ head['kernel'] + head['bias']).argmax(1)
  assert score.value == np.mean(told != test.labels) and 0 < score.value < 1
  assert score.name == f'classification_error_{len(test.labels)}_held_out'
  assert score.protocol['step'] == 0


def test_without_a_term_nothing_tells_classes(tmp_path):
  path = tiny.write_images(tmp_path / 'noise.npz')
  run = experiment.load(tiny.config(
      path, data=dict(name='npz', path=path, holdout=0.5),
      evaluators=(dict(name='classification_error'),)), devices=1)
  (score,) = evaluator.Evaluator(run).scores(run.init())
  assert score.value is None and 'no term' in score.reason


@pytest.mark.parametrize('made, words', [
    (dict(a=1.0), 'not dict'), (1.0, 'not float'), (None, 'not NoneType'),
    (score.Score('a', 1.0), 'not Score'), ([('a', 1.0)], 'not list'),
    ([score.Score('a', np.ones(3))], r"score 'a': a number .* array \[3\]")])
def test_an_evaluator_returns_scores(made, words):
  with pytest.raises(ValueError, match=words):
    score.scores_of(made)


def test_an_evaluator_may_yield_its_scores():
  given = [score.Score('a', np.float32(1.5)), score.Score('b')]
  assert score.scores_of(iter(given)) == given
