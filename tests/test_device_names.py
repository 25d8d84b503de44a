"""Devices stay in one room of the package: no other names one."""

import ast

import pytest
from package_sources import imports, modules

# Names of jax that speak of devices, and where each may stand beside
# parallel/, with the reason.
DEVICES = {
    'devices', 'local_devices', 'device_count', 'local_device_count', 'Device',
    'device_put', 'device_put_replicated', 'device_put_sharded',
    'default_device', 'process_index', 'process_count', 'distributed', 'pmap',
    'make_mesh', 'Mesh', 'AxisType', 'NamedSharding', 'PartitionSpec',
    'SingleDeviceSharding', 'shard_map', 'mesh_utils', 'multihost_utils',
    'with_sharding_constraint', 'pmean', 'psum', 'all_gather', 'axis_index',
    'sharding', 'set_mesh',
}
# Processes are the team's.
EXCEPTIONS = {
    ('run.processes', 'distributed'), ('run.processes', 'multihost_utils'),
    ('run.processes', 'process_index'), ('run.processes', 'process_count')}


def device_names(source: str) -> set[str]:
  """Names of DEVICES that a module takes from jax."""
  tree, aliases, found = ast.parse(source), set(), set()
  for node in ast.walk(tree):
    if isinstance(node, ast.Import):
      aliases |= {(alias.asname or alias.name.partition('.')[0])
                  for alias in node.names
                  if alias.name.partition('.')[0] == 'jax'}
      found |= {part for alias in node.names if alias.name.startswith('jax.')
                for part in alias.name.split('.')} & DEVICES
    elif isinstance(node, ast.ImportFrom):
      home = node.module.split('.')
      if home[0] == 'jax':
        aliases |= {alias.asname or alias.name for alias in node.names}
        found |= {*home, *(alias.name for alias in node.names)} & DEVICES
  for node in ast.walk(tree):
    if isinstance(node, ast.Attribute) and node.attr in DEVICES:
      root = node.value
      while isinstance(root, ast.Attribute):
        root = root.value
      if isinstance(root, ast.Name) and root.id in aliases:
        found.add(node.attr)
  return found


# The package.


def test_only_parallel_names_a_device():
  found = {(module, name) for module, source in modules().items()
           if module.split('.')[0] != 'parallel'
           for name in device_names(source)}
  assert found - EXCEPTIONS == set()
  assert EXCEPTIONS <= found  # One that is not needed goes.


# The test itself.


def test_the_package_was_read():
  sources = modules()
  assert {'game.step', 'models', 'models.dcgan', 'data.sources',
          'main'} <= set(sources)
  assert imports(sources['game.step'], sources) == (
      {'game.diagnosis', 'game.rules', 'game.state', 'game.terms', 'ops.keys'},
      {'math', 'collections', 'functools', 'jax', 'optax'})
  assert device_names(sources['parallel.devices']) >= {'devices', 'pmean'}
  assert device_names(sources['parallel.runner']) >= {'shard_map'}


@pytest.mark.parametrize('source,names', [
    ('import jax\nx = jax.devices()', {'devices'}),
    ('import jax as j\nx = j.sharding.Mesh(1)', {'Mesh', 'sharding'}),
    ('from jax import lax\nx = lax.pmean(1, "i")', {'pmean'}),
    ('from jax.sharding import PartitionSpec as P',
     {'sharding', 'PartitionSpec'}),
    ('import jax.experimental.multihost_utils', {'multihost_utils'}),
    ('import jax\ndef f(pmean, x):\n  return pmean(x.devices())', set()),
])
def test_device_names_are_found(source, names):
  assert device_names(source) == names
