"""What an installed package holds."""

import pathlib
import subprocess
import sys
import tomllib

import pytest
import tiny

ROOT = pathlib.Path(tiny.ROOT)


def test_every_package_is_listed():
  listed = tomllib.loads((ROOT / 'pyproject.toml').read_text())[
      'tool']['setuptools']['packages']
  there = {'.'.join(path.parent.relative_to(ROOT).parts)
           for path in (ROOT / 'gan_jax').rglob('__init__.py')}
  assert sorted(listed) == sorted(there | {'gan_jax.configs'})


@pytest.mark.slow
def test_installed_it_finds_its_recipes_anywhere(tmp_path):
  def run(*command):
    return subprocess.run(command, cwd=tmp_path, check=True, text=True,
                          capture_output=True).stdout

  run(sys.executable, '-m', 'venv', '--system-site-packages', 'venv')
  python = tmp_path / 'venv' / 'bin' / 'python'
  run(python, '-m', 'pip', 'install', '-q', '--no-deps', str(ROOT))
  for command in ([tmp_path / 'venv' / 'bin' / 'gan-jax'],
                  [python, '-m', 'gan_jax.main']):
    assert 'train: 15,000 steps' in run(*command, '--config=dcgan', '--dry_run')
  assert run(python, '-c', 'import gan_jax; print(gan_jax.get_config("dcgan:'
             'loss=hinge").loss.name)') == 'hinge\n'
