"""Provenance, the same run, launches on other machines."""

import json
import os
import pathlib
import re
import shutil
import stat
import subprocess
import sys
import types

import numpy as np
import pytest
import tiny
from written import warnings_of

import gan_jax
from gan_jax import extractors, parallel, penalties
from gan_jax.base.errors import WorkdirError
from gan_jax.config import experiment
from gan_jax.config.experiment import DataInfo
from gan_jax.data import sources
from gan_jax.evaluators.scores import features_of_data
from gan_jax.run import changes, files, train


def test_provenance_is_json_and_names_the_versions():
  got = files.provenance()
  assert json.loads(json.dumps(got, allow_nan=False)) == got
  assert got['argv'] == sys.argv and got['host'] and got['started']
  assert got['python'] == '.'.join(map(str, sys.version_info[:3]))
  assert got['versions']['numpy'] == np.__version__
  # Where it is not installed, too; the package is built with the same number.
  assert got['versions']['gan_jax'] == gan_jax.__version__ != ''
  pyproject = pathlib.Path(tiny.ROOT, 'pyproject.toml').read_text()
  assert 'attr = "gan_jax.__version__"' in pyproject
  assert set(got['versions']) >= {'jax', 'jaxlib', 'flax', 'optax',
                                  'orbax-checkpoint'}
  assert set(got['git']) == {'commit', 'dirty'}


def _repository(folder):
  def git(*args):
    subprocess.run(['git', '-C', str(folder), '-c', 'user.name=x', '-c',
                    'user.email=x@x', *args], check=True, capture_output=True)
  package = folder / 'package'
  package.mkdir(parents=True)
  (package / '__init__.py').write_text('')
  git('init')
  git('add', '.')
  git('commit', '-m', 'x')
  return package


def test_git_state(tmp_path):
  package = _repository(tmp_path / 'repository')
  state = files._git_state(package)
  assert re.fullmatch('[0-9a-f]{40}', state['commit'])
  assert state['dirty'] is False
  (package.parent / 'results.txt').write_text('no code')
  assert files._git_state(package) == state
  (package.parent / 'my_loss.py').write_text('')  # new code counts
  assert files._git_state(package) == state | {'dirty': True}
  (package.parent / 'my_loss.py').unlink()
  (package / '__init__.py').write_text('1')
  assert files._git_state(package) == state | {'dirty': True}


def test_git_state_of_code_that_no_repository_tracks(tmp_path, monkeypatch):
  none = {'commit': '', 'dirty': False}
  assert files._git_state(tmp_path) == none
  package = _repository(tmp_path / 'repository')
  installed = package.parent / 'venv' / 'package'  # below one, not of it
  installed.mkdir(parents=True)
  (installed / '__init__.py').write_text('')
  assert files._git_state(installed) == none
  # In a git hook the environment names another repository.
  monkeypatch.setenv('GIT_DIR', str(package.parent / '.git'))
  assert files._git_state(tmp_path) == none
  monkeypatch.setenv('PATH', str(tmp_path))  # no git at all
  assert files._git_state(package) == none


@pytest.fixture
def labelled():
  """What is compared of a run of two classes whose game sees no label."""
  return types.SimpleNamespace(
      info=DataInfo('x', (2, 2, 1), 4, 2, (0, 1), 'f', '',
                    class_names=('ant', 'bee')),
      config={'joint': 'none', 'encoder': {'name': 'none.Encoder'}} | {
          key: {'name': f'mlp.{key.capitalize()}'}
          for key in ('generator', 'discriminator')},
      game=types.SimpleNamespace(draws_labelled=False, penalties=()))


def test_a_run_that_knows_fewer_facts_of_its_data_goes_on(tmp_path, labelled):
  """Of its data.json only the fields that it has are compared."""
  info, old = labelled.info, labelled.info._asdict()
  del old['class_names']
  (tmp_path / 'data.json').write_text(json.dumps(old))
  assert changes.check_same_run(tmp_path, labelled) == []
  (tmp_path / 'data.json').write_text(json.dumps(
      info._asdict() | {'class_names': ['ant', 'cow']}))
  with pytest.raises(WorkdirError, match='class_names'):
    changes.check_same_run(tmp_path, labelled)
  # A class of another name.
  assert len(changes.check_same_run(
      tmp_path, labelled, allow_changed_data=True)) == 1
  # A class of another number is another class to the networks.
  (tmp_path / 'data.json').write_text(json.dumps(
      info._asdict() | {'class_names': ['bee', 'cow']}))
  # Nothing in this game looks at labels.
  assert len(changes.check_same_run(
      tmp_path, labelled, allow_changed_data=True)) == 1
  # Nor do classes matter that are new, as of folders in a folder of images.
  for known in ({'num_classes': 0, 'classes': [], 'class_names': []},
                {'num_classes': 3, 'classes': [0, 1, 2]},
                {'label_columns': [['age', 20, 80]]}):
    (tmp_path / 'data.json').write_text(json.dumps(info._asdict() | known))
    with pytest.raises(WorkdirError, match='changes by --allow_changed_data'):
      changes.check_same_run(tmp_path, labelled)
    assert len(changes.check_same_run(
        tmp_path, labelled, allow_changed_data=True)) == len(known)


def test_another_number_of_a_class_is_refused_where_labels_matter(
    tmp_path, labelled):
  info, config = labelled.info, labelled.config
  acgan = types.SimpleNamespace(parts=penalties.acgan(num_classes=2))
  for knows in ({'config': config | {'generator': config['generator'] | {
      'conditioning': 'onehot'}}}, {'game': types.SimpleNamespace(
          draws_labelled=False, penalties=(acgan,))},
                {'game': types.SimpleNamespace(draws_labelled=True)}):
    told = types.SimpleNamespace(**vars(labelled) | knows)
    (tmp_path / 'data.json').write_text(json.dumps(
        info._asdict() | {'class_names': ['bee', 'cow']}))
    with pytest.raises(WorkdirError, match='bers: bee 0 -> 1; the ') as error:
      changes.check_same_run(tmp_path, told, allow_changed_data=True)
    assert 'allow_changed' not in str(error.value)
    # One that keeps its number is only of another name.
    renamed = info._replace(class_names=('bee', 'dog'))
    assert len(changes.check_same_run(
        tmp_path, types.SimpleNamespace(**vars(told) | {'info': renamed}),
        allow_changed_data=True)) == 1
    # Other classes, or columns of a label vector, are another network.
    for known in ({'num_classes': 3}, {'classes': [0]},
                  {'label_columns': [['age', 20, 80]]}):
      (tmp_path / 'data.json').write_text(json.dumps(info._asdict() | known))
      for allowed in (False, True):
        with pytest.raises(WorkdirError, match=[*known][0]):
          changes.check_same_run(tmp_path, told, allow_changed_data=allowed)


def test_where_the_list_of_files_lies_does_not_matter(tmp_path, labelled):
  """Nor need it still be there, nor what was said of the files be the same."""
  info = labelled.info
  here = info._replace(manifest=str(tmp_path / 'data.json'), notices=('x',))
  moved = types.SimpleNamespace(**vars(labelled) | {'info': here})
  gone = info._asdict() | {'manifest': str(tmp_path / 'gone')}
  (tmp_path / 'data.json').write_text(json.dumps(gone))
  assert changes.check_same_run(tmp_path, moved) == []
  (tmp_path / 'data.json').write_text(json.dumps(gone | {'fingerprint': 'g'}))
  with pytest.raises(WorkdirError, match="fingerprint: 'g'"):
    changes.check_same_run(tmp_path, moved)


def test_a_folder_without_a_run_names_the_runs_beside_it(tmp_path):
  runs = tmp_path / 'runs'
  for age, name in ((30, 'dcgan-seed=1'), (20, 'dcgan-seed=2'), (10, 'wgan')):
    (runs / name).mkdir(parents=True)
    (runs / name / 'config.json').write_text('{}')
    os.utime(runs / name / 'config.json', (1e9 - age, 1e9 - age))
  for asked, wanted in (('dcgan', 'dcgan-seed=2'),  # The newest of these.
                        ('wgna/', 'wgan'), ('xy', None), ('', 'wgan'),
                        ('dcgan-seed=1/checkpoints', 'dcgan-seed=1'),
                        ('wgan/config.json', 'wgan')):
    with pytest.raises(WorkdirError, match='give one') as raised:
      files.read_run(f'{runs}/{asked}')
    assert str(raised.value).endswith(
        f'give one, such as {runs}/{wanted}, with --workdir' if wanted
        else 'give one with --workdir')


@pytest.mark.parametrize('changes, words', [
    ({}, 'but not the same bits'),
    ({'discriminator': {'norm': 'batch', 'minibatch': 'std'}},
     'with discriminator.minibatch=std the '
     'batch is compared in 3 parts, before in 2, so that training differs')])
def test_a_launch_on_other_devices_says_what_is_not_the_same(
    tmp_path, monkeypatch, caplog, changes, words):
  run = types.SimpleNamespace(
      info=DataInfo('x', (2, 2, 1), 4, 0, (), '', ''), train_steps=4,
      checkpoint_every=2,
      config={'discriminator': dict(norm='batch', minibatch='none')} | changes)
  for count in (2, 3):
    monkeypatch.setattr(parallel, 'device_names', lambda n=count: ['cpu'] * n)
    files.write_launch(tmp_path, run, 2)
  assert caplog.messages[-1].startswith('on 3 devices, before on 2: ')
  assert caplog.messages[-1].endswith(words)


@pytest.mark.parametrize('launches, words', [
    ((('none', 4), ('state', 4)),
     "on 4 devices with shard='state', before on 4: the same batches and noise,"
     ' but not the same bits; with discriminator.minibatch=std the batch is '
     'compared in 1 parts, before in 4, so that training differs'),
    ((('state', 4), ('none', 2)),
     "on 2 devices, before on 4 with shard='state': the same batches and noise,"
     ' but not the same bits; with discriminator.minibatch=std the batch is '
     'compared in 2 parts, before in 1, so that training differs'),
    # The whole batch is compared, wherever it lies.
    ((('state', 4), ('state', 2)),
     "on 2 devices with shard='state', before on 4 with shard='state': the same"
     ' batches and noise, but not the same bits'),
    ((('state', 4), ('state', 4)), None)])
def test_a_launch_says_what_another_shard_changes(
    tmp_path, monkeypatch, caplog, launches, words):
  for shard, count in launches:
    monkeypatch.setattr(parallel, 'device_names', lambda n=count: ['cpu'] * n)
    files.write_launch(tmp_path, types.SimpleNamespace(
        info=DataInfo('x', (2, 2, 1), 4, 0, (), '', ''), train_steps=4,
        checkpoint_every=2,
        config={'shard': shard, 'discriminator': dict(minibatch='std')}), 2)
  assert [r.getMessage() for r in caplog.records
          if r.levelname == 'WARNING'] == [words] * bool(words)


def test_a_launch_on_other_cores_says_so(tmp_path, monkeypatch, caplog):
  run = types.SimpleNamespace(
      info=DataInfo('x', (2, 2, 1), 4, 0, (), '', ''), train_steps=4,
      checkpoint_every=2, config={})
  for count in (2, 2, 0, 2, 3):  # 0 is an accelerator.
    monkeypatch.setattr(parallel, 'cores', lambda n=count: n)
    files.write_launch(tmp_path, run, 2)
  said, = warnings_of(caplog)
  assert said.startswith('on 3 cores, before on 2: ')
  launches = tmp_path / 'launches.jsonl'
  with launches.open('a') as file:
    file.write('{"step": 2, "co')  # as a full disk leaves it
  files.write_launch(tmp_path, run, 2)
  assert [json.loads(line)['cores'] for line in
          launches.read_text().splitlines()] == [2, 2, 0, 2, 3, 3]


def test_all_files_follow_the_umask(images, run, pictures, tmp_path):
  """Those of the cache too, which others may be let read."""
  shutil.copytree(pictures, tmp_path / 'set')
  for path in (tmp_path / 'set').iterdir():
    os.utime(path, (1e9, 1e9))  # Of files just written no index is kept.
  umask = 0o015  # Nobody has it: no mode that is set by hand fits it.
  before = os.umask(umask)
  try:
    experiment.load(tiny.config(images))  # Writes to the cache.
    assert train.train(run, tmp_path / 'run') == 0
    source = sources.folder(path=tmp_path / 'set')
    features_of_data(extractors.random(), source, np.arange(4))
  finally:
    os.umask(before)
  seen = []
  for folder in ('run', 'cache'):
    for path in (tmp_path / folder).rglob('*'):
      wanted = (0o777 if path.is_dir() else 0o666) & ~umask
      assert stat.S_IMODE(path.stat().st_mode) == wanted, path
      seen.append(str(path.relative_to(tmp_path)))
  assert len(seen) > 38
  assert {'data', 'extractors', 'folders'} <= {n.split('/')[1] for n in seen}


def test_the_command_of_the_first_launch(tmp_path):
  argv = ['main.py', '--config', 'configs/dcgan.py:quick', '--workdir=x',
          '--config.loss.fake=-1.0', '--config.seed', '3']
  (tmp_path / 'launches.jsonl').write_text(
      json.dumps({'step': 0, 'argv': argv}) + '\n'
      + json.dumps({'step': 4, 'argv': ['main.py', '--config=other']}) + '\n')
  assert files.launched(tmp_path) == [
      ('config', 'configs/dcgan.py:quick'), ('config.loss.fake', '-1.0'),
      ('config.seed', '3')]
  assert files.launched(tmp_path / 'none') == []
