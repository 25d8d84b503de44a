"""Flattens configs, looks up fields by path, and diffs configs."""

from collections.abc import Mapping
from typing import Any

from gan_jax.base import lookup

_ABSENT = object()
# Their code is no part of a step, and data may be at a path with a colon.
_BESIDE_THE_GAME = ('data', 'evaluators', 'loggers')


def plain(config: Any) -> Any:
  """Converts ConfigDicts to dicts and sequences to tuples, recursively."""
  if hasattr(config, 'to_dict'):
    config = config.to_dict()
  if isinstance(config, Mapping):
    return {k: plain(v) for k, v in config.items()}
  if isinstance(config, (list, tuple)):
    return tuple(plain(v) for v in config)
  return config


def flat(config: dict) -> dict:
  """Flattens a config: {'generator.width': 64, 'penalties[0].weight': 10.0}."""
  return {path.lstrip('.'): value for path, value in _leaves('', config)}


def _leaves(path, value):
  items = _items(value)
  if items is None or not items:
    yield path, value
    return
  for key, inner in items.items():
    yield from _leaves(path + key, inner)


def own_code(config: Mapping) -> dict[str, str]:
  """{path: 'module:function'} of the user's own parts of a game."""
  return {path: value for path, value in flat(config).items()
          if isinstance(value, str) and lookup.names_own(value)
          and not path.startswith(_BESIDE_THE_GAME)}


def at(config: dict, path: str) -> Any:
  """The value at a path such as 'penalties[0].weight', None if absent."""
  for key in path.replace('[', '.').replace(']', '').split('.'):
    try:
      config = config[int(key) if key.isdigit() else key]
    except (KeyError, IndexError, TypeError):
      return None
  return config


def put(config: Any, path: str, value: Any) -> Any:
  """A copy of a config with another value at a path that exists."""
  key, _, rest = path.replace('[', '.').replace(']', '').partition('.')
  if isinstance(config, tuple):
    index = int(key)
    inner = put(config[index], rest, value) if rest else value
    return (*config[:index], inner, *config[index + 1:])
  return {**config, key: put(config[key], rest, value) if rest else value}


def diff(old: dict, new: dict) -> list[str]:
  """Differences of two configs: 'generator.width: 64 (checkpoint) -> 32 (now)'.

  Args:
    old: nested dicts from the checkpoint's JSON: tuples equal lists.
    new: nested dicts of the present config.

  Returns:
    One line per value that differs, in the order of the keys; missing values
    are 'absent'.
  """
  return [f'{path}: {before} (checkpoint) -> {now} (now)'
          for path, before, now in differences(old, new)]


def differences(old: dict, new: dict) -> list[tuple[str, str, str]]:
  """(path, old value, new value) of what differs, as texts; see `diff`."""
  return [(path.lstrip('.'), before, now)
          for path, before, now in _differences('', old, new)]


def _differences(path, old, new):
  """Yields (path, text of the old value, text of the new value)."""
  old_items, new_items = _items(old), _items(new)
  # An empty or absent side has no items, but the other side's are listed.
  if (old_items or new_items) and all(
      items is not None or value is _ABSENT
      for items, value in ((old_items, old), (new_items, new))):
    old_items, new_items = old_items or {}, new_items or {}
    for key in old_items | new_items:
      yield from _differences(path + key, old_items.get(key, _ABSENT),
                              new_items.get(key, _ABSENT))
  elif plain(old) != plain(new):
    yield path, _text(old), _text(new)


def _items(value):
  """{'.key' or '[i]': value} of a dict, or of a list that holds dicts."""
  if isinstance(value, dict):
    return {f'.{key}': v for key, v in value.items()}
  if isinstance(value, (list, tuple)) and all(
      isinstance(v, dict) for v in value):
    return {f'[{i}]': v for i, v in enumerate(value)}
  return None


def _text(value):
  return 'absent' if value is _ABSENT else repr(_lists(value))


def _lists(value):
  if isinstance(value, (list, tuple)):
    return [_lists(v) for v in value]
  if isinstance(value, dict):
    return {k: _lists(v) for k, v in value.items()}
  return value
