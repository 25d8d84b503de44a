"""A start that fails before its first step leaves nothing behind."""

import json
import shutil

import pytest
import tiny

from gan_jax.base.errors import CheckpointError, LockedError, WorkdirError
from gan_jax.config import experiment, population
from gan_jax.run import lock, populations, train
from gan_jax.run.start import starting

pytestmark = tiny.READS_CONFIGS


def _all(folder):
  """{path: content} of all files, None of folders."""
  return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None
          for p in folder.rglob('*')}


def _fails(*_, **__):
  raise MemoryError('no room on the device')


def _from_nowhere(run):
  return run._replace(config=run.config | {'init_from': 'nowhere'})


def _without_room(run):
  return run._replace(init=_fails)


@pytest.mark.parametrize('change, error', [
    (_from_nowhere, CheckpointError), (_without_room, MemoryError)])
def test_a_new_folder_goes_and_one_that_was_there_stays(
    run, tmp_path, change, error):
  with pytest.raises(error):
    train.train(change(run), tmp_path / 'new')
  assert not (tmp_path / 'new').exists()
  mine = tmp_path / 'mine'
  (mine / 'samples').mkdir(parents=True)
  (mine / 'log.txt').write_text('of a sweep')
  with pytest.raises(error):
    train.train(change(run), mine)
  assert _all(mine) == {'samples': None, 'log.txt': b'of a sweep'}
  # Nothing of it is in the way of the start that is meant.
  assert train.train(run._replace(train_steps=2), mine) == 0
  assert tiny.finished(mine) == [2]


def test_a_runner_that_does_not_compile_is_a_start_that_fails(
    run, tmp_path, monkeypatch):
  monkeypatch.setattr('gan_jax.run.states.runner_of', lambda *_: _fails)
  with pytest.raises(MemoryError):
    train.train(run, tmp_path / 'run')
  assert not (tmp_path / 'run').exists()


def test_a_population_goes_with_its_members(images, tmp_path):
  two = population.load(tiny.config(images, population=2, init_from='nowhere'))
  with pytest.raises(CheckpointError):
    populations.train(two, tmp_path / 'of' / 'both')
  assert not (tmp_path / 'of').exists()


def test_a_run_that_was_there_keeps_its_record(images, run, four_steps,
                                               tmp_path, monkeypatch):
  folder = shutil.copytree(four_steps, tmp_path / 'run')
  before = _all(folder)
  drawn = [(folder / name).stat().st_mtime_ns for name in (
      'curves.png', 'training.gif', 'report.md')]
  wide = experiment.load(tiny.config(images, train_steps=6, discriminator=dict(
      name='mlp.Discriminator', widths=(9,))))
  with pytest.raises(CheckpointError, match='give another --workdir'):
    train.train(wide, folder, allow_changed=('discriminator',))
  # No flag is named that does not help.
  with pytest.raises(WorkdirError, match='the weights have other shapes') as e:
    train.train(wide, folder)
  assert 'allow_changed' not in str(e.value)
  with pytest.raises(WorkdirError, match='--allow_changed=discriminator.leak'):
    train.train(run._replace(config=run.config | {
        'discriminator': run.config['discriminator'] | {'leak': 0.1}},
                             train_steps=6), folder)
  # The lock says who was there last.
  assert _all(folder) | {'lock': None} == before | {'lock': None}
  with monkeypatch.context() as patched:
    patched.setattr('gan_jax.run.states.runner_of', lambda *_: _fails)
    with pytest.raises(MemoryError):
      train.train(run._replace(train_steps=6), folder)
  after = _all(folder)
  for name in ('config.json', 'data.json', 'launches.jsonl', 'checkpoints/4',
               'scalars.jsonl'):
    assert after[name] == before[name], name
  assert len([*folder.glob('tensorboard/*')]) == 1
  assert drawn == [(folder / name).stat().st_mtime_ns for name in (
      'curves.png', 'training.gif', 'report.md')]
  # With the config that it has, it goes on; no flag is needed.
  assert train.train(run._replace(train_steps=6), folder) == 0
  assert tiny.finished(folder)[-1] == 6


def test_a_damaged_checkpoint_is_not_one_of_other_shapes(
    run, four_steps, tmp_path):
  folder = shutil.copytree(four_steps, tmp_path / 'run')
  for path in folder.glob('checkpoints/*/**/*'):
    if path.is_file():
      path.write_bytes(b'')
  with pytest.raises(WorkdirError, match='--allow_changed=batch_size'):
    train.train(run._replace(config=run.config | {'batch_size': 16},
                             train_steps=6), folder)


def test_after_a_step_all_is_kept(tmp_path):
  with pytest.raises(MemoryError):
    with starting(tmp_path / 'run') as begun:
      (tmp_path / 'run' / 'nonfinite.json').write_text('{}')
      begun()
      _fails()
  assert _all(tmp_path / 'run').keys() == {'lock', 'nonfinite.json'}


def test_the_folder_of_another_process_is_left_alone(tmp_path):
  with lock.hold(tmp_path / 'run'):
    (tmp_path / 'run' / 'config.json').write_text('{}')
    with pytest.raises(LockedError):
      with starting(tmp_path / 'run'):
        pass
    held = json.loads((tmp_path / 'run' / 'lock').read_text())
  assert held['pid'] and (tmp_path / 'run' / 'config.json').exists()
