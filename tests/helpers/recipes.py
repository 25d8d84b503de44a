"""The recipes by name, and the config of a command line."""

import glob
import os

import tiny

from gan_jax import main

CONFIGS = sorted(os.path.basename(path)[:-3] for path in glob.glob(
    os.path.join(tiny.ROOT, 'configs', '*.py')) if 'common' not in path)
# Those that start from a folder of pictures.
FOLDERS = ('sprites', 'xray')


def _parse(*args):
  """The config of a command line, by the program's own parser."""
  values, bad = main.parse(['main', *args])
  assert not bad, bad
  return values.config


def recipe(name, arg='', *flags):
  return _parse(f'--config=configs/{name}.py:{arg}', *flags)
