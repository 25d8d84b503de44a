"""What may change between two launches of a run, and what is refused."""

import json
import shutil

import pytest
import tiny

from gan_jax.base.errors import CheckpointError, WorkdirError
from gan_jax.config import experiment
from gan_jax.run import train

pytestmark = tiny.READS_CONFIGS
_TRAIN = train.train  # which `not_compiled` replaces


@pytest.fixture
def finished(four_steps, tmp_path):
  """A copy of the folder of a run of four steps."""
  return shutil.copytree(four_steps, tmp_path / 'finished')


def test_another_config_is_refused_with_its_fields_unless_they_are_allowed(
    run, finished):
  other = run._replace(train_steps=6, config=run.config | dict(
      seed=1, loss=dict(name='non_saturating', label_smoothing=0.1),
      gen_optimizer=dict(name='sgd', learning_rate=0.1),
      penalties=(dict(name='r1', weight=1.0),)))
  before = (finished / 'config.json').read_bytes()
  with pytest.raises(WorkdirError, match='holds another run') as error:
    train.train(other, finished)
  first, *lines = str(error.value).splitlines()
  wanted = {
      'seed': '0 (checkpoint) -> 1 (now)',
      'loss.label_smoothing': 'absent (checkpoint) -> 0.1 (now)',
      'penalties[0].name': "absent (checkpoint) -> 'r1' (now)",
      'penalties[0].weight': 'absent (checkpoint) -> 1.0 (now)',
      'gen_optimizer.learning_rate': '0.05 (checkpoint) -> 0.1 (now)'}
  assert sorted(line.strip() for line in lines) == sorted(
      f'{path}: {said}' for path, said in wanted.items())
  assert (finished / 'config.json').read_bytes() == before
  # The message names the flag, which lets them be.
  flag = first.partition('--allow_changed=')[2].rstrip(':')
  assert sorted(flag.split(',')) == sorted(wanted)
  allowed = [path for path in flag.split(',') if path != 'seed']
  with pytest.raises(WorkdirError, match=r'\n  seed: 0 [^\n]*\Z'):
    train.train(other, finished, allow_changed=allowed)


def test_a_run_goes_on_with_another_rate_and_batch(
    images, finished, monkeypatch, caplog):
  changed = experiment.load(tiny.config(
      images, batch_size=4, train_steps=6,
      gen_optimizer=dict(name='sgd', learning_rate=0.1)))
  allowed = ('gen_optimizer', 'batch_size')  # all of the optimiser
  with pytest.raises(WorkdirError, match='batch_size: 8 .*'):
    train.train(changed, finished, allow_changed=allowed[:1])
  assert train.train(changed, finished, allow_changed=allowed) == 0
  assert 'gen_optimizer.learning_rate: 0.05 (checkpoint) -> 0.1 (now)' in (
      caplog.text)
  assert [row['step'] for row in tiny.rows(finished)] == [2, 4, 6]
  assert tiny.finished(finished)[-1] == 6
  with open(finished / 'launches.jsonl') as file:
    first, second = map(json.loads, file)
  assert 'changed' not in first
  assert sorted(second['changed']) == [
      'batch_size: 8 (checkpoint) -> 4 (now)',
      'gen_optimizer.learning_rate: 0.05 (checkpoint) -> 0.1 (now)']
  # It is the run's own config from now on, with the flag or without.
  for flags in ({}, dict(allow_changed=allowed)):
    assert train.train(changed._replace(train_steps=7), finished, **flags) == 0


def test_what_changes_arrays_is_refused_though_it_is_allowed(images, finished):
  wide = experiment.load(tiny.config(
      images, train_steps=8,
      discriminator=dict(name='mlp.Discriminator', widths=(9,))))
  with pytest.raises(CheckpointError, match=r'disc/params/Dense_0/kernel: '
                     r'float32\[64, 8\] .* float32\[64, 9\]'):
    train.train(wide, finished, allow_changed=('discriminator',))


def test_the_flag_allows_it(finished, tmp_path, cli):
  recipe = tmp_path / 'recipe.py'
  recipe.write_text(
      'import json\nfrom gan_jax.config.fields import plain\n'
      'from ml_collections import ConfigDict\n'
      'def get_config(arg=None):\n'
      f'  with open({str(finished / "config.json")!r}) as file:\n'
      '    return ConfigDict(plain(json.load(file)))\n')
  command = (f'--config={recipe}', f'--workdir={finished}',
             '--config.train_steps=5', '--config.gen_optimizer.learning_rate=1')
  status, _, said = cli(*command)
  assert status == 4 and '--allow_changed=gen_optimizer.learning_rate' in said
  assert cli(*command, '--allow_changed=gen_optimizer.learning_rate')[0] == 0
  assert tiny.finished(finished)[-1] == 5
  # Of a version that had one key more, the recipe knows nothing.
  recorded = json.loads((finished / 'config.json').read_text())
  recipe.write_text(recipe.read_text().replace(
      str(finished / 'config.json'), str(tmp_path / 'config.json')))
  (tmp_path / 'config.json').write_text(json.dumps(recorded))
  (finished / 'config.json').write_text(json.dumps(recorded | {'gone': 3}))
  status, _, said = cli(*command, '--config.gen_optimizer.learning_rate=1')
  assert status == 4 and 'gone: 3 (checkpoint) -> absent (now)' in said
  assert '--allow_changed=gone:' in said
  assert cli(*command, '--allow_changed=gone')[0] == 0
  assert 'gone' not in json.loads((finished / 'config.json').read_text())


def test_what_may_change_may_change(run, finished):
  times = dict(train_steps=6, log_every=6, sample_every=0, checkpoint_every=0)
  longer = run._replace(config=run.config | times | dict(
      sample_grid=(1, 3), keep_checkpoints=1, steps_per_call=3), **times)
  assert train.train(longer, finished) == 0
  assert tiny.finished(finished) == [6]
  assert [row['step'] for row in tiny.rows(finished)] == [2, 4, 6]
  with open(finished / 'config.json') as file:
    assert json.load(file)['train_steps'] == 6


def test_a_run_beyond_the_end_is_refused(run, finished):
  with pytest.raises(WorkdirError, match='at step 4, beyond train_steps = 2'):
    train.train(run._replace(train_steps=2), finished)


def test_changed_data_are_refused(run, finished, tmp_path, caplog):
  other = experiment.load(tiny.config(
      tiny.write_images(tmp_path / 'other.npz', seed=1)))
  with pytest.raises(WorkdirError, match='by --allow_changed_data:') as error:
    train.train(other, finished)
  assert f"fingerprint: '{run.info.fingerprint}'" in str(error.value)
  # What is allowed is data of the same shape.
  small = other._replace(info=other.info._replace(image_shape=(4, 4, 1)))
  with pytest.raises(WorkdirError, match='image_shape: '):
    train.train(small, finished, allow_changed_data=True)
  assert train.train(other, finished, allow_changed_data=True) == 0
  assert 'changed since the last launch:\n  name: ' in caplog.text
  # The old data elsewhere.
  again = experiment.load(tiny.config(
      tiny.write_images(tmp_path / 'copy.npz')))
  with pytest.raises(WorkdirError, match='fingerprint'):
    train.train(again, finished)
  assert again.info.fingerprint == run.info.fingerprint


def test_a_run_that_looks_at_no_label_goes_on_with_other_classes(
    finished, tmp_path):
  """As when images of a folder are sorted into folders of classes."""
  other = experiment.load(tiny.config(tiny.write_images(
      tmp_path / 'sorted.npz', classes=5), train_steps=6))
  assert other.info.num_classes == 5
  assert train.train(other, finished, allow_changed_data=True) == 0
  assert tiny.finished(finished)[-1] == 6


@pytest.mark.parametrize('name', ['config.json', 'data.json'])
def test_a_damaged_record_is_refused(run, finished, name):
  (finished / name).write_text('{"seed": 1')
  with pytest.raises(WorkdirError, match=f'{name} is damaged'):
    train.train(run, finished)


def test_a_folder_that_cannot_be_made_is_refused_before_anything_compiles(
    run, tmp_path, not_compiled):
  (tmp_path / 'file').write_text('')
  with pytest.raises(WorkdirError, match='is in the way and is no folder'):
    _TRAIN(run, tmp_path / 'file' / 'run')
