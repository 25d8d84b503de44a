"""The rooms of the package: imports go downwards only, floor by floor.

The table is the plan (docs/how-it-works.md); a new room is entered here.
"""

import ast

import pytest
from package_sources import imports, modules

# From the ground up. A room imports from floors below its own, and from itself.
FLOORS = (
    ('base', 'ops', 'parallel'),
    ('losses', 'penalties', 'augment', 'models', 'metrics', 'data'),
    ('game', 'inference', 'extractors', 'pictures'),
    ('config', 'evaluators', 'loggers'),
    ('run',),
    ('views',),
    ('studies',),
    ('main', ''),  # '' is gan_jax/__init__.py
)
# What the rooms of the game may not know of: flags, disks, clocks, logs.
PURE = ('ops', 'losses', 'penalties', 'augment', 'models', 'metrics', 'game',
        'inference')
WORLD = ('absl', 'ml_collections', 'orbax', 'grain', 'tensorflow_datasets',
         'tensorflow', 'tensorboardX', 'tqdm', 'logging', 'subprocess')


def room_of(module: str) -> str:
  return module.partition('.')[0]


def floor_of(module: str):
  """0 for the ground, None for what is not in the table."""
  return next((floor for floor, rooms in enumerate(FLOORS)
               if room_of(module) in rooms), None)


def is_empty(source: str) -> bool:
  """Nothing but a docstring and the version."""
  return all(isinstance(node, ast.Expr | ast.Assign)
             for node in ast.parse(source).body)


def violations(sources: dict[str, str]) -> list[str]:
  """All that breaks the table, in words."""
  found = []
  for module, source in sources.items():
    room, floor = room_of(module), floor_of(module)
    if floor is None:
      if not is_empty(source):
        found.append(f'{module} is in no room')
      continue
    own, others = imports(source, sources)
    for target in sorted(own):
      if room_of(target) == room or target == '':  # for gan_jax.__version__
        continue
      if (below := floor_of(target)) is None:
        found.append(f'{module} imports {target}, which is in no room')
      elif below >= floor:
        found.append(f'{module} imports {target}, which is not below it')
    if room in PURE:
      found += [f'{module} imports {name}'
                for name in sorted(others & set(WORLD))]
  return found


def cycle(graph: dict[str, set]) -> list[str]:
  """The modules in a circle of imports or on a way to one, [] if none is."""
  left = {module: set(targets) for module, targets in graph.items()}
  while free := [m for m, targets in left.items() if not targets & set(left)]:
    for module in free:
      del left[module]
  return sorted(left)


# The package.


def test_imports_go_downwards():
  assert violations(modules()) == []


def test_every_room_of_the_table_is_there():
  rooms = {room_of(module) for module in modules()}
  assert {name for names in FLOORS for name in names} == rooms


def test_no_circles():
  sources = modules()
  # gan_jax itself has the version, and imports the rest when it is asked.
  graph = {module: imports(source, sources)[0] - {module, ''}
           for module, source in sources.items()}
  assert cycle(graph) == []


def test_every_room_says_what_it_is_for():
  for module, source in modules().items():
    if '.' not in module and module not in ('', 'main'):
      words = ast.get_docstring(ast.parse(source))
      assert words and len(words.splitlines()) >= 3, module


def test_only_lookup_imports_by_a_name_that_it_is_given():
  """What the tests above cannot see."""
  found = [module for module, source in modules().items()
           if 'import_module' in source or '__import__' in source]
  assert found == ['base.lookup']


# The test itself.


@pytest.mark.parametrize('module,source,words', [
    ('losses.new', 'from gan_jax.game import step',
     'losses.new imports game.step, which is not below it'),
    ('losses.new', 'import gan_jax.models',
     'losses.new imports models, which is not below it'),
    ('game.step', 'def f():\n  from gan_jax.config import experiment',
     'game.step imports config.experiment, which is not below it'),
    ('run.new', 'from gan_jax.views.sample import sample',
     'run.new imports views.sample, which is not below it'),
    ('augment.new', 'from absl import logging', 'augment.new imports absl'),
    ('game.new', 'def f():\n  import orbax.checkpoint',
     'game.new imports orbax'),
    ('attic', 'import os', 'attic is in no room'),
    ('views.new', 'import gan_jax.attic',
     'views.new imports attic, which is in no room')])
def test_a_wrong_import_is_found(module, source, words):
  assert violations(modules() | {module: source}) == [words]


@pytest.mark.parametrize('module,source', [
    ('views.new', 'from absl import flags\nfrom gan_jax.game import step'),
    ('models.new', 'from gan_jax.models import layers'),
    ('empty', '"""Only a docstring."""')])
def test_a_right_import_is_none_of_its_business(module, source):
  assert violations(modules() | {module: source}) == []


def test_a_circle_is_found():
  assert cycle({'a': {'b'}, 'b': {'c'}, 'c': {'b'}, 'd': set()}) == [
      'a', 'b', 'c']
  assert cycle({'a': {'b'}, 'b': {'c'}, 'c': set()}) == []
