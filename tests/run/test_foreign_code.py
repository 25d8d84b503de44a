"""What is loaded runs no code but the user's own."""

import importlib
import json
import os
import site
import sys

import pytest
import tiny

from gan_jax.base.errors import WorkdirError
from gan_jax.run import files

INFO = {'image_shape': [8, 8, 1]}


def run_of(folder, **changes):
  """A folder as a run leaves it, with a config that somebody has edited."""
  folder.mkdir()
  (folder / 'config.json').write_text(json.dumps(
      tiny.config('x.npz') | changes))
  (folder / 'data.json').write_text(json.dumps(INFO))
  return str(folder)


@pytest.mark.parametrize('changes', [
    dict(loss=dict(name='subprocess:getoutput', cmd='touch canary')),
    dict(loss=dict(name='subprocess:getoutput:x')),  # It would be imported.
    dict(penalties=[dict(name='os:system', weight=1.0)]),
    dict(generator=dict(name='mlp.Generator', norm='builtins:exec')),
    dict(data=dict(name='numpy:load', file='x.npy', allow_pickle=True)),
    dict(gen_optimizer=dict(name='jax.experimental.io_callback:x'))])
def test_a_run_cannot_call_what_is_installed(tmp_path, monkeypatch, changes):
  monkeypatch.chdir(tmp_path)
  with pytest.raises(WorkdirError, match='config.json names .* installed'):
    files.read_run(run_of(tmp_path / 'run', **changes))
  assert not os.path.exists('canary')


@pytest.mark.parametrize('name', [
    'hinge', 'my_lab_ideas:mine', 'not_there:mine', 'gan_jax.losses:hinge',
    ':mine', 'random'])  # The name of an extractor, and of a module.
def test_the_users_own_modules_may_be_named(tmp_path, monkeypatch, name):
  # This package may be installed.
  monkeypatch.setattr(site, 'getusersitepackages', lambda: tiny.ROOT)
  (tmp_path / 'my_lab_ideas.py').write_text('raise ImportError("too early")')
  monkeypatch.syspath_prepend(tmp_path)
  folder = run_of(tmp_path / 'run', loss=dict(name=name))
  with pytest.raises(WorkdirError, match='data.json is of another version'):
    files.read_run(folder)  # Its info are, but the config was taken.


def evil(path, canary):
  """A module that, imported, would make a folder."""
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(f'import os\nos.mkdir({str(canary)!r})\n')


@pytest.fixture
def start(tmp_path, monkeypatch):
  """The folder that one starts from, with nothing of it imported yet."""
  monkeypatch.chdir(tmp_path)
  monkeypatch.syspath_prepend(tmp_path)
  importlib.invalidate_caches()
  before = set(sys.modules)
  yield tmp_path
  for name in set(sys.modules) - before:
    del sys.modules[name]


@pytest.mark.parametrize('file, name', [
    ('runs/stranger/evil.py', 'runs.stranger.evil:x'),
    ('runs/stranger/evil/__init__.py', 'runs.stranger.evil:x'),
    ('runs/beside.py', 'runs.beside:x'),
    ('runs/other/evil.py', 'runs.other.evil:x-y'),
    ('lab/other-run/evil.py', 'lab.other-run.evil:x')])
def test_a_run_cannot_bring_its_code_along(start, file, name):
  """A folder without __init__.py can be imported from, too."""
  for one in ('config.json', 'data.json'):  # Another working directory.
    (start / 'lab' / 'other-run').mkdir(parents=True, exist_ok=True)
    (start / 'lab' / 'other-run' / one).write_text('{}')
  (start / 'runs').mkdir()
  folder = run_of(start / 'runs' / 'stranger', loss=dict(name=name))
  evil(start / file, start / 'canary')
  with pytest.raises(WorkdirError, match='config.json names .* folder of runs'):
    files.read_run(folder)
  assert not (start / 'canary').exists()
  importlib.import_module(name.partition(':')[0])
  assert (start / 'canary').exists()  # The canary does sing.


@pytest.mark.parametrize('linked', [False, True])
def test_a_run_that_one_starts_from_cannot_either(
    tmp_path, monkeypatch, linked):
  folder = run_of(tmp_path / 'run', loss=dict(name='evil_beside:x'))
  evil(tmp_path / 'run' / 'evil_beside.py', tmp_path / 'canary')
  if linked:
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'lab').mkdir()
    (tmp_path / 'lab' / 'evil_beside.py').symlink_to(
        tmp_path / 'run' / 'evil_beside.py')
    monkeypatch.syspath_prepend(tmp_path / 'lab')
  else:
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend('')
  for path in (folder, os.path.relpath(folder)):
    with pytest.raises(WorkdirError, match='evil_beside:x.* folder of runs'):
      files.read_run(path)
  assert not (tmp_path / 'canary').exists()


@pytest.mark.parametrize('place', ['getusersitepackages', 'getsitepackages'])
def test_what_is_installed_for_one_user_is_installed(
    start, monkeypatch, place):
  home = str(start / 'site')
  monkeypatch.setattr(site, place, lambda: (
      [home] if place == 'getsitepackages' else home))
  monkeypatch.syspath_prepend(home)
  evil(start / 'site' / 'installed_by_pip.py', start / 'canary')
  with pytest.raises(WorkdirError, match='installed_by_pip:x.* installed'):
    files.read_run(run_of(start / 'run', loss=dict(name='installed_by_pip:x')))
  assert not (start / 'canary').exists()


@pytest.mark.parametrize('file, name', [
    ('my_lab/ideas.py', 'my_lab.ideas:x'),  # As in README, no __init__.py.
    ('ideas.py', 'ideas:x'),
    ('runs/__init__.py', 'runs:x')])
@pytest.mark.parametrize('beside', ['config.json', 'data.json'])
def test_a_folder_of_the_users_own_may_be_named(start, file, name, beside):
  (start / beside).write_text('{}')  # Both are of a run, one is of anything.
  (start / file).parent.mkdir(exist_ok=True)
  (start / file).write_text('raise ImportError("too early")')
  (start / 'runs').mkdir(exist_ok=True)
  with pytest.raises(WorkdirError, match='data.json is of another version'):
    files.read_run(run_of(start / 'runs' / 'a', loss=dict(name=name)))


def test_the_whole_program_refuses_it(tmp_path, cli):
  folder = run_of(tmp_path / 'run', loss=dict(
      name='subprocess:getoutput', cmd=f'touch {tmp_path}/canary'))
  for mode in ('sample', 'evaluate', 'report'):
    status, _, said = cli(f'--mode={mode}', f'--workdir={folder}')
    assert status == 4 and 'subprocess:getoutput' in said
  assert not (tmp_path / 'canary').exists()
