"""Memories of terms in the game."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import same_game
import toy
from toy import KEY, make_batch, make_game

from gan_jax import penalties
from gan_jax.game.step import simultaneous_step, train_step
from gan_jax.penalties import Regulariser, Term

# Memories of terms in the game.


def counting(by, every):
  """A term that counts, by other numbers, the acts of either player."""
  def act(step):
    return lambda memory, keys: (jnp.full(keys.shape[:1], memory['n']),
                                 {'n': memory['n'] + step})

  return Term('count', Regulariser(act(by), act(10 * by), memory={'n': 1.0}),
              1.0, every)


def test_a_lazy_term_remembers_what_it_acted_on():
  game = make_game(penalties=(counting(1.0, 2),), disc_steps=3)
  states, scalars = toy.play(game, steps=3)
  # Updates 0, 2, 4, 6, 8 of the discriminator, steps 0 and 2.
  assert [float(s.aux['count']['n']) for s in states] == [1, 3, 4, 6]
  assert [float(s.aux['count_gen']['n']) for s in states] == [1, 11, 11, 21]
  assert [s['penalty/count_gen'] for s in scalars] == [2, 0, 22]
  assert [s['memory/count_gen/n'] for s in scalars] == [11, 11, 21]


@pytest.mark.parametrize('every', [1, 2])
def test_a_simultaneous_step_keeps_what_both_remember(every):
  lecam = Term('lecam', penalties.lecam(start=0), 1.0, 1)
  game = make_game(penalties=(counting(1.0, every), lecam), unrolled_steps=1)
  state = toy.make_state(game)
  rule = jax.jit(partial(simultaneous_step, game=game))
  for i in range(3):
    state, _ = rule(state, make_batch(game, i), KEY)
  acts = len(range(0, 3, every))
  assert float(state.aux['count']['n']) == 1 + acts
  assert float(state.aux['count_gen']['n']) == 1 + 10 * acts
  assert float(state.aux['lecam']['updates']) == 3


@pytest.mark.parametrize('every', [1, 3])
def test_a_memory_of_another_structure_is_refused(every):
  term = Term('bad', Regulariser(
      lambda memory, keys: (jnp.zeros(keys.shape[:1]), {'m': 0.0}),
      memory={'n': 0.0}), 1.0, every)
  game = make_game(penalties=(term,))
  with pytest.raises(ValueError, match='[nm]'):
    jax.eval_shape(partial(train_step, game=game), toy.make_state(game),
                   make_batch(game), KEY)


def test_a_memory_that_was_not_announced_is_asked_for_in_vain():
  term = Term('bad', Regulariser(lambda memory, keys: None), 1.0, 1)
  game = make_game(penalties=(term,))
  with pytest.raises(ValueError, match='asks for memory'):
    jax.eval_shape(partial(train_step, game=game), toy.make_state(game),
                   make_batch(game), KEY)


def test_no_gradient_goes_through_a_memory():
  """... of an update into the next one, nor out of a lazy branch."""
  def act(params, memory, keys):
    return (jnp.full(keys.shape[:1], jnp.sum(params['v'])),
            {'sum': jnp.sum(params['v']) + 0.0 * memory['sum']})

  for every in (1, 2):
    game = make_game(penalties=(Term('t', Regulariser(
        act, memory={'sum': 0.0}), 1.0, every),))
    state, batch = toy.make_state(game), make_batch(game)

    def remembered(v, game=game, state=state, batch=batch):
      state = state.replace(disc=state.disc.replace(
          params=state.disc.params | {'v': v}))
      return train_step(state, batch, KEY, game=game)[0].aux['t']['sum']

    v = state.disc.params['v']
    assert float(jax.jit(remembered)(v)) == pytest.approx(
        float(v.sum()), rel=1e-5)
    np.testing.assert_array_equal(jax.jit(jax.grad(remembered))(v), 0.0 * v)


MLP = dict(generator=dict(name='mlp.Generator', widths=(8,)),
           discriminator=dict(name='mlp.Discriminator', widths=(8,)))


GAMES = {
    'memories of both players': dict(
        loss=dict(name='hinge'), gen_steps=2,
        augment=(dict(name='apa', p=0.5, kimg=0.02),),
        penalties=(dict(name='lecam', weight=0.3, start=1, every=2),
                   dict(name='historical_averaging', weight=0.1),
                   dict(name='path_length', weight=0.1, decay=0.3, every=2),
                   dict(name='pulling_away', weight=0.5)), **MLP),
    'semi-supervised, some labels': dict(
        loss=dict(name='non_saturating'), disc_steps=2,
        penalties=(dict(name='semi_supervised', weight=1.0),
                   dict(name='path_length', weight=0.1, decay=0.3),
                   dict(name='feature_matching', weight=1.0)),
        **MLP | dict(discriminator=dict(name='mlp.Discriminator', widths=(8,),
                                        noise=0.3))),
}


@pytest.mark.parametrize('name', [
    # Another game of memories is played in tests/config/test_rules.py.
    pytest.param(name, marks=pytest.mark.slow if name.startswith('memories')
                 else ()) for name in GAMES])
def test_four_devices_play_as_one(name, monkeypatch):
  monkeypatch.setitem(same_game.GAMES, name, GAMES[name])
  play = same_game.Play(name)
  if 'semi' in name:
    play.data = play.data._replace(label=np.where(
        np.arange(24) % 5, -1, play.data.label).astype(np.int32))
    # Batches of the labelled examples follow the others.
    play.indices = np.concatenate(
        [play.indices, play.indices // 5 * 5], axis=1)
  wanted = play.plain
  start = play.first().aux
  for memory, old in zip(jax.tree.leaves(wanted[0].aux), jax.tree.leaves(start),
                         strict=True):
    assert np.abs(memory - old).max() > 1e-4
  same_game.equal(play.on(4), wanted)
