"""Reads a config and the values that flags set in it, --config.KEY=VALUE."""

import hashlib
import os
import re
from collections.abc import Mapping

from absl import flags
from ml_collections import ConfigDict, config_flags
from ml_collections.config_flags import config_path

from gan_jax.base.errors import ConfigError
from gan_jax.config import recipe
from gan_jax.config.keys import COMPONENTS, MANY


def read(name: str, overrides) -> tuple[ConfigDict | None, str, list[str]]:
  """Reads a config: (config or None, name of the run, error messages).

  Args:
    name: what stands behind --config=.
    overrides: flags --config.KEY=VALUE.
  """
  try:
    config = recipe.get_config(name)
  except ConfigError as e:
    return None, '', [f'cannot read --config: {p}' for p in e.problems]
  problems, found = [], {}
  for flag in overrides:
    try:
      found |= apply(config, flag)
    except ValueError as e:
      problems.append(f'cannot read {flag}: {e}')
  return config, run_name(name, found), problems


def apply(config: ConfigDict, flag: str) -> dict:
  """Sets a value by --config.KEY=VALUE; returns {path: value}.

  Raises:
    ValueError: why it cannot be read.
  """
  values = flags.FlagValues()
  try:
    # Unknown keys pass here; experiment.load reports all errors together.
    config_flags.DEFINE_config_dict(
        'config', config, lock_config=False, accept_new_attributes=True,
        flag_values=values, sys_argv=['', flag])
    values(['', flag])
  except Exception as e:  # config_flags raises whatever its parsers raise.
    raise ValueError(_reason(config, flag, e)) from e
  return config_flags.get_override_values(values['config'])


def _reason(config, arg, error) -> str:
  """Why a value cannot be set, in words."""
  path = re.sub(r'^--?(no)?config\.', '', arg.partition('=')[0])
  if (index := re.match(r'(.*)\[(\d+)\]', path)) and isinstance(
      error, (IndexError, TypeError)):
    have = len(config_path.get_value(index[1], config))
    return (f'{index[1]} has {have or "no"} '
            f'{"entry" if have == 1 else "entries"}'
            + (f', [0] to [{have - 1}]' if have > 1 else '')
            + '; choose them first, as in penalty=r1+r2, which of a config '
            'stands after the colon: dcgan:penalty=r1+r2')
  several, _, rest = path.partition('.')
  if rest and isinstance(config.get(several), tuple):
    number, key = re.match(r'(\d*)\.?(.*)', rest).groups()
    return (f'{several} holds several, by their numbers: '
            f'--config.{several}[{number or 0}].{key}=...')
  if isinstance(error, flags.Error):
    try:
      kind = type(config_path.get_value(path, config)).__name__
      if kind == 'ConfigDict':
        key = index[1] if index else path
        name = {many: one for one, many in MANY.items()}.get(key, key)
        return f'holds several values: {path}.KEY=value sets one' + (
            f', and dcgan:{name}=NAME, after the colon, replaces them'
            * (name in COMPONENTS))
      return f'must be {"an" if kind == "int" else "a"} {kind}' + (
          '; members of a population share it' if '=[' in arg else '')
    except Exception:
      pass
  text = str(error.args[0] if error.args else error).strip()
  return text.splitlines()[-1] if text else type(error).__name__


def run_name(name: str, overrides: Mapping) -> str:
  """dcgan-loss=hinge-seed=1: a folder's name, at most 200 bytes long.

  Args:
    name: of the config, with its argument.
    overrides: {key: value}.
  """
  path, _, argument = name.partition(':')
  text = '-'.join([os.path.splitext(os.path.basename(path))[0],
                   *filter(None, argument.split(',')),
                   *(f'{key}={value}'
                     for key, value in sorted(overrides.items()))])
  # No brackets: they are patterns to shells, and to Orbax.
  name = re.sub(r'[^\w.,=+%-]+', '_', re.sub(r'[][]', '', text))
  if len(name.encode()) <= 200:  # File systems allow 255.
    return name
  digest = hashlib.sha256(name.encode()).hexdigest()[:12]
  return f'{name.encode()[:180].decode(errors="ignore")}-{digest}'
