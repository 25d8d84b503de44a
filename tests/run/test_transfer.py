"""A new run begins with the weights of another: which, from where, recorded."""

import json
import logging
import os
import shutil

import jax
import numpy as np
import pytest
import tiny

from gan_jax import main
from gan_jax.base.errors import CheckpointError, ConfigError, WorkdirError
from gan_jax.config import experiment
from gan_jax.run import checkpoint, init_from, train
from gan_jax.run.checkpoint import Checkpoints

pytestmark = [tiny.READS_CONFIGS, pytest.mark.usefixtures('no_pictures')]

NET = dict(widths=(8, 8), norm='batch')
ADAM = dict(name='adam', learning_rate=1e-2, b1=0.5)


def _config(images, **changes):
  return tiny.config(images, **{**dict(
      generator=dict(name='mlp.Generator', **NET),
      discriminator=dict(name='mlp.Discriminator', widths=(8, 8)),
      gen_optimizer=ADAM, disc_optimizer=ADAM, sample_every=0), **changes})


@pytest.fixture(scope='module')
def source(images, tmp_path_factory):
  """The run whose weights are taken, and its folder."""
  run = experiment.load(_config(images))
  folder = tmp_path_factory.mktemp('source')
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(train._Loop, 'draw', lambda self: None)
    assert train.train(run, folder) == 0
  return run, folder


def _flat(tree):
  return {checkpoint.name_of(path): np.asarray(leaf)
          for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def test_weights_are_taken_and_nothing_else(images, source):
  run = experiment.load(_config(images, seed=5))
  init, record = init_from.start_from(str(source[1]), run.init)
  fresh, got, there = _flat(run.init()), _flat(init()), _flat(
      tiny.saved(*source))
  assert set(got) == set(fresh)
  weights = [name for name in got if name.split('/')[0] in (
      'gen', 'disc', 'ema') and name.split('/')[1] in ('params', 'stats')]
  assert len(weights) > 20 and 'ema/stats/batch_stats/Norm_0/BatchNorm_0/mean' \
      in weights
  assert sorted(record['taken']) == sorted(weights) and record['left'] == []
  for name, value in got.items():
    assert np.array_equal(
        value, (there if name in weights else fresh)[name]), name
  assert got['step'] == 0
  assert not any(np.any(value) for name, value in got.items()
                 if 'opt_state' in name)


def test_only_what_fits_is_taken_and_the_rest_is_listed(
    images, source, caplog):
  run = experiment.load(_config(
      images, generator=dict(name='mlp.Generator', widths=(8, 6), norm='batch'),
      discriminator=dict(name='mlp.Discriminator', widths=(8,))))
  caplog.set_level(logging.INFO)
  init, record = init_from.start_from(str(source[1]), run.init)
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
  for line in record['taken'] + record['left']:
    assert line in caplog.text
  assert f'step 4: took {len(record["taken"])} arrays' in caplog.text


def test_the_source_and_its_digest_are_recorded_and_a_resumed_run_ignores_it(
    images, source, tmp_path):
  there = tmp_path / 'there'
  shutil.copytree(source[1], there)
  run = experiment.load(_config(images, seed=5, init_from=str(there)))
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
    train.train(experiment.load(_config(images, seed=5)), tmp_path / 'run')


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
  other = experiment.load(_config(
      images, generator=dict(name='mlp.Generator', widths=(5, 6)),
      discriminator=dict(name='mlp.Discriminator', widths=(5, 6))))
  start = init_from.start_from

  def bias_less():
    state = other.init()  # Final biases would fit any of these networks.
    return state.replace(gen=state.gen.replace(params={}),
                         ema=state.ema.replace(params={}),
                         disc=state.disc.replace(params={}))

  with pytest.raises(CheckpointError, match='none of its arrays fits this run'):
    start(str(source[1]), bias_less)
  with pytest.raises(CheckpointError, match='no checkpoint of step any'):
    start(str(tmp_path / 'nowhere'), other.init)
  assert not os.path.exists(tmp_path / 'nowhere')
  copy = tmp_path / 'copy'
  shutil.copytree(source[1], copy)
  os.remove(copy / 'checkpoints' / '4' / '_METADATA')
  assert start(str(copy), experiment.load(_config(images)).init)[1]['step'] == 2
  with pytest.raises(CheckpointError, match='_METADATA: is missing'):
    start(str(copy), other.init, strict=True)


def test_through_the_command_line_it_is_status_4_or_2(
    images, tmp_path, capsys):
  args = ['main', '--config=configs/critic_mlp.py:data=npz,quick',
          f'--config.data.path={images}', f'--workdir={tmp_path / "run"}']
  assert main.main([*args, '--config.init_from=nowhere']) == 4
  assert 'no checkpoint of step any in' in capsys.readouterr().err
  with pytest.raises(ConfigError, match='init_from = 3: must be the workdir'):
    experiment.load(_config(images, init_from=3))
