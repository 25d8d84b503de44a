"""The layers of the package: imports go downwards only.

The table is the plan; a new module is entered here. Modules of one layer may
import each other, without cycles.
"""

import ast

import pytest
from package_sources import imports, modules

# A package stands for all of its modules that are not named themselves.
LAYERS = (
    # L0: functions of arrays and files.
    ('ops', 'losses', 'penalties', 'augment', 'latents', 'lookup', 'durations',
     'schedules', 'scheduled', 'media', 'metrics', 'data.files',
     'data.readers', 'data.prepare', 'data.geometry'),
    # L1: networks.
    ('models',),
    # L2: the game.
    ('state', 'game', 'terms', 'step', 'sampling', 'diagnosis'),
    # L3: devices, disk and the clock.
    ('parallel', 'checkpoint', 'writers', 'workdir', 'signals', 'clock',
     'fields', 'extractors', 'status', 'team', 'joining', 'transfer',
     'trust', 'data.pipeline', 'data.cache', 'data.scan', 'data.decode',
     'data.ingest', 'data.folder_labels', 'data.tfds_files', 'data.load',
     'data.stream', 'data.statistics', 'data.sources'),
    # L4: from a config to what runs.
    ('validation', 'experiment', 'evaluators', 'evaluation', 'feed', 'record',
     'best',
     'following', 'diagnosing', 'diary', 'detectors', 'watchdog', 'guard'),
    # L5: programs.
    ('train', 'sample', 'evaluate', 'compare', 'leaderboard', 'report',
     'inspecting', 'command_line', 'main'),
)
# What may not be imported below L3.
WORLD = ('absl', 'ml_collections', 'orbax', 'grain', 'tensorflow_datasets',
         'tensorflow', 'tensorboardX', 'tqdm', 'logging', 'subprocess')
PURE = 3


def layer_of(module: str):
  """The layer of 'step' or 'data.files', None for what is not in the table.

  The empty files that make a folder a package have none: 'data'.
  """
  parts = module.split('.')
  for end in range(len(parts), 0, -1):
    for layer, names in enumerate(LAYERS):
      if '.'.join(parts[:end]) in names:
        return layer
  return None


def is_empty(source: str) -> bool:
  """Nothing but a docstring."""
  return all(isinstance(node, ast.Expr) for node in ast.parse(source).body)


def violations(sources: dict[str, str]) -> list[str]:
  """All that breaks the table, in words."""
  found = []
  for module, source in sources.items():
    layer = layer_of(module)
    if layer is None:
      if not is_empty(source):
        found.append(f'{module} is not in the table')
      continue
    own, others = imports(source, sources)
    for target in sorted(own):
      below = layer_of(target)
      if below is None:
        found.append(f'{module} imports {target}, which is not in the table')
      elif below > layer:
        found.append(f'{module} (L{layer}) imports {target} (L{below})')
    if layer < PURE:
      found += [f'{module} (L{layer}) imports {name}'
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


def test_every_module_is_in_the_table_and_imports_go_downwards():
  assert violations(modules()) == []


def test_every_entry_of_the_table_is_a_module():
  assert {name for names in LAYERS for name in names} <= set(modules())


def test_no_circles():
  sources = modules()
  graph = {module: imports(source, sources)[0] - {module}
           for module, source in sources.items()}
  assert cycle(graph) == []


def test_only_lookup_imports_by_a_name_that_it_is_given():
  """What the tests above cannot see."""
  found = [module for module, source in modules().items()
           if 'import_module' in source or '__import__' in source]
  assert found == ['lookup']


# The test itself.


@pytest.mark.parametrize('module,source,words', [
    ('losses', 'from gan_jax import step', 'losses (L0) imports step (L2)'),
    ('losses', 'import gan_jax.models', 'losses (L0) imports models (L1)'),
    ('models.new', 'from gan_jax.state import Net',
     'models.new (L1) imports state (L2)'),
    ('step', 'def f():\n  from gan_jax import parallel',
     'step (L2) imports parallel (L3)'),
    ('data.prepare', 'from gan_jax.data import pipeline',
     'data.prepare (L0) imports data.pipeline (L3)'),
    ('evaluators', 'from gan_jax.train import train',
     'evaluators (L4) imports train (L5)'),
    ('augment', 'from absl import logging', 'augment (L0) imports absl'),
    ('models.new', 'import ml_collections as m',
     'models.new (L1) imports ml_collections'),
    ('sampling', 'def f():\n  import orbax.checkpoint',
     'sampling (L2) imports orbax'),
    ('attic', 'import os', 'attic is not in the table'),
    ('train', 'import gan_jax.attic',
     'train imports attic, which is not in the table')])
def test_a_wrong_import_is_found(module, source, words):
  assert violations(modules() | {module: source}) == [words]


@pytest.mark.parametrize('module,source', [
    ('train', 'from absl import flags\nfrom gan_jax import step, main'),
    ('models.new', 'from gan_jax.models import layers'),
    ('data.sources', 'from gan_jax.data.files import DataError'),
    ('empty', '"""Only a docstring."""')])
def test_a_right_import_is_none_of_its_business(module, source):
  assert violations(modules() | {module: source}) == []


def test_a_circle_is_found():
  assert cycle({'a': {'b'}, 'b': {'c'}, 'c': {'b'}, 'd': set()}) == [
      'a', 'b', 'c']
  assert cycle({'a': {'b'}, 'b': {'c'}, 'c': set()}) == []
