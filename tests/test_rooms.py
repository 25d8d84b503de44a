"""The rooms of the package: imports go downwards only, floor by floor.

The table is the plan (docs/how-it-works.md); a new room is entered here.
"""

import ast

import pytest
from package_sources import imports, modules

# From the ground up. A room imports from floors below its own, and from itself.
FLOORS = (
    ('base',),
    ('ops', 'parallel'),
    ('losses', 'penalties', 'augment', 'models', 'metrics', 'data'),
    ('game', 'inference', 'extractors', 'pictures'),
    ('config', 'evaluators', 'loggers'),
    ('run',),
    ('views',),
    ('studies',),
    ('main', ''),  # '' is gan_jax/__init__.py
)
# The same inside a room: of what is named here, one imports only from floors
# below its own. All else in the room stands above, on one floor. Rooms within a
# room have a door, their __init__: from outside, only that is imported.
INSIDE = {
    'studies': (('statistics', 'trials'), ('advise', 'judge', 'search')),
    'views': (('templates',), ('leaderboard',)),
}
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


def part_of(module: str) -> str:
  """What a module belongs to inside its room; '' for the room's __init__."""
  return module.partition('.')[2].partition('.')[0]


def is_above(module: str, target: str) -> bool:
  """Whether a module may import another one of its room."""
  floors = INSIDE.get(room_of(module))
  if floors is None or part_of(module) == part_of(target):
    return True
  here, there = (next((floor for floor, parts in enumerate(floors)
                       if part_of(one) in parts), len(floors))
                 for one in (module, target))
  return here > there or here == there == len(floors)


def door_of(module: str, known) -> str:
  """What to import instead of a module: its room within a room, if any."""
  home = '.'.join(module.split('.')[:2])
  return home if any(m.startswith(f'{home}.') for m in known) else module


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
      door = door_of(target, sources)
      if target != door != door_of(module, sources):
        found.append(f'{module} imports {target}, past the door {door}')
      if room_of(target) == room:
        if not is_above(module, target):
          found.append(f'{module} imports {target}, which is not below it')
        continue
      if target == '':  # for gan_jax.__version__
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


def test_every_part_of_the_table_is_there():
  for room, floors in INSIDE.items():
    parts = {part_of(m) for m in modules() if room_of(m) == room}
    assert {name for names in floors for name in names} <= parts


def test_no_circles():
  sources = modules()
  # gan_jax itself has the version, and imports the rest when it is asked.
  graph = {module: imports(source, sources)[0] - {module, ''}
           for module, source in sources.items()}
  assert cycle(graph) == []


def test_every_room_says_what_it_is_for():
  sources = modules()
  rooms = {m.rpartition('.')[0] for m in sources} - {''}
  assert {'studies', 'studies.judge', 'views.leaderboard'} <= rooms
  for module in rooms:
    words = ast.get_docstring(ast.parse(sources[module]))
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
     'views.new imports attic, which is in no room'),
    ('studies.judge.new', 'from gan_jax.studies import search',
     'studies.judge.new imports studies.search, which is not below it'),
    ('studies.search.new', 'from gan_jax.studies.judge import judge',
     'studies.search.new imports studies.judge, which is not below it'),
    ('studies.advise', 'import gan_jax.studies.search',
     'studies.advise imports studies.search, which is not below it'),
    ('studies.trials', 'from gan_jax.studies import statistics',
     'studies.trials imports studies.statistics, which is not below it'),
    ('studies.statistics', 'from gan_jax.studies import advise',
     'studies.statistics imports studies.advise, which is not below it'),
    ('views.leaderboard.new', 'from gan_jax.views.records import Record',
     'views.leaderboard.new imports views.records, which is not below it'),
    ('views.new', 'from gan_jax.views.leaderboard import store',
     'views.new imports views.leaderboard.store, past the door '
     'views.leaderboard'),
    ('main.new', 'from gan_jax.studies.search.worker import search',
     'main.new imports studies.search.worker, past the door studies.search'),
    ('data.new', 'from gan_jax.data.sources.arrays import npz',
     'data.new imports data.sources.arrays, past the door data.sources')])
def test_a_wrong_import_is_found(module, source, words):
  assert violations(modules() | {module: source}) == [words]


@pytest.mark.parametrize('module,source', [
    ('views.new', 'from absl import flags\nfrom gan_jax.game import step'),
    ('models.new', 'from gan_jax.models import layers'),
    ('studies.search.new', 'from gan_jax.studies.search import plan, space\n'
     'from gan_jax.studies import trials\nfrom gan_jax.views import report'),
    ('views.new', 'from gan_jax.views import leaderboard, report\n'
     'from gan_jax.views.templates import fill'),
    ('views.leaderboard.new', 'from gan_jax.views.templates import fill\n'
     'from gan_jax.views.leaderboard import page'),
    ('studies.new', 'from gan_jax.studies import judge, search'),
    ('empty', '"""Only a docstring."""')])
def test_a_right_import_is_none_of_its_business(module, source):
  assert violations(modules() | {module: source}) == []


def test_a_circle_is_found():
  assert cycle({'a': {'b'}, 'b': {'c'}, 'c': {'b'}, 'd': set()}) == [
      'a', 'b', 'c']
  assert cycle({'a': {'b'}, 'b': {'c'}, 'c': set()}) == []
