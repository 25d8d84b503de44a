"""A mistake in a user's own code: named with its file and line."""

import re

import pytest
import tiny

from gan_jax.base import lookup
from gan_jax.base.errors import ConfigError
from gan_jax.config import experiment

pytestmark = tiny.READS_CONFIGS
CODE = '''
import jax.numpy as jnp
from flax import linen as nn
from gan_jax.losses import Loss

def fail():
  raise RuntimeError('my mistake')

def loss():
  return Loss(lambda real, fake: fail(), lambda real, fake: fake)

def penalty():
  def of(real_out):
    return fail()
  return of

class network(nn.Module):
  def __call__(self, z, label, train):
    return fail()

def data():
  fail()

def evaluator(*, source, seed):
  fail()

def wrong_type():
  return Loss(lambda real, fake: 1 + 'a', lambda real, fake: fake)
'''


@pytest.fixture
def mine(tmp_path, monkeypatch):
  path = tmp_path / 'own_code.py'
  path.write_text(CODE)
  monkeypatch.syspath_prepend(tmp_path)
  return path


@pytest.mark.parametrize('argument, within', [
    ('loss=own_code:loss', 'loss'), ('penalty=own_code:penalty', 'of'),
    ('generator=own_code:network', '__call__'), ('data=own_code:data', 'data'),
    ('evaluator=own_code:evaluator', 'evaluator')])
def test_the_last_frames_of_the_users_file(mine, cli, argument, within):
  status, _, said = cli(f'--config=configs/keras_mlp.py:{argument},quick',
                        '--dry_run')
  assert status == 2, said
  assert 'RuntimeError: my mistake' in said
  frames = re.findall(r'\n +(\S+), line (\d+), in (\S+): (.*)', said)
  assert frames[-1] == (str(mine), '7', 'fail',
                        "raise RuntimeError('my mistake')")
  assert within in [frame[2] for frame in frames] or '<lambda>' in said
  # Nothing of the program's or of a library's own files.
  assert {frame[0] for frame in frames} == {str(mine)}
  assert 'Traceback' not in said


def test_another_error_is_named_too(mine, cli):
  status, _, said = cli(
      '--config=configs/keras_mlp.py:loss=own_code:wrong_type,quick',
      '--dry_run')
  assert status == 2
  assert 'TypeError: unsupported operand' in said and 'own_code.py' in said


@pytest.mark.parametrize('code, words, line', [
    ('import own_absent\n', "No module named 'own_absent'", 1),
    ('A = 1\ndef f(:\n', 'SyntaxError', 2),
    ('A = 1\nB = int("x")\n', 'ValueError: invalid literal', 2),
    ('A = 1\nC = A.b\n', 'AttributeError', 2),
    ('import sys\nsys.exit(1)\n', 'SystemExit: 1', 2)])
def test_a_module_whose_import_fails(code, words, line, tmp_path, monkeypatch):
  path = tmp_path / 'own_broken.py'
  path.write_text(code)
  monkeypatch.syspath_prepend(tmp_path)
  with pytest.raises(ValueError) as error:
    lookup.find('', 'own_broken:f')
  said = str(error.value)
  assert words in said and f'{path}, line {line}' in said
  assert 'PYTHONPATH' not in said


def test_a_config_of_ones_own(tmp_path, cli):
  path = tmp_path / 'own.py'
  path.write_text('def get_config(arg=None):\n  return undefined_name\n')
  status, _, said = cli(f'--config={path}')
  assert status == 2
  assert (f'{path}, line 2, in get_config: return undefined_name') in said


def test_what_the_program_itself_refuses_has_no_frames():
  assert lookup.failure(ValueError('must be 1')) == 'must be 1'
  assert lookup.failure(KeyError('head')) == "KeyError: 'head'"
  assert lookup.failure(ValueError()) == 'ValueError'


def test_an_array_in_place_of_a_set_is_named_without_all_options(
    tmp_path, monkeypatch, cli):
  (tmp_path / 'own_array.py').write_text(
      'import numpy as np\ndef data():\n  return np.zeros((4, 8, 8, 1))\n')
  monkeypatch.syspath_prepend(tmp_path)
  status, _, said = cli('--config=configs/keras_mlp.py:data=own_array:data,'
                        'quick', '--dry_run')
  assert status == 2
  assert ("config.data.name = 'own_array:data': own_array:data returned "
          'ndarray; a data set is a Source') in said and 'balanced' not in said


def test_a_run_whose_code_is_elsewhere_names_all_of_it():
  config = tiny.config('', loss=dict(name='own_absent:mine'), generator=dict(
      name='mlp.Generator', norm='own_absent:Norm'), data=dict(
          name='own_absent:data'))  # which a run is read without
  with pytest.raises(ConfigError) as error:
    experiment.game_of_run(config, None)
  problems = error.value.problems
  assert [p.path for p in problems] == ['generator.norm', 'loss.name']
  assert all('on PYTHONPATH or in the folder' in p.rule for p in problems)
