"""config.shard='state': the state lies split over the devices."""

import types

import drawing
import jax
import numpy as np
import pytest
import tiny

from gan_jax import parallel
from gan_jax.base.errors import ConfigError
from gan_jax.config import experiment, population
from gan_jax.run import checkpoint, init_from, member, states, train

CLOSE = dict(rtol=2e-4, atol=2e-5)


@pytest.fixture(scope='module', params=[
    dict(name='mlp.Generator', widths=(32,), norm='batch'),
    # Its convolutions compile for long.
    pytest.param(dict(name='dcgan.Generator', width=8),
                 marks=pytest.mark.slow)], ids=lambda spec: spec['name'])
def sharded(images, request):
  # Of gradients that are 0 but for rounding Adam would make whole steps.
  adam = dict(name='adam', learning_rate=0.01, b1=0.5, eps=1e-3)
  return experiment.load(tiny.config(
      images, shard='state', gen_optimizer=adam, disc_optimizer=adam,
      generator=request.param, discriminator=drawing.PAIR['discriminator']))


def whole(run):
  return experiment.load({**run.config, 'shard': 'none'})


def test_it_is_the_same_run_but_for_rounding_and_resumes_unsharded(
    sharded, tmp_path):
  """Of a network with batch norm, and of one that draws."""
  alone = whole(sharded)
  train.train(sharded, str(tmp_path / 'split'))
  train.train(alone, str(tmp_path / 'whole'))
  for mine, theirs in zip(tiny.rows(tmp_path / 'split'),
                          tiny.rows(tmp_path / 'whole'), strict=True):
    np.testing.assert_allclose(list(mine.values()), list(theirs.values()),
                               **CLOSE)
  for folder in ('split', 'whole'):
    train.train(alone._replace(train_steps=6), str(tmp_path / folder))
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **CLOSE),
               tiny.saved(sharded, tmp_path / 'split'),
               tiny.saved(sharded, tmp_path / 'whole'))


@pytest.mark.slow
def test_networks_draw_the_same(images, tmp_path):
  run = experiment.load(tiny.config(images, shard='state', **drawing.PAIR))
  for name, one in (('split', run), ('whole', whole(run))):
    train.train(one, str(tmp_path / name))
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **CLOSE),
               *(tiny.saved(run, tmp_path / name)
                 for name in ('split', 'whole')))


def test_minibatch_layers_and_packs_have_the_whole_batch(images):
  """Of 4 examples on 4 devices, 2 packs: as on one device, that has them all.
  """
  run = experiment.load(tiny.config(
      images, shard='state', batch_size=4, packing=2,
      discriminator=dict(name='mlp.Discriminator', widths=(8,),
                         minibatch='std')))
  lone = experiment.load({**run.config, 'shard': 'none'}, devices=1)
  call, found = run.batches(0, 2).reshape(2, 1, -1), []
  for one, count in ((run, 4), (lone, 1)):
    mesh = parallel.make_mesh(count)
    data = parallel.replicate(parallel.Data(
        one.source.images[:], one.source.labels), mesh)
    state = (parallel.made(run.init, mesh, sharded=True) if one is run else
             parallel.copy(parallel.replicate(one.init(), mesh)))
    found.append(states.runner_of(one, mesh)(state, data, call))
  jax.tree.map(lambda a, b: np.testing.assert_allclose(
      np.asarray(a), np.asarray(b), **CLOSE), *found)


def test_a_device_holds_a_quarter_of_the_large_arrays(sharded):
  mesh = parallel.make_mesh(4)
  state = parallel.made(sharded.init, mesh, sharded=True)
  runner = states.runner_of(sharded, mesh)
  data = parallel.replicate(parallel.Data(
      sharded.source.images[:], sharded.source.labels), mesh)
  call = sharded.batches(0, 2).reshape(2, 1, -1)
  for _ in range(2):  # As made, and as a call leaves it.
    for x in jax.tree.leaves(state):
      part = x.addressable_shards[0].data.size
      assert part == (x.size // 4 if any(n % 4 == 0 for n in x.shape)
                      else x.size)
    state, _ = runner(state, data, call)
  assert sum(x.addressable_shards[0].data.nbytes
             for x in jax.tree.leaves(state)) < 0.3 * sum(
                 x.nbytes for x in jax.tree.leaves(state))


def test_what_it_does_not_go_with_is_named(sharded, monkeypatch):
  with pytest.raises(ConfigError, match='spread over the devices whole'):
    population.load({**sharded.config, 'population': 2})
  monkeypatch.setattr(parallel, 'processes', lambda: (0, 2))
  with pytest.raises(ConfigError, match='of one process'):
    experiment.load(sharded.config)


@pytest.mark.usefixtures('no_constants')
def test_weights_of_another_run_lie_split_and_in_no_program(sharded, tmp_path):
  there = jax.tree.map(lambda x: x + 1, sharded.init())
  with checkpoint.Checkpoints(tmp_path, keep=1) as checkpoints:
    checkpoints.save(1, there)
  run = sharded._replace(config=sharded.config | {'init_from': str(tmp_path)})
  run = run._replace(init=init_from.start_from(run)[0])
  state = member.Member.first_state(types.SimpleNamespace(experiment=run), 0)
  for part in (state.gen.params, state.disc.params, state.ema):
    for x in jax.tree.leaves(part):
      assert x.addressable_shards[0].data.size == (
          x.size // 4 if any(n % 4 == 0 for n in x.shape) else x.size)
  jax.tree.map(np.testing.assert_array_equal,
               (state.gen.params, state.disc.params, state.ema),
               (there.gen.params, there.disc.params, there.ema))
  jax.tree.map(np.testing.assert_array_equal, state.gen.opt_state,
               sharded.init().gen.opt_state)
