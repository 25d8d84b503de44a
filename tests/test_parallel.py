"""One game on 1 or 4 devices, under plain jit and under vmap, is one game."""

import functools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny
from jax import lax

from gan_jax import experiment, parallel
from gan_jax.data.prepare import Source
from gan_jax.game import Batch
from gan_jax.step import train_step

STEPS, BATCH, SEED, RANGE = 4, 8, 5, (-1.0, 1.0)
NORM = dict(widths=(8,), norm='batch')
GAMES = {
    'batch norm, wgan_gp, dragan': dict(
        loss=dict(name='non_saturating'), disc_steps=2, reuse_fakes=True,
        generator=dict(name='mlp.Generator', **NORM),
        discriminator=dict(name='mlp.Discriminator', **NORM),
        penalties=(dict(name='wgan_gp', weight=10.0),
                   dict(name='dragan', weight=1.0))),
    'relativistic average, lazy r1': dict(
        loss=dict(name='relativistic_average'), disc_steps=2,
        reuse_fakes=False, max_grad_norm=1.0,
        generator=dict(name='mlp.Generator', conditioning='embedding', **NORM),
        discriminator=dict(name='mlp.Discriminator', widths=(8,),
                           conditioning='onehot'),
        augment=(dict(name='instance_noise'),),
        penalties=(dict(name='r1', weight=2.0, every=3),
                   dict(name='r2', weight=1.0))),
    'convolutions, batch norm, r1': dict(
        loss=dict(name='non_saturating'),
        generator=dict(name='dcgan.Generator', width=4),
        discriminator=dict(name='dcgan.Discriminator', width=4),
        penalties=(dict(name='r1', weight=0.1),)),
}


def _source(size):
  rng = np.random.default_rng(0)
  return Source(rng.integers(0, 256, (24, size, size, 1)).astype(np.uint8),
                np.arange(24, dtype=np.int32) % 3, 3, 'noise', '', '')


@functools.cache
class Play:
  """A game, its data and what is drawn of them."""

  def __init__(self, name):
    source = _source(28 if name.startswith('conv') else 6)
    self.config = tiny.config('unused', **GAMES[name])
    self.facts = experiment.facts_of(source)
    self.data = parallel.Data(source.images, source.labels)
    count = STEPS, self.config['disc_steps'], BATCH
    self.indices = np.random.default_rng(1).integers(
        0, 24, count).astype(np.int32)

  def game(self, axis_name):
    return experiment.make_game(self.config, self.facts, STEPS,
                                axis_name=axis_name)

  @functools.cached_property
  def _first(self):
    return jax.device_get(experiment.initial_state(
        self.game(None), self.facts.image_shape, SEED))

  def first(self):
    """A fresh copy of the state before the first step."""
    return jax.tree.map(jnp.array, self._first)

  def batch(self, index):
    """The batch [S, B, ...] of some indices, scaled by hand."""
    image = self.data.image[index].astype(np.float32) / 127.5 - 1.0
    return Batch(image, self.data.label[index], np.arange(BATCH))

  @functools.cached_property
  def plain(self):
    """Under jit alone: no axis, no pmean."""
    step = jax.jit(partial(train_step, game=self.game(None)))
    state, found = self.first(), []
    for index in self.indices:
      state, scalars = step(state, self.batch(index), jax.random.key(SEED))
      found.append(scalars)
    return state, jax.tree.map(lambda *x: np.stack(x), *found)

  def mapped(self, shards=4):
    """vmap over shards of the batch, the state of every shard compared."""
    game = self.game(parallel.AXIS)

    def split(x):  # [S, B, ...] -> [shards, S, B / shards, ...]
      return np.moveaxis(x.reshape(x.shape[0], shards, -1, *x.shape[2:]), 1, 0)

    step = jax.jit(jax.vmap(
        lambda state, batch: train_step(state, batch, jax.random.key(SEED),
                                        game=game, pmean=parallel.pmean),
        in_axes=(None, 0), axis_name=parallel.AXIS))
    state, found = self.first(), []
    for index in self.indices:
      batch = self.batch(index)
      states, scalars = step(state, Batch(
          split(batch.image), split(batch.label),
          batch.position.reshape(shards, -1)))
      for shard in range(1, shards):
        _equal(_at(states, shard), _at(states, 0), 1e-6)
      state = _at(states, 0)
      found.append(_at(scalars, 0))
    return state, jax.tree.map(lambda *x: np.stack(x), *found)

  def on(self, devices, step=None):
    """The real runner, on a mesh."""
    mesh = parallel.make_mesh(devices)
    runner = parallel.make_runner(
        step or partial(train_step, game=self.game(parallel.AXIS)), mesh,
        seed=SEED, image_range=RANGE)
    return runner(parallel.replicate(self.first(), mesh),
                  parallel.replicate(self.data, mesh), self.indices)


def _at(tree, index):
  return jax.tree.map(lambda x: x[index], tree)


def _equal(a, b, tolerance=1e-5):
  assert jax.tree.structure(a) == jax.tree.structure(b)
  for (path, x), y in zip(jax.tree_util.tree_leaves_with_path(a),
                          jax.tree.leaves(b), strict=True):
    np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance,
                               err_msg=jax.tree_util.keystr(path))


@pytest.mark.parametrize('name', GAMES)
def test_the_same_step_everywhere_plays_the_same_game(name):
  play = Play(name)
  wanted = play.plain
  assert int(wanted[0].step) == STEPS
  moved = [np.abs(a - b).max() for a, b in zip(
      jax.tree.leaves(wanted[0].gen.params),
      jax.tree.leaves(play.first().gen.params), strict=True)]
  assert max(moved) > 1e-3  # SGD that does nothing would be equal everywhere
  for title, got in (('1 device', play.on(1)), ('4 devices', play.on(4)),
                     ('vmap', play.mapped())):
    try:
      _equal(got, wanted)
    except AssertionError as e:
      raise AssertionError(f'{title}: {e}') from None


def _sum(tree):
  return lax.psum(tree, parallel.AXIS)


def _without_batch_norm_sync(game, play):
  other = play.game(None)
  return game._replace(gen=other.gen, disc=other.disc)


@pytest.mark.parametrize('mistake', ['sum', 'no pmean', 'same positions',
                                     'batch norm of each device',
                                     'scalars of each device'])
def test_the_comparison_sees(mistake):
  play = Play('batch norm, wgan_gp, dragan')
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
    _equal(play.on(4, step), wanted)
  if mistake == 'sum':  # ... and one device alone would never show it.
    _equal(play.on(1, step), wanted)


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
