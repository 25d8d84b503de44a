"""Data sets that TensorFlow Datasets prepared as array_record.

Reading needs neither TensorFlow nor a network. A prepared folder is found by
its files; the code that made it never runs. (TFDS itself would look for an
unprepared set on its servers for minutes.)
"""

import collections
import difflib
import fnmatch
import itertools
import json
import os
import pathlib
import re
import shlex

import numpy as np

from gan_jax.base.errors import ArgumentError, DataError
from gan_jax.data import cache, images
from gan_jax.data.collection import SIZES
from gan_jax.data.files import list_folder, one_error, reason
from gan_jax.data.geometry import Geometry
from gan_jax.data.label_values import Labels, of_array
from gan_jax.data.prepare import Source, make_source
from gan_jax.data.sources.arrays import UNLABELLED
from gan_jax.data.threads import progress

_DECODER = 2  # in the cache's key: to be increased when decoding changes
_BLOCK = 64  # records read at a time
_PEEK = 1024  # images whose sizes an error message counts
_MODES = {1: 'L', 3: 'RGB', 4: 'RGBA'}
_INFO = 'dataset_info.json'
_NAME = re.compile(r'(?P<name>\w+)(/(?P<config>[\w.+-]+))?'
                   r'(:(?P<version>(\d+|\*)(\.(\d+|\*)){2}))?')


def tfds(*, dataset, split='train', image_key='', label_key='', data_dir='',
         geometry=Geometry()) -> Source:
  """Images, and classes if there are any, of a prepared TFDS data set.

  Decoded once, into the cache.

  Args:
    dataset: 'cifar10', 'name/config', 'name:3.*.*' or 'name/config:1.0.0' (the
      highest version that matches), or the folder of a prepared version.
    split: of TFDS: 'train', 'train[:10%]', 'train+test'.
    image_key: feature of the image, '' for the only one.
    label_key: feature of the class, '' for the only ClassLabel if there is one,
      'none' for unlabelled.
    data_dir: where prepared sets are, '' for the environment's TFDS_DATA_DIR or
      ~/tensorflow_datasets.
    geometry: applied to every image; needed if sizes differ.

  Raises:
    DataError: tensorflow-datasets is not installed, the set is not prepared as
      array_record, or a problem of its files or an argument.
  """
  if not isinstance(dataset, str) or not dataset:
    raise ArgumentError('dataset', dataset, 'text is needed')
  geometry, library = geometry.checked(), _import_library()
  path = _find(library, dataset, data_dir)
  builder = _open(library, path)
  info, features = builder.info, dict(builder.info.features.items())
  keys = _keys(library.features, features, image_key, label_key, path)
  part = _find_split(info, split, path)
  key = cache.key_of('tfds', _DECODER, info.full_name, split, keys,
                     geometry.key(), _content(part, path))
  entry = cache.read(key)
  if entry is None:
    examples = _examples(library, builder, split, keys, path)
    entry = _decode(key, examples, part.num_examples, geometry, path)
  labels = Labels()
  if keys[1] != UNLABELLED:
    feature = features[keys[1]]
    names = tuple(getattr(feature, 'names', None) or ())
    labels = of_array(
        np.array(entry.notes['labels'], np.int64), len(entry.images),
        f"{path!r}, {keys[1]!r} (label_key='none' ignores it)",
        known=len(names) or getattr(feature, 'num_classes', None) or 0)
    if names and names != tuple(map(str, range(len(names)))):
      labels = labels._replace(class_names=names)
  return make_source(
      entry.images, **labels.described(), name=f'{info.full_name}_{split}',
      licence=info.as_proto.redistribution_info.license,
      fingerprint=entry.fingerprint, report={'sizes': entry.notes['sizes'],
                                              'notices': [*labels.notices]})


def _import_library():
  """Imports tensorflow_datasets, which does not import TensorFlow."""
  try:
    import tensorflow_datasets
    from array_record.python import array_record_data_source  # noqa: F401 (later)
    return tensorflow_datasets
  except ImportError as error:
    raise DataError(
        f'tfds cannot be read: {error}; pip install tensorflow-datasets '
        f'importlib_resources array_record (TensorFlow is not needed)'
    ) from error


def _find(library, dataset, data_dir) -> str:
  path = pathlib.Path(dataset).expanduser()
  if (path / _INFO).is_file():
    return str(path)
  if dataset[0] in '/~.':
    raise DataError(f'dataset={dataset!r}: no {_INFO} in it, but '
                    f'{list_folder(path)[:8]}; give the folder of a version, '
                    f'such as {str(path / "1.0.0")!r}')
  match = _NAME.fullmatch(dataset)
  if not match:
    raise ArgumentError('dataset', dataset, (
        "must be like 'cifar10', 'name/config', 'name/config:1.0.0', or the "
        'path of a prepared version (for sets with another namespace too)'))
  root = os.path.expanduser(data_dir or os.environ.get('TFDS_DATA_DIR') or
                            '~/tensorflow_datasets')
  folder = pathlib.Path(root, match['name'])
  prepared = [info.parent for pattern in (f'*/{_INFO}', f'*/*/{_INFO}')
              for info in folder.glob(pattern)
              if re.fullmatch(r'\d+\.\d+\.\d+', info.parent.name)]
  prepared.sort(key=lambda version: [int(n) for n in version.name.split('.')])
  folder = folder / (match['config'] or _config(dataset, folder, prepared))
  versions = [path.name for path in prepared if path.parent == folder]
  found = fnmatch.filter(versions, match['version'] or '*')
  if found:
    return str(folder / found[-1])
  here, tried = [], f'{root!r}, which does not exist'
  if os.path.isdir(root):
    here = list_folder(root)
    tried = f'{root!r} (versions there: {", ".join(versions) or "none"})'
  # Without community sets: their list would be fetched from the network.
  known = {*library.list_builders(with_community_datasets=False), *here}
  if match['name'] not in known:
    near = difflib.get_close_matches(match['name'].lower(), sorted(known), n=5)
    raise DataError(
        f'dataset={dataset!r}: TFDS has no set of this name, nor is one in '
        f'{tried}; did you mean {" or ".join(map(repr, near)) or "another"}? '
        f'Give the path of a folder that a builder of your own prepared')
  raise DataError(
      f'dataset={dataset!r} is not prepared in {tried}; give another data_dir, '
      f'or prepare it once, with a network and after `pip install '
      f'tensorflow-cpu` (reading needs neither): python -c '
      f'"import tensorflow_datasets as tfds; tfds.builder({dataset!r}, '
      f"data_dir={root!r}, file_format='array_record')"
      f'.download_and_prepare()"')


def _config(dataset, folder, prepared) -> str:
  """The set's default configuration, else its only one; '' without any."""
  configs = sorted({path.parent.name for path in prepared})
  if not configs or any(path.parent == folder for path in prepared):
    return ''
  try:
    default = json.loads((folder / '.config' / 'metadata.json').read_bytes())[
        'default_config_name']
  except (OSError, ValueError, KeyError, TypeError):
    default = configs[0] if len(configs) == 1 else ''
  if default in configs:
    return default
  raise DataError(f'dataset={dataset!r}: several configurations, or not the '
                  f'default one, are prepared in {str(folder)!r}; say which, '
                  f'like {folder.name}/{configs[0]}: {configs}')


def _open(library, path):
  try:
    builder = library.builder_from_directory(path)
    formats = {f.value for f in builder.info.available_file_formats()}
    if 'array_record' in formats:
      # As as_data_source does it; asking for the format of a set that has two,
      # TFDS raises "File format is already set".
      builder.info.set_file_format('array_record', override=True,
                                   override_if_initialized=True)
      return builder
  except Exception as error:  # whatever TFDS raises for damaged JSON
    raise DataError(f'{path!r}: not a folder that TFDS 4 prepared, or damaged '
                    f'({reason(error)}); prepare it again') from error
  raise DataError(
      f'{path!r}: prepared as {" and ".join(sorted(formats))} only, which is '
      f'not read without TensorFlow; convert it once, after `pip install '
      f'tensorflow-cpu`: tfds convert_format --dataset_version_dir='
      f'{shlex.quote(path)} --out_file_format=array_record')


def _find_split(info, split, path):
  """num_examples and file_instructions of a split expression."""
  splits, why = sorted(info.splits), 'it has no examples'
  try:
    if info.splits[split].num_examples:
      return info.splits[split]
  except Exception as error:  # several kinds, with messages of many lines
    why = reason(error)
  raise ArgumentError('split', split, (
      f'cannot be taken from {path!r}: {why}; it must be made of {splits}, '
      f"like '{splits[0]}[:10%]'"))


def _keys(kinds, features, image_key, label_key, path) -> tuple:
  # LabeledImage, a kind of Image, is a mask of classes.
  images = [k for k, f in sorted(features.items()) if isinstance(f, kinds.Image)
            and not isinstance(f, kinds.LabeledImage)]
  classes = [k for k, f in sorted(features.items())
             if isinstance(f, kinds.ClassLabel)]
  keys = (image_key or ' '.join(images),
          label_key or ' '.join(classes) or UNLABELLED)
  image, label = map(features.get, keys)
  problem = ()
  if not isinstance(image, kinds.Image) or image.np_dtype != np.uint8:
    what = getattr(image, 'np_dtype', 'no single feature')
    problem = 'image_key', image_key, f'names {what}, not an image of uint8'
  elif keys[1] != UNLABELLED and (
      label is None or label.shape or not np.issubdtype(label.np_dtype,
                                                        np.integer)):
    problem = ('label_key', label_key,
               "is not one integer per image, or 'none'")
  if problem:
    argument, value, what = problem
    rule = (f'{what}, in {path!r}: choose among the images {images}, classes '
            f'{classes}, all features {sorted(features)}')
    raise ArgumentError(argument, value, rule) if value else DataError(
        f'{argument} {rule}')
  return keys


def _content(part, path) -> tuple:
  """Identity of a preparation: its files and their dates."""
  try:
    found = []
    for piece in part.file_instructions:
      stat = os.stat(piece.filename)
      found.append((os.path.basename(piece.filename), stat.st_size,
                    stat.st_mtime_ns, piece.skip, piece.take))
    with open(os.path.join(path, 'features.json')) as file:
      return *found, file.read()
  except OSError as error:
    raise DataError(f'{path!r}: {error.filename!r} cannot be read '
                    f'({error.strerror}); prepare the set again') from error


def _examples(library, builder, split, keys, path):
  """Yields (image uint8 [h, w, c], label or 0) of a split, in its order.

  Decoded by Pillow: TFDS may use OpenCV, whose JPEGs differ, and leaves a grey
  or CMYK file of a colour set unchanged. Other features are not decoded.
  """
  features = {k: f for k, f in builder.info.features.items() if k in keys}
  image_key, label_key = keys
  channels = features[image_key].shape[2]
  parse = library.features.FeaturesDict(features).deserialize_example_np
  encoded = {image_key: library.decode.SkipDecoding()}
  with one_error(path, 'prepared data set'):
    source = builder.as_data_source(
        split, deserialize_method=library.decode.DeserializeMethod.RAW_BYTES)
  for start in range(0, len(source), _BLOCK):
    with one_error(path, 'prepared data set'):
      rows = range(start, min(start + _BLOCK, len(source)))
      records = [parse(r, decoders=encoded) for r in source.__getitems__(rows)]
      block = [(_pixels(record[image_key], channels), record.get(label_key, 0))
               for record in records]
    yield from block


def _pixels(encoded, channels) -> np.ndarray:
  with images.opened(encoded) as image:
    mode = _MODES.get(channels) or (
        image.mode if image.mode in ('L', 'LA', 'RGB', 'RGBA') else 'RGB')
    return images.as_array(image, mode)


def _decode(key, examples, count, geometry, path):
  sizes, labels = collections.Counter(), []
  first = next(examples)
  examples = itertools.chain([first], examples)
  shape = geometry.image(first[0]).shape

  def shaped():
    with progress(count, 'images: decode') as bar:
      for image, label in examples:
        sizes['{1}x{0}'.format(*image.shape)] += 1
        labels.append(int(label))
        shaped = geometry.image(image)
        if shaped.shape != shape:
          refuse(shaped.shape)
        yield shaped
        bar.update()

  def refuse(other):
    for image, _ in itertools.islice(examples, _PEEK):
      sizes['{1}x{0}'.format(*image.shape)] += 1
    common = ', '.join(f'{s} ({n})' for s, n in sizes.most_common(5))
    raise DataError(
        f'{path!r}: images [H, W, C] of {list(shape)} and of {list(other)}; '
        f'use resize=(64, 64) for example, and channels=3 where channels '
        f'differ; the first {sizes.total()} are, width x height: {common}')

  def finish():
    return key, {'labels': labels,
                 'sizes': dict(sizes.most_common(SIZES))}, b''

  return cache.write((count, *shape), 'uint8', shaped(), finish)
