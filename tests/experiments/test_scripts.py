"""Scripts of experiments/ start from the root of a checkout."""

import ast
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
SCRIPTS = sorted(path for path in ROOT.glob('experiments/**/*.py')
                 if "__name__ == '__main__'" in path.read_text())
OURS = {path.name for path in ROOT.iterdir() if path.is_dir()}


@pytest.mark.parametrize('path', SCRIPTS, ids=lambda path: path.stem)
def test_a_script_finds_the_checkout(path):
  """`python experiments/...` has the folder of the script on its path alone."""
  found = False
  for node in ast.parse(path.read_text()).body:
    names = ([node.module] if isinstance(node, ast.ImportFrom) else [
        alias.name for alias in node.names] if isinstance(node, ast.Import)
             else [])
    ours = [name for name in names if name.partition('.')[0] in OURS]
    assert found or not ours, f'line {node.lineno}: {ours} before sys.path'
    found = found or ast.unparse(node).startswith('sys.path')


def test_a_script_starts_as_its_readme_says():
  done = subprocess.run(
      [sys.executable, '-E', 'experiments/semi_supervised/labels.py', '--help'],
      cwd=ROOT, capture_output=True, text=True)
  assert done.returncode == 0, done.stderr
