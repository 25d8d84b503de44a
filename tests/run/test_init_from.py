"""A new run begins with the weights of another: which, from where, recorded."""

import json
import logging
import os
import re
import shutil
import types
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny
from written import warnings_of

from gan_jax.base.errors import CheckpointError, ConfigError, WorkdirError
from gan_jax.config import experiment
from gan_jax.config.experiment import DataInfo
from gan_jax.models import dcgan
from gan_jax.run import checkpoint, files, init_from, train
from gan_jax.run.checkpoint import Checkpoints

pytestmark = tiny.READS_CONFIGS

NET = dict(widths=(8, 8), norm='batch')
ADAM = dict(name='adam', learning_rate=1e-2, b1=0.5)


def _config(images, **changes):
  return tiny.config(images, **{**dict(
      generator=dict(name='mlp.Generator', **NET),
      discriminator=dict(name='mlp.Discriminator', widths=(8, 8)),
      gen_optimizer=ADAM, disc_optimizer=ADAM, sample_every=0), **changes})


def _unplayed(images, **changes):
  """An experiment of which nobody takes a step, so that none is traced."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(experiment.tracing, 'trace', lambda *_: None)
    return experiment.load(_config(images, **changes))


@pytest.fixture(scope='module')
def source(images, tmp_path_factory):
  """The run whose weights are taken, and its folder."""
  run = experiment.load(_config(images))
  folder = tmp_path_factory.mktemp('source')
  assert train.train(run, folder) == 0
  return run, folder


def start_from(folder, experiment, **kwargs):
  return init_from.start_from(experiment._replace(
      config=experiment.config | {'init_from': str(folder)}), **kwargs)


def _flat(tree):
  return {checkpoint.name_of(path): np.asarray(leaf)
          for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def test_weights_are_taken_and_nothing_else(source):
  run = source[0]  # Its start, which is not what the folder holds.
  init, record = start_from(source[1], run)
  fresh, got, there = _flat(run.init()), _flat(init()), _flat(
      tiny.saved(*source))
  assert set(got) == set(fresh)
  weights = [name for name in got if name.split('/')[0] in (
      'gen', 'disc', 'ema') and name.split('/')[1] in ('params', 'stats')]
  assert len(weights) > 20 and 'ema/stats/batch_stats/Norm_0/BatchNorm_0/mean' \
      in weights
  assert sorted(record['taken']) == sorted(weights) and record['left'] == []
  assert not any(np.array_equal(fresh[name], there[name]) for name in weights
                 if name.endswith('kernel'))
  for name, value in got.items():
    assert np.array_equal(
        value, (there if name in weights else fresh)[name]), name
  assert got['step'] == 0
  assert not any(np.any(value) for name, value in got.items()
                 if 'opt_state' in name)


def test_only_what_fits_is_taken_and_the_rest_is_listed(
    images, source, caplog):
  run = _unplayed(
      images, generator=dict(name='mlp.Generator', widths=(8, 6), norm='batch'),
      discriminator=dict(name='mlp.Discriminator', widths=(8,)))
  caplog.set_level(logging.INFO)
  init, record = start_from(source[1], run)
  got, fresh, there = _flat(init()), _flat(run.init()), _flat(
      tiny.saved(*source))
  assert 'gen/params/Dense_0/kernel' in record['taken']
  assert ('gen/params/Dense_1/kernel: float32[8, 8] (there) -> float32[8, 6] '
          '(here)') in record['left']
  assert ('disc/params/Dense_1/kernel: float32[8, 8] (there) -> absent (here)'
          in record['left'])
  for name in got:
    assert np.array_equal(got[name], (
        there if name in record['taken'] else fresh)[name]), name
  left = record['left']
  for i, line in enumerate(left):
    assert (line in caplog.text) == (i < 10)
  assert (f'step 4: took {len(record["taken"])} arrays and left {len(left)}, '
          'see launches.jsonl') in caplog.text


@pytest.mark.parametrize('conditioning', ['none', 'onehot'])
def test_classes_of_other_names_are_said_where_labels_count(
    images, source, tmp_path, caplog, conditioning):
  folder = shutil.copytree(source[1], tmp_path / 'there')
  info = json.loads((folder / 'data.json').read_text())
  (folder / 'data.json').write_text(json.dumps(
      info | {'class_names': ['bee', 'circle']}))
  run = _unplayed(images, generator=dict(
      name='mlp.Generator', **NET, conditioning=conditioning))
  for names, said in ((('bee', 'disc', 'wasp'), "'circle -> disc'"),
                      (('bee', 'circle', 'wasp'), ''), ((), '')):
    caplog.clear()
    start_from(folder, run._replace(info=run.info._replace(class_names=names)))
    warned = [text for text in warnings_of(caplog) if 'numbers' in text]
    assert len(warned) == bool(said and conditioning == 'onehot')
    assert all(said in text and 'bee' not in text for text in warned)


def test_the_source_and_its_digest_are_recorded_and_a_resumed_run_ignores_it(
    images, source, tmp_path):
  there = tmp_path / 'there'
  shutil.copytree(source[1], there)
  run = source[0]._replace(
      config=source[0].config | {'init_from': str(there)})
  assert train.train(run._replace(train_steps=2), tmp_path / 'run') == 0
  shutil.rmtree(there)  # Its own checkpoint wins: the source may be gone.
  assert train.train(run, tmp_path / 'run') == 0
  with open(tmp_path / 'run' / 'launches.jsonl') as file:
    first, second = map(json.loads, file)
  reader = Checkpoints(source[1])
  assert first['init_from'].items() >= {
      'workdir': str(there), 'step': 4, 'sha256': reader.digest(4),
      'left': []}.items()
  reader.close()
  assert len(first['init_from']['sha256']) == 64
  assert 'init_from' not in second
  assert tiny.finished(tmp_path / 'run') == [2, 4]
  # It is a fact of the run, not a setting that may change.
  with pytest.raises(WorkdirError, match='init_from: '):
    train.train(source[0], tmp_path / 'run')


def test_layers_that_are_frozen_stay_as_they_were_taken(
    images, source, tmp_path):
  """FreezeD: Mo et al. 2020, arXiv:2002.10964."""
  run = experiment.load(_config(images, seed=5, init_from=str(source[1]),
                                disc_frozen=('Dense_0',)))
  assert train.train(run, tmp_path) == 0
  there, got = _flat(tiny.saved(*source)), _flat(tiny.saved(run, tmp_path))
  kernel = 'disc/params/{}/kernel'
  assert np.array_equal(got[kernel.format('Dense_0')],
                        there[kernel.format('Dense_0')])
  assert not np.array_equal(got[kernel.format('Dense_1')],
                            there[kernel.format('Dense_1')])


def test_nothing_fits_nothing_there_and_damage(images, source, tmp_path):
  other = _unplayed(
      images, generator=dict(name='mlp.Generator', widths=(5, 6)),
      discriminator=dict(name='mlp.Discriminator', widths=(5, 6)))

  def bias_less():
    state = other.init()  # Final biases would fit any of these networks.
    return state.replace(gen=state.gen.replace(params={}),
                         ema=state.ema.replace(params={}),
                         disc=state.disc.replace(params={}))

  with pytest.raises(CheckpointError, match='none of its arrays fits this run'):
    start_from(source[1], other._replace(init=bias_less))
  with pytest.raises(CheckpointError, match='nowhere: no run with a check'):
    start_from(tmp_path / 'nowhere', other)
  assert not os.path.exists(tmp_path / 'nowhere')
  copy = shutil.copytree(source[1], tmp_path / 'copy')
  os.remove(copy / 'checkpoints' / '4' / '_METADATA')
  assert start_from(copy, source[0])[1]['step'] == 2
  with pytest.raises(CheckpointError, match='_METADATA: is missing'):
    start_from(copy, source[0], strict=True)


def test_a_player_of_which_nothing_comes_over_is_a_warning(
    images, source, caplog):
  run = _unplayed(
      images, generator=dict(name='mlp.Generator', widths=(50, 60)))
  start_from(source[1], run)
  # The bias of its last layer is all that fits.
  said, = warnings_of(caplog)
  assert said == (f'init_from {source[1]}: 1 % of the weights of the generator '
                  'are taken')


@pytest.mark.parametrize('changes, line', [
    (dict(image_range=(0.0, 1.0)),
     'image_range: [-1.0, 1.0] (checkpoint) -> [0.0, 1.0] (now)'),
    (dict(latent=dict(name='uniform', size=4)),
     "latent.name: 'normal' (checkpoint) -> 'uniform' (now)"),
    (dict(latent=dict(name='normal', size=5)),
     'latent.size: 4 (checkpoint) -> 5 (now)'),
    (dict(), 'channels: 1 (checkpoint) -> 3 (now)')])
def test_weights_that_mean_something_else_are_refused_by_name(
    source, changes, line):
  run, folder = source
  run = run._replace(config=run.config | changes, info=run.info._replace(
      image_shape=(8, 8, 1 if changes else 3)))
  with pytest.raises(CheckpointError, match='mean something else') as error:
    start_from(folder, run)
  assert str(error.value).splitlines()[1:] == [f'  {line}']


def _dcgan(size, width, seed):
  """What `start_from` looks at, of a DCGAN with weights of its own."""
  config = tiny.config('', generator=dict(name='dcgan.Generator'),
                       discriminator=dict(name='dcgan.Discriminator'))
  shape, label = (size, size, 1), np.zeros(2, np.int32)
  gen = dcgan.Generator(image_shape=shape, image_range=(-1, 1), num_classes=0,
                        width=width)
  disc = dcgan.Discriminator(num_classes=0, width=width)

  def init():
    def net(model, x):
      shapes = jax.eval_shape(partial(model.init, train=True),
                              jax.random.key(0), x, label)
      return {'params': shapes['params'],
              'stats': {k: v for k, v in shapes.items() if k != 'params'}}

    rng = np.random.default_rng(seed)
    gen_shapes = net(gen, np.zeros((2, 4), np.float32))
    return jax.tree.map(
        lambda x: jnp.asarray(rng.normal(size=x.shape), x.dtype),
        {'gen': gen_shapes, 'ema': gen_shapes,
         'disc': net(disc, np.zeros((2, *shape), np.float32))})

  info = DataInfo('x', shape, 9, 0, (), '', '')
  return types.SimpleNamespace(config=config, info=info, init=init,
                               train_steps=1, checkpoint_every=1)


@pytest.mark.parametrize('width, from_image', [(4, True), (2, False)])
def test_a_dcgan_that_grows_keeps_the_layers_of_the_same_resolution(
    tmp_path, caplog, width, from_image):
  """28 -> 64 px, one level more: at the image, or at the base if narrower."""
  small, large = _dcgan(28, 4, seed=0), _dcgan(64, width, seed=1)
  large.config['init_from'] = str(tmp_path / 'small')
  state, start = small.init(), large.init()
  with checkpoint.Checkpoints(tmp_path / 'small', keep=1) as checkpoints:
    checkpoints.save(1, state)
  files.write_launch(tmp_path / 'small', small, 0)
  large.init = lambda: start
  init, record = init_from.start_from(large)
  there, got, fresh = _flat(state), _flat(init()), _flat(start)
  pairs = {  # (here, there)
      True: [('gen/params/ConvTranspose_1', 'gen/params/ConvTranspose_0'),
             ('gen/params/ConvTranspose_3', 'gen/params/ConvTranspose_2'),
             ('ema/params/Norm_1/BatchNorm_0', 'ema/params/Norm_0/BatchNorm_0'),
             ('disc/params/Conv_0', 'disc/params/Conv_0'),
             ('disc/params/Conv_2', 'disc/params/Conv_2')],
      False: [('gen/params/Dense_0', 'gen/params/Dense_0'),
              ('gen/params/ConvTranspose_1', 'gen/params/ConvTranspose_1'),
              ('ema/params/Norm_2/BatchNorm_0',
               'ema/params/Norm_2/BatchNorm_0'),
              ('disc/params/Conv_2', 'disc/params/Conv_1'),
              ('disc/params/Conv_3', 'disc/params/Conv_2')]}[from_image]
  for here, wanted in pairs:
    leaf = 'scale' if 'Norm' in here else 'kernel'
    np.testing.assert_array_equal(got[f'{here}/{leaf}'],
                                  there[f'{wanted}/{leaf}'])
    assert f'{here}/{leaf}' in record['taken']
  new = 'gen/params/ConvTranspose_0' if from_image else 'disc/params/Conv_1'
  assert np.array_equal(got[f'{new}/kernel'], fresh[f'{new}/kernel'])
  assert any(line.startswith(f'{new}/kernel: ') for line in record['left'])
  assert not warnings_of(caplog)


def test_through_the_command_line_it_is_status_4_or_2(images, tmp_path, cli):
  status, _, said = cli('--config=critic_mlp:data=npz,quick',
                        f'--config.data.path={images}',
                        f'--workdir={tmp_path / "run"}',
                        '--config.init_from=nowhere')
  assert status == 4 and 'nowhere: no run with a checkpoint is there' in said
  (tmp_path / 'several' / 'member_0').mkdir(parents=True)
  with pytest.raises(CheckpointError, match='population; .* as .*/member_0$'):
    start_from(tmp_path / 'several', experiment.load(_config(images)))
  with pytest.raises(CheckpointError, match='weights of other programs are no'):
    init_from.start_from(experiment.load(_config(images, init_from=images)))
  with pytest.raises(ConfigError, match='init_from = 3: must be the workdir'):
    experiment.load(_config(images, init_from=3))


def _frozen(images, source):
  return experiment.load(_config(
      images, discriminator=dict(name='none.Discriminator'),
      loss=dict(name='none'), encoder=dict(name='mlp.Encoder', widths=(8,)),
      penalties=(dict(name='latent_regression', weight=1.0),),
      gen_frozen=('generator',), init_from=str(source[1])))


@pytest.fixture(scope='module')
def frozen(images, source):
  """A run of an encoder, for the generator of `source`."""
  return _frozen(images, source)


def test_an_encoder_begins_with_the_averaged_generator(frozen, source,
                                                       tmp_path, caplog):
  run = frozen
  assert train.train(run, tmp_path) == 0
  # Nothing is said of a discriminator that this game has not.
  assert not [said for said in warnings_of(caplog) if 'init_from' in said]
  there, got = _flat(tiny.saved(*source)), _flat(tiny.saved(run, tmp_path))
  averaged = {name: value for name, value in there.items()
              if name.startswith('ema/')}
  for name, value in averaged.items():
    rest = name.removeprefix('ema/').replace('params/', 'params/generator/')
    for part in ('gen', 'ema'):
      np.testing.assert_array_equal(got[f'{part}/{rest}'], value)
  fresh = _flat(run.init())
  encoder = [name for name in got if name.startswith('gen/params/encoder/')]
  assert encoder and all((got[name] != fresh[name]).any() for name in encoder)


@pytest.mark.parametrize('changes, line', [
    (dict(widths=(8, 9)), '  generator.widths: [8, 8] (checkpoint) -> [8, 9]'),
    (dict(activation='tanh'),
     "  generator.activation: 'leaky_relu' (checkpoint) -> 'tanh'"),
    (dict(), 'the generator is frozen, and arrays of it are not there')])
def test_a_frozen_generator_is_taken_whole_or_not_at_all(
    frozen, source, tmp_path, monkeypatch, changes, line):
  run = frozen._replace(config=frozen.config | {
      'generator': frozen.config['generator'] | changes})
  if not changes:
    monkeypatch.setattr(experiment.tracing, 'trace', lambda *_: None)
    run = _frozen(tiny.write_images(tmp_path / 'large.npz', size=9), source)
  with pytest.raises(CheckpointError, match=re.escape(line)):
    init_from.start_from(run)