"""A device that is asked for and not there is said in one line."""

import os
import subprocess
import sys

import jax
import pytest

from gan_jax import parallel
from gan_jax.base.errors import ConfigError


def run(*flags, **environment):
  done = subprocess.run(
      [sys.executable, '-m', 'gan_jax.main', *flags], capture_output=True,
      text=True, timeout=300, env=os.environ | environment)
  return done.returncode, done.stderr


@pytest.mark.parametrize('error', [AssertionError(), RuntimeError('no libtpu')])
@pytest.mark.parametrize('call', [
    parallel.device_count, parallel.make_mesh, parallel.device_names,
    parallel.check_devices, lambda: parallel.member_mesh(2, 1)])
def test_no_device(monkeypatch, error, call):
  def devices():
    raise error

  monkeypatch.setattr(jax, 'devices', devices)
  monkeypatch.setenv('JAX_PLATFORMS', 'cuda')
  with pytest.raises(ConfigError, match=(
      r'JAX_PLATFORMS=cuda(: no libtpu)?; unset it.*requirements-cuda12')):
    call()
  monkeypatch.delenv('JAX_PLATFORMS')  # As where a TPU is in use.
  with pytest.raises(ConfigError, match=(
      r'no device(: no libtpu)?; JAX_PLATFORMS=cpu does without')):
    call()


def test_no_cpu_beside_a_gpu(monkeypatch):
  def local_devices(backend=None):
    raise RuntimeError(f'Unknown backend {backend}')

  monkeypatch.setattr(jax, 'local_devices', local_devices)
  monkeypatch.setenv('JAX_PLATFORMS', 'cuda')
  with pytest.raises(ConfigError, match='JAX_PLATFORMS=cuda,cpu'):
    parallel.on_cpu()


def test_the_command_line_says_it(tmp_path):
  status, said = run('--config=configs/dcgan.py:quick', '--dry_run',
                     JAX_PLATFORMS='cuda_that_is_not_there')
  assert status == 2 and 'Traceback' not in said
  assert 'JAX_PLATFORMS=cuda_that_is_not_there' in said
