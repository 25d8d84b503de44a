"""A trained run in Python: its functions, its frames, and what it refuses."""

import json
import pickle
from functools import partial

import jax
import numpy as np
import pytest
import tiny

from gan_jax import pictures
from gan_jax.base.errors import CheckpointError, RequestError, WorkdirError
from gan_jax.config import experiment
from gan_jax.data.pipeline import Batches
from gan_jax.game import sampling
from gan_jax.game.state import pack
from gan_jax.models import Critique
from gan_jax.models.batch_layers import minibatch_std
from gan_jax.run.evaluator import Evaluator
from gan_jax.views.trained import Trained

pytestmark = pytest.mark.usefixtures('untraced')


@pytest.fixture(scope='module')
def cgan(made_run):
  return Trained(str(made_run('cgan')))


@pytest.fixture(scope='module')
def plain(made_run):
  return Trained(str(made_run('plain')))


def test_images_are_those_of_the_averaged_weights(plain, made_run):
  run = experiment.load(plain.config)
  state = tiny.saved(run, made_run('plain'), 4)
  z = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
  wanted, _ = run.game.gen.apply(state.ema.params, state.ema.stats, z,
                                 np.zeros(5, np.int32), train=False)
  found = plain.generator(z, dtype='float32')
  assert found.dtype == np.float32
  np.testing.assert_allclose(found, wanted, atol=1e-6)
  images = plain.generator(z)
  assert (images.shape, images.dtype) == ((5, 8, 8, 1), np.uint8)
  np.testing.assert_array_equal(images, pictures.to_uint8(found))
  assert plain.step == 4
  params = plain.params
  jax.tree.map(np.testing.assert_array_equal, params['generator'],
               jax.device_get(state.ema.params))
  jax.tree.map(np.testing.assert_array_equal, params['discriminator'],
               jax.device_get(state.disc.params))


def test_all_that_draws_has_the_standing_statistics(made_run):
  run = Trained(str(made_run('standing')))
  z, label = run.latents(5), run.labels(5)
  drawn = run.generator(z, dtype='float32')
  generate = jax.jit(partial(sampling.generate, run.game.gen))
  for found in (jax.jit(run.function)(z, label),
                2 * jax.jit(run.decoder.decode)(z, label) - 1,
                generate(run.average, z, label)):
    np.testing.assert_allclose(found, drawn, atol=1e-5)
  running = generate(run.state.ema, z, label)
  assert np.abs(running - drawn).max() > 0.01


def test_samples_by_seed_class_and_truncation(cgan, plain):
  images = cgan.sample(5)
  np.testing.assert_array_equal(images, cgan.sample(9)[:5])
  np.testing.assert_array_equal(
      images, cgan.generator(cgan.latents(5), cgan.labels(5)))
  turn = cgan.sample(5, label='turn')
  np.testing.assert_array_equal(
      turn, cgan.generator(cgan.latents(5), [0, 1, 2, 0, 1]))
  twos = cgan.sample(3, label=2)
  np.testing.assert_array_equal(twos[2], turn[2])
  assert (twos[0] != turn[0]).any()
  assert (cgan.sample(5, seed=1) != images).any()
  assert np.abs(plain.latents(50, truncation=0.3)).max() <= 0.3
  assert np.abs(plain.latents(50)).max() > 1
  assert (plain.latents(2) != plain.latents(2, stream=1)).all()


def test_classes_are_asked_for_by_name(made_run):
  bees = Trained(str(made_run('bees')))
  assert bees.info.class_names == ('ant', 'bee')
  for asked in ('bee', '1', 1, ['bee', 'bee', 1]):
    assert bees.labels(3, asked).tolist() == [1, 1, 1]
  assert bees.labels(3, 'turn').tolist() == [0, 1, 0]
  np.testing.assert_array_equal(bees.sample(2, label='bee'),
                                bees.sample(2, label=1))
  with pytest.raises(RequestError, match="bea is.*did you mean 'bee'"):
    bees.sample(2, label='bea')


def test_labels_are_drawn_as_in_training_and_as_often_as_in_the_data(made_run):
  """Nine to one: one checkpoint had two Frechet distances."""
  bees = Trained(str(made_run('bees')))
  run = experiment.load(bees.config)
  evaluator = Evaluator(run)
  _, drawn = evaluator.draw(bees.state.ema, 7, 47)
  np.testing.assert_array_equal(drawn, bees.labels(47)[7:])
  assert drawn.dtype == np.int32 and np.bincount(drawn).tolist() == [4, 36]
  assert np.bincount(bees.labels(400)).tolist() == [40, 360]
  assert evaluator.protocol['labels'] == 'as in the data'
  assert bees.drawn_as() == 'labels drawn as in the data'
  # The order in which scores have always taken them.
  order = Batches(40, 40, 0)(0, 1)[0]
  np.testing.assert_array_equal(bees.labels(40), run.source.labels[order])


def test_labels_of_balanced_data_are_drawn_equally_often(made_run):
  bees = Trained(str(made_run('bees')))
  run = experiment.load(bees.config | dict(
      data=bees.config['data'] | dict(balanced=True)))
  _, drawn = Evaluator(run).draw(bees.state.ema, 0, 5)
  assert drawn.tolist() == [0, 1, 0, 1, 0]
  assert Evaluator(run).protocol['labels'] == 'equally often'
  assert 'labels' not in Evaluator(experiment.load(bees.config | dict(
      generator=dict(name='mlp.Generator', widths=(8,)),
      discriminator=dict(name='mlp.Discriminator', widths=(8,))))).protocol


def test_a_run_without_labels_takes_classes_in_turn(copied_run, caplog):
  folder = copied_run('cgan')
  (folder / 'labels.npy').unlink()
  run = Trained(str(folder))
  with caplog.at_level('INFO', 'gan_jax'):
    assert run.labels(5).tolist() == [0, 1, 2, 0, 1]
  assert 'all classes in turn' in caplog.text
  assert run.drawn_as() == 'classes in turn'
  (folder / 'labels.npy').write_bytes(b'x')
  with pytest.raises(WorkdirError, match='damaged'):
    Trained(str(folder)).labels(5)


def test_logits_of_bytes_and_of_floats(cgan):
  images = cgan.sample(4)
  logits = cgan.discriminator(images, [0, 1, 2, 0])
  disc = cgan.state.disc
  wanted, _ = cgan.game.disc.apply(
      disc.params, disc.stats, images / np.float32(127.5) - 1,
      np.array([0, 1, 2, 0], np.int32), train=False)
  assert logits.shape == (4,)
  np.testing.assert_allclose(logits, wanted.logits, atol=1e-5)
  np.testing.assert_allclose(logits, cgan.discriminator(
      images / np.float32(127.5) - 1, [0, 1, 2, 0]), atol=1e-5)
  assert (logits != cgan.discriminator(images, 1)).any()
  many = cgan.sample(300)  # More than are judged at a time.
  np.testing.assert_allclose(
      cgan.discriminator(many, 1)[[0, 299]],
      cgan.discriminator(many[[0, 299]], 1), atol=1e-5)


def test_a_label_for_the_discriminator_alone(made_run, monkeypatch):
  run = Trained(str(made_run('cgan')))
  monkeypatch.setattr(run, 'conditional', False)  # of the generator
  images = np.zeros((2, 8, 8, 1), np.uint8)
  assert (run.discriminator(images, 0) != run.discriminator(images, 1)).all()


def test_packs_are_judged_as_packs(made_run, monkeypatch):
  run = Trained(str(made_run('plain')))
  assert run.step == 4  # Read as it is, without packs.
  monkeypatch.setitem(run.config, 'packing', 2)
  seen = []

  def judge(params, stats, images, label, *, train, keys=None):
    seen.append((images.shape, label.shape))
    return Critique(images.sum((1, 2, 3)), None, {}), stats

  run.game = run.game._replace(disc=run.game.disc._replace(apply=judge),
                               packing=2)
  images = np.random.default_rng(0).uniform(
      -1, 1, (6, 8, 8, 1)).astype(np.float32)
  found = run.discriminator(images)
  assert seen == [((3, 8, 8, 2), (3,))]
  np.testing.assert_allclose(found, pack(images, 2).sum((1, 2, 3)), rtol=1e-4)
  with pytest.raises(RequestError, match='N a multiple of 2'):
    run.discriminator(images[:3])


def test_images_that_do_not_divide_into_groups_are_refused(
    made_run, monkeypatch):
  run = Trained(str(made_run('plain')))
  monkeypatch.setitem(run.config, 'discriminator', dict(
      name='mlp.Discriminator', minibatch='std'))

  def judge(params, stats, images, label, *, train, keys=None):
    spread = minibatch_std(images.reshape(len(images), -1))[:, -1]
    return Critique(spread, None, {}), stats

  run.game = run.game._replace(disc=run.game.disc._replace(apply=judge))
  images = np.zeros((7, 8, 8, 1), np.float32)
  with pytest.raises(RequestError, match='7 images: a batch of 7 does not divi'
                                         'de into .*; use a multiple of 4'):
    run.discriminator(images)
  # Of equal images: sqrt(0 + 1e-8).
  np.testing.assert_allclose(run.discriminator(images[:6]), 1e-4, rtol=1e-3)


def test_points(made_run):
  run = Trained(str(made_run('ring')))
  points = run.sample(7)
  assert (points.shape, points.dtype) == ((7, 2), np.float32)
  assert run.discriminator(points).shape == (7,)


def test_floats_are_in_the_units_of_the_data(made_run):
  run = Trained(str(made_run('floats')))
  z = run.latents(5)
  found, stored, plain = (run.generator(z, dtype=name)
                          for name in ('data', 'stored', 'float32'))
  np.testing.assert_array_equal(stored, plain)  # tanh is in [-1, 1]
  # -1 is -1,000 and 1 is 3,000.
  np.testing.assert_allclose(found, 1000 + 2000 * stored, atol=1e-3)
  np.testing.assert_array_equal(run.sample(5), found)
  disc = run.state.disc
  wanted, _ = run.game.disc.apply(disc.params, disc.stats, stored,
                                  np.zeros(5, np.int32), train=False)
  np.testing.assert_allclose(run.discriminator(found), wanted.logits,
                             atol=1e-4)
  with pytest.raises(RequestError, match='uint8; give floats in'):
    run.discriminator(np.zeros((2, 8, 8, 1), np.uint8))
  with pytest.raises(RequestError, match=r'4000; floats .*-1000.*3000'):
    run.discriminator(np.full((2, 8, 8, 1), 4000.0))


def test_what_was_written_as_frames(copied_run):
  folder = copied_run('plain')
  run = Trained(str(folder))
  assert not len(run.scalars()) and not len(run.scores())
  (folder / 'scalars.jsonl').write_text(
      '{"step": 2, "loss/gen": 1.5}\n{"step": 4, "loss/gen": null}\n{"st')
  (folder / 'scores.jsonl').write_text(json.dumps(
      {'step': 4, 'name': 'fd_random_2k_train', 'value': 2.5, 'floor': 0.1}))
  scalars = run.scalars()
  assert scalars.index.tolist() == [2, 4]
  assert scalars['loss/gen'][2] == 1.5 and np.isnan(scalars['loss/gen'][4])
  assert run.scores().to_dict('records') == [
      {'step': 4, 'name': 'fd_random_2k_train', 'value': 2.5, 'floor': 0.1}]


def test_a_checkpoint_by_its_step(made_run):
  early = Trained(str(made_run('plain')), step=2)
  late = Trained(str(made_run('plain')))
  assert (early.step, late.step) == (2, 4)
  assert (early.sample(4) != late.sample(4)).any()
  assert repr(early).endswith('plain at step 2>')
  assert repr(Trained(str(made_run('plain')))).endswith('plain>')


def ask(name, *args, **kwargs):
  return lambda run: getattr(run, name)(*args, **kwargs)


@pytest.mark.parametrize('request_, words', [
    (ask('generator', np.zeros((3, 5))), r'\[3, 5\]; .* takes \[N, 4\]'),
    (ask('generator', np.zeros(4)), r'\[4\]; .* takes \[N, 4\]'),
    (ask('generator', np.zeros((0, 4))), 'N 1 or more'),
    (ask('generator', np.zeros((2, 4)), dtype='int8'), "dtype='int8'"),
    (ask('generator', np.zeros((2, 4)), label=[0, 1, 2]), 'one for each'),
    (ask('generator', np.zeros((2, 4)), label=[0, 7]), r'7 .* \(0, 1, 2\)'),
    (ask('sample', 0), '0 images'), (ask('sample', seed=-1), r'2\*\*32'),
    (ask('sample', seed=1.5), 'seed=1.5 must be a whole number'),
    (ask('sample', truncation=0.01), '0.05'),
    (ask('sample', label=3), 'not one of the classes'),
    (ask('sample', truncation=0), '0.05'),
    (ask('discriminator', np.zeros((2, 9, 9, 1))), r'takes \[N, 8, 8, 1\]'),
    (ask('discriminator', np.zeros((2, 8, 8, 1))), 'looks at the label'),
    (ask('discriminator', np.full((2, 8, 8, 1), 255.0)), '255; floats must be'),
    (ask('sample', 2.5), '2.5 images'),
    (ask('discriminator', np.zeros((2, 8, 8, 1)), label=3), 'not one of'),
    (ask('discriminator', np.zeros((2, 8, 8, 1), int), label=1), 'int64'),
])
def test_what_a_run_cannot_be_asked_for(cgan, request_, words):
  with pytest.raises(RequestError, match=words):
    request_(cgan)


def test_a_class_of_a_run_without_classes(plain):
  with pytest.raises(RequestError, match='not conditional'):
    plain.sample(4, label=0)


def test_no_run_no_checkpoint_no_such_step(copied_run, tmp_path):
  with pytest.raises(WorkdirError):
    Trained(str(tmp_path / 'none'))
  with pytest.raises(CheckpointError, match='3'):
    _ = Trained(str(copied_run('plain')), step=3).state
  folder = copied_run('plain', 'other')
  for path in (folder / 'checkpoints').rglob('*'):
    if path.is_file():
      path.write_bytes(pickle.dumps(0))
  with pytest.raises(CheckpointError):
    _ = Trained(str(folder)).state
