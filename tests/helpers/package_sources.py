"""The package as it stands in its files: sources and imports."""

import ast
import functools
import pathlib

ROOT = pathlib.Path(__file__).parents[2] / 'gan_jax'


def modules() -> dict[str, str]:
  """{'step': source, 'models': source of its __init__, ...}."""
  found = {}
  for path in sorted(ROOT.rglob('*.py')):
    parts = path.relative_to(ROOT).with_suffix('').parts
    if parts[-1] == '__init__':
      parts = parts[:-1]
    found['.'.join(parts)] = path.read_text()
  return found


def imports(source: str, known) -> tuple[set, set]:
  """(modules of the package, top-level names of others), lazy ones too."""
  own, others = set(), set()
  for node in _statements(source):
    if isinstance(node, ast.Import):
      targets = [alias.name for alias in node.names]
    else:
      assert not node.level, 'imports are absolute in this package'
      # `from gan_jax.data import files` imports a module, if there is one.
      targets = [f'{node.module}.{alias.name}'
                 if f'{node.module}.{alias.name}'.partition('.')[2] in known
                 else node.module for alias in node.names]
    for target in targets:
      top, _, rest = target.partition('.')
      if top == 'gan_jax':
        own.add(rest)
      else:
        others.add(top)
  return own, others


@functools.cache
def _statements(source):
  return [node for node in ast.walk(ast.parse(source))
          if isinstance(node, ast.Import | ast.ImportFrom)]
