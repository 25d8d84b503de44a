"""What a config that lies beside a run may import: the user's own code only."""

import importlib.util
import os
import pathlib
import site
import sys
import sysconfig
from importlib.machinery import PathFinder

from gan_jax.base.errors import WorkdirError
from gan_jax.config import fields

_RECORDS = ('config.json', 'data.json')  # in every working directory


def check(folder: str, config: dict) -> None:
  """Refuses a config that lies in a folder and names code that came with it.

  A 'module:function' is imported and called. Of Python's library and of
  installed packages it could be anything, subprocess:run for one; and what
  lies in a working directory came from whoever made it.

  Raises:
    WorkdirError: it names such a module.
  """
  for value in fields.flat(config).values():
    if not isinstance(value, str) or ':' not in value:
      continue
    module = value.partition(':')[0]
    root = module.partition('.')[0]
    specs = [] if root == 'gan_jax' else _specs(module)
    # Of the root, as an installed package may keep its parts elsewhere.
    if specs and (root in sys.stdlib_module_names or any(
        _within(place, home) for place in _places(specs[0])
        for home in _installed())):
      why = 'of an installed package'
    elif any(_came_with_a_run(spec, folder) for spec in specs):
      why = 'of a folder of runs'
    else:
      continue
    raise WorkdirError(
        f'{os.path.join(folder, "config.json")} names {value!r}, {why}, which '
        'could do anything: a run may name modules on PYTHONPATH or in the '
        'folder you start from, outside of runs')


def _specs(module):
  """What would be imported, from the root on; imports nothing."""
  found, path = [], None
  for name in module.split('.'):
    try:
      # By the last part of its name alone: with all of it, Python asks the
      # packages around it, which have not been imported.
      spec = (importlib.util.find_spec(name) if path is None
              else PathFinder.find_spec(name, path))
    except ValueError:  # '__main__', ''
      spec = None
    if spec is None:
      break
    found.append(spec)
    path = list(spec.submodule_search_locations or ())
  return found


def _came_with_a_run(spec, folder):
  """Whether it lies in a working directory, or is a mere folder around one."""
  # Any folder can be imported from, 'runs' for one: a package without a file.
  if spec.origin is None and any(
      _within(folder, place) for place in _places(spec)):
    return True
  return any(_within(place, folder) or any(
      all((parent / name).exists() for name in _RECORDS)
      for parent in pathlib.Path(os.path.abspath(place)).parents)
             for place in _places(spec))


def _places(spec):
  return [place for place in (spec.origin, *(
      spec.submodule_search_locations or ())) if place]


def _installed():
  return [*map(sysconfig.get_path, ('stdlib', 'platstdlib', 'purelib',
                                    'platlib')),
          *site.getsitepackages(), site.getusersitepackages()]


def _within(place, folder):
  """Whether a place is in a folder, as both are named or as links lead."""
  return any(pathlib.Path(resolve(place)).is_relative_to(resolve(folder))
             for resolve in (os.path.abspath, os.path.realpath))
