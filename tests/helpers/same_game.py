"""One game played under plain jit, vmap and on real devices."""

import functools

import drawing
import jax
import jax.numpy as jnp
import numpy as np
import tiny

from gan_jax import parallel
from gan_jax.config import experiment
from gan_jax.data.prepare import Source
from gan_jax.game.step import step_of
from gan_jax.parallel import Batch

STEPS, BATCH, RANGE = 4, 8, (-1.0, 1.0)
# With other seeds a ReLU may be so near 0 that rounding puts it on the other
# side: its gradient then differs by a thousandth.
SEED = 7
NORM = dict(widths=(8,), norm='batch')
_PLAIN = dict(
    loss=dict(name='non_saturating'), disc_steps=2, reuse_fakes=True,
    generator=dict(name='mlp.Generator', **NORM),
    discriminator=dict(name='mlp.Discriminator', **NORM))
GAMES = {
    'batch norm': _PLAIN,
    'batch norm, dragan': dict(
        _PLAIN, penalties=(dict(name='dragan', weight=1.0),)),
    'batch norm, wgan_gp, dragan': dict(
        _PLAIN, penalties=(dict(name='wgan_gp', weight=10.0),
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
    'networks that draw, zcr': dict(
        loss=dict(name='non_saturating'), **drawing.PAIR,
        penalties=(dict(name='zcr', weight=1.0, std=0.1),)),
    'stylegan2': dict(
        loss=dict(name='non_saturating'), disc_steps=1, reuse_fakes=False,
        generator=dict(name='stylegan2.Generator', width=4, max_width=8,
                       style=8, mapping_layers=2, conditioning='embedding'),
        discriminator=dict(name='stylegan2.Discriminator', width=4,
                           max_width=8, minibatch='none',
                           conditioning='projection'),
        penalties=(dict(name='r1', weight=1.0, every=2),
                   dict(name='path_length', weight=2.0, every=2))),
    'latent steps, batch norm': dict(
        loss=dict(name='non_saturating'),
        latent=dict(name='uniform', size=4),
        latent_steps=(dict(name='natural', damping=0.1, weight=1.0),),
        generator=dict(name='mlp.Generator', **NORM),
        discriminator=dict(name='mlp.Discriminator', widths=(8,))),
    'convolutions, batch norm, r1': dict(
        loss=dict(name='non_saturating'),
        generator=dict(name='dcgan.Generator', width=4),
        discriminator=dict(name='dcgan.Discriminator', width=4),
        penalties=(dict(name='r1', weight=0.1),)),
    'pairs with samples of an encoder': dict(
        loss=dict(name='non_saturating'), joint='sample',
        generator=dict(name='mlp.Generator', **NORM),
        encoder=dict(name='mlp.Encoder', widths=(8,), norm='layer'),
        # Smooth, so that gradients tell where they are taken.
        discriminator=dict(name='mlp.Discriminator', widths=(8,),
                           conditioning='onehot', activation='tanh'),
        penalties=tuple(dict(name=name, weight=0.1) for name in (
            'dragan', 'max_gp', 'zcr'))),
    'an autoencoder alone': dict(
        loss=dict(name='none'), discriminator=dict(name='none.Discriminator'),
        generator=dict(name='mlp.Generator', **NORM),
        encoder=dict(name='mlp.Encoder', widths=(8,)),
        penalties=(dict(name='elbo', weight=0.1, free_bits=0.05),)),
    'few labels': dict(
        loss=dict(name='disc_only'), disc_steps=2,
        generator=dict(name='mlp.Generator', **NORM),
        discriminator=dict(name='mlp.Discriminator', widths=(8,), noise=0.1),
        penalties=(dict(name='semi_supervised', weight=2.0, form='k'),
                   dict(name='feature_matching', weight=1.0))),
}


def _source(size):
  rng = np.random.default_rng(0)
  return Source(rng.integers(0, 256, (24, size, size, 1)).astype(np.uint8),
                np.arange(24, dtype=np.int32) % 3, 3, 'noise', '', '')


@functools.cache
class Play:
  """A game, its data and what is drawn of them."""

  def __init__(self, name):
    source = _source(28 if name.startswith('conv') else
                     8 if name.startswith('style') else 6)
    self.config = tiny.config('unused', **GAMES[name])
    self.info = experiment.info_of(source)
    self.data = parallel.Data(source.images, source.labels)
    # With a batch of labelled examples for each other one, where asked for.
    many = self.config['disc_steps'] * (1 + self.game(None).draws_labelled)
    count = STEPS, many, BATCH
    self.indices = np.random.default_rng(1).integers(
        0, 24, count).astype(np.int32)

  def game(self, axis_name):
    return experiment.make_game(self.config, self.info, STEPS,
                                axis_name=axis_name)

  @functools.cached_property
  def _first(self):
    return jax.device_get(experiment.initial_state(
        self.game(None), self.info, SEED))

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
    step = jax.jit(step_of(self.game(None), 'alternating'))
    state, found = self.first(), []
    for index in self.indices:
      state, scalars = step(state, self.batch(index), jax.random.key(SEED))
      found.append(scalars)
    return state, jax.tree.map(lambda *x: np.stack(x), *found)

  def mapped(self, shards=4):
    """vmap over shards of the batch, the state of every shard compared."""
    play = step_of(self.game(parallel.AXIS), 'alternating')

    def split(x):  # [S, B, ...] -> [shards, S, B / shards, ...]
      return np.moveaxis(x.reshape(x.shape[0], shards, -1, *x.shape[2:]), 1, 0)

    step = jax.jit(jax.vmap(
        lambda state, batch: play(state, batch, jax.random.key(SEED),
                                  pmean=parallel.pmean),
        in_axes=(None, 0), axis_name=parallel.AXIS))
    state, found = self.first(), []
    for index in self.indices:
      batch = self.batch(index)
      states, scalars = step(state, Batch(
          split(batch.image), split(batch.label),
          batch.position.reshape(shards, -1)))
      for shard in range(1, shards):
        equal(_at(states, shard), _at(states, 0), 1e-6)
      state = _at(states, 0)
      found.append(_at(scalars, 0))
    return state, jax.tree.map(lambda *x: np.stack(x), *found)

  def on(self, devices, step=None):
    """The real runner, on a mesh."""
    mesh = parallel.make_mesh(devices)
    runner = parallel.make_runner(
        step or step_of(self.game(parallel.AXIS), 'alternating'), mesh,
        seed=SEED, image_range=RANGE)
    return runner(parallel.replicate(self.first(), mesh),
                  parallel.replicate(self.data, mesh), self.indices)


def _at(tree, index):
  return jax.tree.map(lambda x: x[index], tree)


def equal(a, b, tolerance=1e-5):
  assert jax.tree.structure(a) == jax.tree.structure(b)
  for (path, x), y in zip(jax.tree_util.tree_leaves_with_path(a),
                          jax.tree.leaves(b), strict=True):
    np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance,
                               err_msg=jax.tree_util.keystr(path))
