"""Whose code a run's config may name, as it is imported and called."""

import importlib.util
import os
import pathlib
import site
import sys
import sysconfig

from gan_jax.base.errors import WorkdirError
from gan_jax.base.files import within
from gan_jax.config import fields


def refuse(folder: str, config: dict) -> None:
  """Raises WorkdirError for a config that names code that is not the user's.

  A 'module:function' is imported and called, and a run folder may be untrusted:
  a function of the standard library or an installed package could do anything
  (subprocess:run), and modules in a folder of runs may have come with it.
  Modules on PYTHONPATH or in the current folder are the user's.
  """
  for name in fields.flat(config).values():
    if not isinstance(name, str) or ':' not in name:
      continue
    root, *parts = name.partition(':')[0].split('.')
    try:
      spec = None if root == 'gan_jax' else importlib.util.find_spec(root)
    except ValueError:  # '__main__', ''
      continue
    if spec is None:
      continue
    places = [spec.origin, *(spec.submodule_search_locations or ())]
    # Parent packages too, including namespace packages.
    way = [os.path.join(place, *parts[:i]) for i in range(len(parts) + 1)
           for place in places if place]
    if root in sys.stdlib_module_names or any(
        within(place, home) for place in places for home in _installed()):
      why = 'of an installed package'
    elif any(_of_a_run(place, folder) for place in way):
      why = 'of a folder of runs'
    else:
      continue
    raise WorkdirError(
        f'{os.path.join(folder, "config.json")} names {name!r}, {why}, which '
        'could do anything: a run may name modules on PYTHONPATH or in the '
        'folder you start from, outside of runs')


def _of_a_run(place, folder):
  """Whether it is in a run folder, or a folder without code around one."""
  around = not os.path.exists(os.path.join(place, '__init__.py'))
  return around and within(folder, place) or within(place, folder) or any(
      (parent / 'config.json').exists() and (parent / 'data.json').exists()
      for parent in pathlib.Path(os.path.abspath(place)).parents)


def _installed():
  names = 'stdlib', 'platstdlib', 'purelib', 'platlib'
  return [*map(sysconfig.get_path, names), *site.getsitepackages(),
          site.getusersitepackages()]
