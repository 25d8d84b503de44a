"""One game on 1 or 4 devices, under plain jit and under vmap, is one game."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from same_game import GAMES, RANGE, SEED, STEPS, Play, equal

from gan_jax import parallel
from gan_jax.game.step import train_step


@pytest.mark.parametrize('name', [
    # The most different. Of the others some compile for long, and tests/game
    # has quicker ones of their parts.
    pytest.param(name, marks=() if name in (
        'batch norm', 'networks that draw, zcr',
        'pairs with samples of an encoder') else pytest.mark.slow)
    for name in GAMES])
def test_the_same_step_everywhere_plays_the_same_game(name):
  play = Play(name)
  wanted = play.plain
  assert int(wanted[0].step) == STEPS
  moved = [np.abs(a - b).max() for a, b in zip(
      jax.tree.leaves(wanted[0].gen.params),
      jax.tree.leaves(play.first().gen.params), strict=True)]
  assert max(moved) > 1e-3  # SGD that does nothing would be equal everywhere
  equal(play.on(4), wanted)


def test_one_device_and_vmap_play_it_too():
  play = Play('batch norm')
  equal(play.on(1), play.plain)
  equal(play.mapped(), play.plain)


def _sum(tree):
  return lax.psum(tree, parallel.AXIS)


def _without_batch_norm_sync(game, play):
  other = play.game(None)
  return game._replace(gen=other.gen, disc=other.disc)


@pytest.mark.parametrize('mistake', ['sum', *(
    pytest.param(name, marks=pytest.mark.slow) for name in (
        'batch norm of each device', 'no pmean', 'same positions',
        'scalars of each device'))])
def test_the_comparison_sees(mistake):
  play = Play('batch norm')
  game = play.game(parallel.AXIS)
  if mistake.startswith('batch norm'):
    game = _without_batch_norm_sync(game, play)

  def step(state, batch, key, *, pmean):
    if mistake == 'same positions':
      batch = batch._replace(position=jnp.arange(batch.position.shape[0]))
    if mistake == 'scalars of each device':
      whole, pmean = pmean, lambda t: (
          (*whole(t[:3]), t[3]) if isinstance(t, tuple) else whole(t))
    pmean = {'sum': _sum, 'no pmean': lambda t: t}.get(mistake, pmean)
    return train_step(state, batch, key, game=game, pmean=pmean)

  wanted = play.plain
  with pytest.raises(AssertionError, match='Not equal to tolerance'):
    equal(play.on(4, step), wanted)
  if mistake == 'sum':  # ... and one device alone would never show it.
    equal(play.on(1, step), wanted)


@pytest.mark.slow
def test_four_steps_in_one_call_are_two_calls_of_two():
  play = Play('relativistic average, lazy r1')
  mesh = parallel.make_mesh(4)
  runner = parallel.make_runner(
      partial(train_step, game=play.game(parallel.AXIS)), mesh, seed=SEED,
      image_range=RANGE)
  data = parallel.replicate(play.data, mesh)
  once, all_scalars = runner(parallel.replicate(play.first(), mesh), data,
                             play.indices)
  state, first = runner(parallel.replicate(play.first(), mesh), data,
                        play.indices[:2])
  half = state
  twice, second = runner(state, data, play.indices[2:])
  for a, b in zip(jax.tree.leaves(once), jax.tree.leaves(twice), strict=True):
    np.testing.assert_array_equal(a, b)
  for name, values in all_scalars.items():
    np.testing.assert_array_equal(
        values, np.concatenate([first[name], second[name]]))
  # Donated: two states at once would be twice the memory.
  assert all(leaf.is_deleted() for leaf in jax.tree.leaves(half))
  assert not any(leaf.is_deleted() for leaf in jax.tree.leaves(twice))
