"""Finds what TensorFlow Datasets prepared, by its files alone.

The code that made a set is never run, nor a network asked: TFDS would look for
an unprepared set on its servers, for minutes, and end with an error about
something else.
"""

import difflib
import fnmatch
import json
import os
import re
import shlex

from gan_jax.base.errors import DataError
from gan_jax.data import files

_NAME = re.compile(r'(?P<name>\w+)(/(?P<config>[\w.+-]+))?'
                   r'(:(?P<version>(\d+|\*)(\.(\d+|\*)){2}))?')
_VERSION = re.compile(r'\d+\.\d+\.\d+')
_INFO = 'dataset_info.json'


def import_library():
  """The module tensorflow_datasets, which does not import TensorFlow.

  Raises:
    DataError: it, or what it reads array_record with, is not installed.
  """
  try:
    import tensorflow_datasets
    from array_record.python import array_record_data_source  # noqa: F401 (later)
  except ImportError as error:
    raise DataError(
        f'tfds cannot be read: {error}; pip install tensorflow-datasets '
        f'importlib_resources array_record (TensorFlow is not needed)'
    ) from error
  return tensorflow_datasets


def find(library, dataset, data_dir) -> str:
  """The folder of the prepared version that `dataset` names.

  Raises:
    DataError: there is none; says how to prepare it, or what has a near name.
  """
  path = os.path.expanduser(dataset)
  if os.path.isfile(os.path.join(path, _INFO)):
    return path
  if dataset[0] in '/~.':
    holds = files.list_folder(path)[:8]
    raise DataError(f'dataset={dataset!r}: this folder has no {_INFO}, it '
                    f'holds {holds}; give that of a version, such as '
                    f'{os.path.join(path, "1.0.0")!r}')
  match = _NAME.fullmatch(dataset)
  if not match:
    raise DataError(f"dataset={dataset!r}: must be like 'cifar10', "
                    f"'name/config', 'name/config:1.0.0', or the path of a "
                    f"prepared version (for sets with another namespace too)")
  root = os.path.expanduser(data_dir or os.environ.get('TFDS_DATA_DIR') or
                            os.path.join('~', 'tensorflow_datasets'))
  folder = os.path.join(root, match['name'])
  config = match['config'] or _only_config(dataset, folder)
  folder = os.path.join(folder, config)
  versions = _versions(folder)
  found = [v for v in versions
           if fnmatch.fnmatchcase(v, match['version'] or '*')]
  if not found:
    _refuse_unprepared(library, dataset, match['name'], root, versions)
  return os.path.join(folder, found[-1])


def _folders(path) -> list:
  try:
    with os.scandir(path) as entries:
      return sorted(e.name for e in entries
                    if e.is_dir() and not e.name.startswith('.'))
  except OSError:
    return []


def _versions(folder) -> list:
  """Prepared versions in a folder, the highest last."""
  found = [name for name in _folders(folder) if _VERSION.fullmatch(name)
           and os.path.isfile(os.path.join(folder, name, _INFO))]
  return sorted(found, key=lambda v: [int(n) for n in v.split('.')])


def _only_config(dataset, folder) -> str:
  """The set's default configuration, else its only one; '' without any."""
  configs = [name for name in _folders(folder)
             if _versions(os.path.join(folder, name))]
  if _versions(folder) or not configs:
    return ''
  try:
    with open(os.path.join(folder, '.config', 'metadata.json')) as file:
      default = json.load(file)['default_config_name']
  except (OSError, ValueError, KeyError, TypeError):
    default = configs[0] if len(configs) == 1 else ''
  if default in configs:
    return default
  raise DataError(f'dataset={dataset!r}: several configurations, or not the '
                  f'default one, are prepared in {folder!r}; say which, like '
                  f'{os.path.basename(folder)}/{configs[0]}: {configs}')


def _refuse_unprepared(library, dataset, name, root, versions):
  # Without community sets: their list would be fetched from the network.
  known = library.list_builders(with_community_datasets=False)
  here = _folders(root)
  tried = (f'{root!r} (versions there: {", ".join(versions) or "none"})'
           if os.path.isdir(root) else f'{root!r}, which does not exist')
  if name not in known and name not in here:
    near = difflib.get_close_matches(name.lower(), sorted({*known, *here}), n=5)
    raise DataError(
        f'dataset={dataset!r}: TFDS has no set of this name, nor is one in '
        f'{tried}; did you mean {" or ".join(map(repr, near)) or "another"}? '
        f'Give the path of a folder that a builder of your own prepared')
  code = (f'import tensorflow_datasets as tfds; tfds.builder({dataset!r}, '
          f"data_dir={root!r}, file_format='array_record')"
          f'.download_and_prepare()')
  # Inside double quotes, as people would write it.
  raise DataError(
      f'dataset={dataset!r} is not prepared in {tried}; prepare it once, with '
      f'a network and after `pip install tensorflow-cpu` (reading needs '
      f'neither), or give another data_dir: python -c "{code}"')


def open_builder(library, path):
  """The read-only builder of a prepared folder.

  Raises:
    DataError: damaged, or not prepared as array_record.
  """
  try:
    builder = library.builder_from_directory(path)
    formats = {f.value for f in builder.info.available_file_formats()}
    if 'array_record' in formats:
      # As as_data_source does it; asking for the format of a set that has two,
      # TFDS raises "File format is already set".
      builder.info.set_file_format('array_record', override=True,
                                   override_if_initialized=True)
      return builder
  except Exception as error:  # Whatever damaged JSON makes of TFDS.
    raise DataError(f'{path!r}: not a folder that TFDS 4 prepared, or damaged '
                    f'({_line(error)}); prepare it again') from error
  raise DataError(
      f'{path!r}: prepared as {" and ".join(sorted(formats))} only, which is '
      f'not read without TensorFlow; convert it once, after `pip install '
      f'tensorflow-cpu`: tfds convert_format --dataset_version_dir='
      f'{shlex.quote(path)} --out_file_format=array_record')


def find_split(info, split, path):
  """What a split expression stands for: num_examples, file_instructions.

  Raises:
    DataError: not an expression, unknown splits, no examples.
  """
  splits = sorted(info.splits)
  try:
    part = info.splits[split]
    if part.num_examples:
      return part
  except Exception as error:  # Several kinds, with messages of many lines.
    raise DataError(f"split={split!r} of {path!r} ({_line(error)}); must be "
                    f"made of {splits}, like '{splits[0]}[:10%]'") from error
  raise DataError(f'split={split!r} of {path!r} has no examples; choose from '
                  f'{splits}')


def _line(error) -> str:
  return f'{type(error).__name__}: {" ".join(str(error).split())[:200]}'
