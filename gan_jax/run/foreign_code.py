"""Refuses the config of a run folder that names code other than the user's own.

A 'module:function' in a config is imported and called. A run folder may come
from anybody: of Python's library and of installed packages the function could
be anything, subprocess:run for one, and what lies in a folder of runs came with
it. What is left are modules on PYTHONPATH or in the folder one starts from.
"""

import importlib.util
import os
import pathlib
import site
import sys
import sysconfig
from importlib.machinery import PathFinder

from gan_jax.base.errors import WorkdirError
from gan_jax.config import fields


def refuse(folder: str, config: dict) -> None:
  """Looks at every 'module:function' in a config; imports nothing.

  Args:
    folder: of the run.
    config: its config.json.

  Raises:
    WorkdirError: one of them is not the user's own.
  """
  names = [value for value in fields.flat(config).values()
           if isinstance(value, str) and ':' in value]
  for name in names:
    module = name.partition(':')[0]
    root = module.partition('.')[0]
    specs = [] if root == 'gan_jax' else _specs(module)
    # The root decides: an installed package may keep its parts elsewhere.
    if specs and (root in sys.stdlib_module_names or any(
        _within(place, home) for place in _places(specs[0])
        for home in _installed())):
      why = 'of an installed package'
    elif any(_in_a_run(spec, folder) for spec in specs):
      why = 'of a folder of runs'
    else:
      continue
    raise WorkdirError(
        f'{os.path.join(folder, "config.json")} names {name!r}, {why}, which '
        'could do anything: a run may name modules on PYTHONPATH or in the '
        'folder you start from, outside of runs')


def _specs(module):
  """What would be imported, from the root on."""
  found, path = [], None
  for name in module.split('.'):
    try:
      # The last part alone: by the whole name Python would import its parents.
      spec = (importlib.util.find_spec(name) if path is None
              else PathFinder.find_spec(name, path))
    except ValueError:  # '__main__', ''
      spec = None
    if spec is None:
      break
    found.append(spec)
    path = list(spec.submodule_search_locations or ())
  return found


def _in_a_run(spec, folder):
  """Whether it lies in a run folder, or is a mere folder around this one."""
  places = _places(spec)
  # Python imports any folder as a package, 'runs' too: it has no file then.
  if spec.origin is None and any(_within(folder, place) for place in places):
    return True
  return any(
      _within(place, folder) or any(
          (parent / 'config.json').exists() and (parent / 'data.json').exists()
          for parent in pathlib.Path(os.path.abspath(place)).parents)
      for place in places)


def _places(spec):
  return [place for place in (spec.origin, *(
      spec.submodule_search_locations or ())) if place]


def _installed():
  names = 'stdlib', 'platstdlib', 'purelib', 'platlib'
  return [*map(sysconfig.get_path, names), *site.getsitepackages(),
          site.getusersitepackages()]


def _within(place, folder):
  """Whether a place is in a folder, as both are named or as links lead."""
  return any(pathlib.Path(resolve(place)).is_relative_to(resolve(folder))
             for resolve in (os.path.abspath, os.path.realpath))
