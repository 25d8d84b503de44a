"""What all losses have in common, those to come too."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from loss_pairs import (
  FORMULAS,
  LATER,
  NAMES,
  build,
  compiled,
  halves,
  logits,
  values_and_slopes,
)
from small_models import changed

from gan_jax import losses
from gan_jax.base import lookup

# Of an example, the others of its batch have no part in these.
COUPLED = {'relativistic_average', 'relativistic_average_least_squares',
           'relativistic_average_hinge', 'softmax_gan', 'dual_contrastive',
           'mmd', 'top_k'}
PER_EXAMPLE = sorted(set(NAMES) - COUPLED - {'none'})


@pytest.mark.parametrize('name', NAMES)
def test_unreduced_in_the_logits_dtype(name):
  a, b = logits(size=8)
  halves, _ = jax.eval_shape(compiled(name), a.astype(jnp.bfloat16),
                             b.astype(jnp.bfloat16))
  assert [x.dtype for x in halves] == [jnp.bfloat16] * 2
  for value in compiled(name)(a, b)[0]:
    assert value.shape == (8,) and value.dtype == jnp.float32


@pytest.mark.parametrize('name', NAMES)
def test_another_order_of_pairs_is_another_order_of_values(name):
  a, b = logits(size=8)
  order = np.random.default_rng(1).permutation(8)
  values = np.array(compiled(name)(a, b)[0])
  np.testing.assert_allclose(compiled(name)(a[order], b[order])[0],
                             values[:, order], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('name', PER_EXAMPLE)
def test_a_value_depends_on_its_own_pair_only(name):
  a, b = logits(size=8)
  values, _ = compiled(name)(a, b)
  others, _ = compiled(name)(changed(a, 3, 1.0), changed(b, 3, -2.0))
  own = np.arange(8) == 3
  np.testing.assert_array_equal(np.array(values) != np.array(others),
                                [own, own & (name != 'disc_only')])


def test_the_others_of_the_batch_have_a_part_in_the_rest():
  a, b = logits(size=8)
  for name in COUPLED:
    values = np.array(compiled(name)(a, b)[0])
    moved = [np.array(compiled(name)(changed(a, 3, 1.0), changed(b, 3, by))[0])
             != values for by in (9.0, -9.0)]
    assert np.delete(moved, 3, axis=-1).any(), name


OF_LOGITS = [dict(name=name) for name in NAMES
             if getattr(losses, name)().inputs == 'logits']


@pytest.mark.parametrize('spec', [
    *OF_LOGITS, dict(name='fgan', divergence='kl'),
    *(dict(name='top_k', base=base) for base in (
        'hinge', 'wasserstein', 'minimax', 'least_squares'))], ids=str)
def test_a_relative_loss_does_not_see_a_number_added_to_all(spec):
  loss = lookup.build('gan_jax.losses', spec)
  disc = jax.jit(halves(loss, **LATER.get(spec['name'], {}))[0])
  same = []
  for seed, c in enumerate(np.random.default_rng(0).normal(0.0, 20.0, 5)):
    a, b = logits(seed, size=8)
    c = np.float32(c)
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

  whole = compiled(name)(a, b)
  shards = jax.jit(jax.vmap(
      lambda a, b: values_and_slopes(build(name, **split), a, b),
      axis_name='data'))(a.reshape(4, 4), b.reshape(4, 4))
  for one, four in zip(jax.tree.leaves(whole), jax.tree.leaves(shards),
                       strict=True):
    np.testing.assert_allclose(np.ravel(four), one, rtol=2e-4, atol=2e-6)
  loss = lookup.build('gan_jax.losses', dict(name=name))
  if loss.remember:
    one = jax.jit(loss.remember)(loss.memory, a, b)
    sharded = lookup.build('gan_jax.losses', dict(name=name), **split)
    four = jax.jit(jax.vmap(lambda a, b: sharded.remember(loss.memory, a, b),
                            axis_name='data'))(a.reshape(4, 4),
                                               b.reshape(4, 4))
    for key, value in four.items():
      np.testing.assert_allclose(value, np.full(4, one[key]), rtol=1e-5)


@pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize('name', NAMES)
def test_finite_at_huge_logits(name, dtype):
  a = np.array([1e4, 1e4, -1e4, -1e4, 0.0, 0.0, 1e4, -1e4], dtype)
  b = np.array([1e4, -1e4, 1e4, -1e4, 0.0, 1e4, 0.0, 0.0], dtype)
  assert all(np.isfinite(x).all()
             for x in jax.tree.leaves(compiled(name)(a, b)))


@pytest.mark.parametrize('name', FORMULAS)
def test_bfloat16_is_close_to_float32(name):
  pair = [x.astype(jnp.bfloat16) for x in logits(size=8, scale=1.0)]
  got = compiled(name)(*pair)[0]
  want = compiled(name)(*(x.astype(jnp.float32) for x in pair))[0]
  np.testing.assert_allclose(np.float32(got), want, rtol=0.02, atol=0.03)
