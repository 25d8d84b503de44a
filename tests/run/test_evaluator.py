"""The equilibrium that is drawn into the curves; the grid of samples."""

import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import losses, parallel
from gan_jax.base import lookup
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
