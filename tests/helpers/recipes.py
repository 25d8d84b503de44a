"""The recipes by name, and the config of a command line."""

import glob
import os

import tiny

from gan_jax.config import command_line

CONFIGS = sorted(os.path.basename(path)[:-3] for path in glob.glob(
    os.path.join(tiny.ROOT, 'configs', '*.py')))


def parsed(*args):
  """The config of a command line, by the program's own parser."""
  line = command_line.parse(['main', *args])
  assert not line.problems, line.problems
  return line.config


def config_of(name, arg='', *flags):
  return parsed(f'--config=configs/{name}.py:{arg}', *flags)
