"""What all losses have in common, those to come too."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from loss_pairs import FORMULAS, LATER, NAMES, build, halves, logits, slopes

from gan_jax import losses
from gan_jax.base import lookup

# Of an example, the others of its batch have no part in these.
COUPLED = {'relativistic_average', 'relativistic_average_least_squares',
           'relativistic_average_hinge', 'softmax_gan', 'dual_contrastive',
           'mmd', 'top_k'}
PER_EXAMPLE = sorted(set(NAMES) - COUPLED)


@pytest.mark.parametrize('name', NAMES)
def test_unreduced_in_the_logits_dtype(name):
  a, b = logits(size=5)
  for half in build(name):
    assert half(a, b).shape == (5,) and half(a, b).dtype == jnp.float32
    shape = jax.eval_shape(half, a.astype(jnp.bfloat16), b.astype(jnp.bfloat16))
    assert shape.dtype == jnp.bfloat16


@pytest.mark.parametrize('name', NAMES)
def test_another_order_of_pairs_is_another_order_of_values(name):
  a, b = logits(size=8)
  order = np.random.default_rng(1).permutation(8)
  for half in build(name):
    np.testing.assert_allclose(half(a[order], b[order]), half(a, b)[order],
                               rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('name', PER_EXAMPLE)
def test_a_value_depends_on_its_own_pair_only(name):
  a, b = logits(size=8)
  for half in build(name):
    changed = half(a.at[3].add(1.0), b.at[3].add(-2.0)) != half(a, b)
    np.testing.assert_array_equal(changed, np.arange(8) == 3)


def test_the_others_of_the_batch_have_a_part_in_the_rest():
  a, b = logits(size=8)
  for name in COUPLED:
    changed = [half(a.at[3].add(1.0), b.at[3].add(move)) != half(a, b)
               for half in build(name) for move in (9.0, -9.0)]
    assert any(half.at[3].set(False).any() for half in changed), name


OF_LOGITS = [dict(name=name) for name in NAMES
             if getattr(losses, name)().inputs == 'logits']


@pytest.mark.parametrize('spec', [
    *OF_LOGITS, dict(name='fgan', divergence='kl'),
    *(dict(name='top_k', base=base) for base in (
        'hinge', 'wasserstein', 'minimax', 'least_squares'))], ids=str)
def test_a_relative_loss_does_not_see_a_number_added_to_all(spec):
  loss = lookup.build('gan_jax.losses', spec)
  disc, _ = halves(loss, **LATER.get(spec['name'], {}))
  same = []
  for seed, c in enumerate(np.random.default_rng(0).normal(0.0, 20.0, 5)):
    a, b = logits(seed, size=8)
    same.append(np.allclose(disc(a + c, b + c), disc(a, b), rtol=1e-4,
                            atol=1e-4))
  assert loss.relative == all(same)


@pytest.mark.parametrize('name', NAMES)
def test_memory_is_float32_scalars_and_is_kept_by_remember(name):
  loss = getattr(losses, name)()
  assert bool(loss.memory) == (loss.remember is not None)
  assert loss.inputs in ('logits', 'features')
  for value in loss.memory.values():
    assert value.shape == () and value.dtype == np.float32
  if loss.memory:
    after = jax.eval_shape(loss.remember, loss.memory, *logits(size=4))
    assert after == jax.eval_shape(lambda: loss.memory)


@pytest.mark.parametrize('name', NAMES)
def test_four_devices_are_one(name):
  """Values, gradients and memory of shards are those of the whole batch."""
  a, b = logits(size=16, scale=1.0)
  split = dict(batch_mean=lambda x: jax.lax.pmean(jnp.mean(x), 'data'),
               batch_all=lambda x: jax.lax.all_gather(x, 'data', tiled=True))

  def values_and_slopes(both, a, b):
    return [(half(a, b), jax.grad(
        lambda a, b: jnp.sum(half(a, b)), (0, 1))(a, b))  # noqa: B023  (at once)
            for half in both]

  whole = jax.jit(lambda a, b: values_and_slopes(build(name), a, b))(a, b)
  shards = jax.jit(jax.vmap(
      lambda a, b: values_and_slopes(build(name, **split), a, b),
      axis_name='data'))(a.reshape(4, 4), b.reshape(4, 4))
  for one, four in zip(jax.tree.leaves(whole), jax.tree.leaves(shards),
                       strict=True):
    np.testing.assert_allclose(four.reshape(16), one, rtol=2e-4, atol=2e-6)
  loss = lookup.build('gan_jax.losses', dict(name=name))
  if loss.remember:
    one = loss.remember(loss.memory, a, b)
    sharded = lookup.build('gan_jax.losses', dict(name=name), **split)
    four = jax.vmap(lambda a, b: sharded.remember(loss.memory, a, b),
                    axis_name='data')(a.reshape(4, 4), b.reshape(4, 4))
    for key, value in four.items():
      np.testing.assert_allclose(value, np.full(4, one[key]), rtol=1e-5)


@pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize('name', NAMES)
def test_finite_at_huge_logits(name, dtype):
  a = jnp.array([1e4, 1e4, -1e4, -1e4, 0.0], dtype)
  b = jnp.array([1e4, -1e4, 1e4, -1e4, 0.0], dtype)
  for half in build(name):
    assert jnp.isfinite(half(a, b)).all()
  assert np.isfinite(slopes(name, a, b)).all()


@pytest.mark.parametrize('name', FORMULAS)
def test_bfloat16_is_close_to_float32(name):
  a, b = logits(scale=1.0)
  a, b = (x.astype(jnp.bfloat16) for x in (a, b))
  for half in build(name):
    want = half(a.astype(jnp.float32), b.astype(jnp.float32))
    np.testing.assert_allclose(half(a, b).astype(jnp.float32), want, rtol=0.02,
                               atol=0.03)
