"""What is loaded runs no code but the user's own."""

import json
import os

import pytest
from tiny import config

from gan_jax import record
from gan_jax.workdir import WorkdirError

FACTS = {'image_shape': [8, 8, 1]}


def run_of(folder, **changes):
  """A folder as a run leaves it, with a config that somebody has edited."""
  folder.mkdir()
  (folder / 'config.json').write_text(json.dumps(config('x.npz') | changes))
  (folder / 'data.json').write_text(json.dumps(FACTS))
  return str(folder)


@pytest.mark.parametrize('changes', [
    dict(loss=dict(name='subprocess:getoutput', cmd='touch canary')),
    dict(penalties=[dict(name='os:system', weight=1.0)]),
    dict(generator=dict(name='mlp.Generator', norm='builtins:exec')),
    dict(data=dict(name='numpy:load', file='x.npy', allow_pickle=True)),
    dict(gen_optimizer=dict(name='jax.experimental.io_callback:x'))])
def test_a_run_cannot_call_what_is_installed(tmp_path, monkeypatch, changes):
  monkeypatch.chdir(tmp_path)
  with pytest.raises(WorkdirError, match='config.json names .* installed'):
    record.read_run(run_of(tmp_path / 'run', **changes))
  assert not os.path.exists('canary')


@pytest.mark.parametrize('name', [
    'hinge', 'my_lab_ideas:mine', 'not_there:mine', 'gan_jax.losses:hinge'])
def test_the_users_own_modules_may_be_named(tmp_path, monkeypatch, name):
  (tmp_path / 'my_lab_ideas.py').write_text('raise ImportError("too early")')
  monkeypatch.syspath_prepend(tmp_path)
  folder = run_of(tmp_path / 'run', loss=dict(name=name))
  with pytest.raises(WorkdirError, match='data.json is of another version'):
    record.read_run(folder)  # Its facts are, but the config was taken.


def test_the_whole_program_refuses_it(tmp_path, cli):
  folder = run_of(tmp_path / 'run', loss=dict(
      name='subprocess:getoutput', cmd=f'touch {tmp_path}/canary'))
  for mode in ('sample', 'evaluate', 'report'):
    status, _, said = cli(f'--mode={mode}', f'--workdir={folder}')
    assert status == 4 and 'subprocess:getoutput' in said
  assert not (tmp_path / 'canary').exists()
