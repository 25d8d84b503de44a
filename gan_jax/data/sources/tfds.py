"""Data sets that TensorFlow Datasets prepared as array_record.

Reading needs neither TensorFlow nor a network: the prepared folder is found,
and described, by its own files; the code that made it is never run. Preparing
it, once, needs both; the error message of a set that is not prepared says how.
"""

import collections
import io
import itertools
import os

import numpy as np
import tqdm
from PIL import Image

from gan_jax.base.errors import DataError
from gan_jax.data import cache, decode, files, prepare, tfds_files
from gan_jax.data.geometry import Geometry
from gan_jax.data.prepare import Source

_UNLABELLED = 'none'
_AS_IT_IS = Geometry()
_DECODER = 1  # in the cache's key: to be raised when decoding changes
_BLOCK = 64  # records read at a time
_PEEK = 1024  # images whose sizes an error message counts
_SIZES = 100  # of the commonest original sizes, kept for the report
_MODES = {1: 'L', 3: 'RGB', 4: 'RGBA'}


def tfds(*, dataset, split='train', image_key='', label_key='', data_dir='',
         geometry=_AS_IT_IS) -> Source:
  """Images, and classes if there are any, of a prepared TFDS data set.

  Decoded once, into the cache, and mapped from there ever after.

  Args:
    dataset: 'cifar10', 'name/config', 'name:3.*.*' or 'name/config:1.0.0' (the
      highest version that matches), or the folder of a prepared version.
    split: whatever TFDS understands: 'train', 'train[:10%]', 'train+test'.
    image_key: the feature that is the image, '' for the only one.
    label_key: the feature that is the class, '' for the only ClassLabel if
      there is one, 'none' for unlabelled.
    data_dir: where prepared sets are, '' for the environment's TFDS_DATA_DIR or
      ~/tensorflow_datasets.
    geometry: applied to every image; needed where sizes differ.

  Raises:
    DataError: tensorflow-datasets is not installed, the set is not prepared as
      array_record, whatever is wrong with its files or an argument.
  """
  for key, value in dict(dataset=dataset, split=split, image_key=image_key,
                         label_key=label_key, data_dir=data_dir).items():
    if not isinstance(value, str) or not (value or key[-3:] in ('key', 'dir')):
      raise DataError(f'{key}={value!r}: text is needed')
  library = tfds_files.import_library()
  path = tfds_files.find(library, dataset, data_dir)
  builder = tfds_files.open_builder(library, path)
  features = dict(builder.info.features.items())
  keys = (_image_key(library, features, image_key, path),
          _label_key(library, features, label_key, path))
  entry = _decoded(library, builder, split, keys, path, geometry.checked())
  labels, num_classes, names = _labels(features, keys[1], entry, path)
  return prepare.make_source(
      entry.images, labels, num_classes, class_names=names,
      name=f'{builder.info.full_name}_{split}',
      licence=builder.info.as_proto.redistribution_info.license,
      fingerprint=entry.fingerprint,
      report={'sizes': entry.notes['sizes']})


def _decoded(library, builder, split, keys, path, geometry) -> cache.Entry:
  """From the cache, else decoded into it."""
  part = tfds_files.find_split(builder.info, split, path)
  key = cache.key_of('tfds', _DECODER, builder.info.full_name, split, keys,
                     tuple(geometry), _content(part, path))
  entry = cache.read(key)
  if entry is None:
    examples = _examples(library, builder, split, keys, path)
    entry = _decode(key, examples, part.num_examples, geometry, path)
  return entry


def _image_key(library, features, key, path) -> str:
  # LabeledImage, a kind of Image, is a mask of classes.
  kinds = library.features
  found = [k for k, f in sorted(features.items())
           if isinstance(f, kinds.Image)
           and not isinstance(f, kinds.LabeledImage)]
  if key and not isinstance(features.get(key), kinds.Image) or not found:
    raise DataError(f'{path!r}: no image image_key={key!r}; the images are '
                    f'{found}, all features {sorted(features)}')
  if not key and len(found) > 1:
    raise DataError(f'{path!r}: several images; say which with image_key: '
                    f'{found}')
  key = key or found[0]
  if features[key].np_dtype != np.uint8:
    raise DataError(f'{path!r}: {key!r} is {features[key].np_dtype}; only '
                    f'images of uint8 are read: use another image_key')
  return key


def _label_key(library, features, key, path) -> str:
  if key == _UNLABELLED and key not in features:
    return key
  found = [k for k, f in sorted(features.items())
           if isinstance(f, library.features.ClassLabel)]
  if not key and len(found) > 1:
    raise DataError(f"{path!r}: several classes; say which with label_key, or "
                    f"'none': {found}")
  key = key or (found[0] if found else _UNLABELLED)
  label = features.get(key)
  if key != _UNLABELLED and (label is None or label.shape != () or
                             np.dtype(label.np_dtype).kind not in 'ui'):
    raise DataError(f"{path!r}: label_key={key!r} is not one integer per "
                    f"image; classes are {found}; 'none' for unlabelled; all "
                    f"features {sorted(features)}")
  return key


def _labels(features, key, entry, path) -> tuple:
  """Labels [N], number of classes, class names."""
  if key == _UNLABELLED and key not in features:
    return (), 0, ()
  labels = np.array(entry.notes['labels'], np.int64)
  labels, num_classes = prepare.as_labels(
      labels, len(entry.images),
      f"{path!r}, {key!r} (label_key='none' ignores it)")
  names = tuple(getattr(features[key], 'names', None) or ())
  if names == tuple(map(str, range(len(names)))):
    return labels, len(names) or num_classes, ()
  return labels, len(names), names


def _content(part, path) -> tuple:
  """What tells one preparation from another: its files and their dates."""
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

  Images are decoded here, by Pillow: TFDS takes OpenCV where it is installed,
  whose JPEGs differ, and leaves a grey or CMYK file of a set of colours as it
  is. Of the other features nothing is decoded.
  """
  features = {k: f for k, f in builder.info.features.items() if k in keys}
  image_key, label_key = keys
  channels = features[image_key].shape[2]
  parse = library.features.FeaturesDict(features).deserialize_example_np
  encoded = {image_key: library.decode.SkipDecoding()}
  with files.one_error(path, 'prepared data set'):
    source = builder.as_data_source(
        split, deserialize_method=library.decode.DeserializeMethod.RAW_BYTES)
  for start in range(0, len(source), _BLOCK):
    with files.one_error(path, 'prepared data set'):
      rows = range(start, min(start + _BLOCK, len(source)))
      records = [parse(r, decoders=encoded) for r in source.__getitems__(rows)]
      block = [(_pixels(record[image_key], channels), record.get(label_key, 0))
               for record in records]
    yield from block


def _pixels(encoded, channels) -> np.ndarray:
  try:
    with Image.open(io.BytesIO(encoded), formats=decode.FORMATS) as image:
      mode = _MODES.get(channels) or (
          image.mode if image.mode in ('L', 'LA', 'RGB', 'RGBA') else 'RGB')
      pixels = np.asarray(image if image.mode == mode else image.convert(mode))
  except Image.DecompressionBombError as e:
    raise ValueError(str(e)) from e
  return pixels if pixels.ndim == 3 else pixels[..., None]


def _decode(key, examples, count, geometry, path):
  """One pass over the examples into the cache."""
  sizes, labels = collections.Counter(), []
  first = next(examples)
  shape = geometry.image(first[0]).shape

  def images():
    rest = itertools.chain([first], examples)
    for image, label in tqdm.tqdm(
        rest, desc='decoding, once', total=count, unit='image', disable=None):
      sizes['x'.join(map(str, image.shape[:2]))] += 1
      labels.append(int(label))
      shaped = geometry.image(image)
      if shaped.shape != shape:
        _refuse_sizes(path, shape, shaped.shape, sizes, rest)
      yield shaped

  return cache.write(key, (count, *shape), images(), notes=lambda: {
      'labels': labels, 'sizes': dict(sizes.most_common(_SIZES))})


def _refuse_sizes(path, shape, other, sizes, rest):
  for image, _ in itertools.islice(rest, _PEEK):
    sizes['x'.join(map(str, image.shape[:2]))] += 1
  common = ', '.join(f'{s} ({n})' for s, n in sizes.most_common(5))
  raise DataError(
      f'{path!r}: images [H, W, C] of {list(shape)} and of {list(other)}; one '
      f'size is needed: resize=(64, 64) for example, and channels=3 where '
      f'channels differ; the commonest H x W of the first {sizes.total()}: '
      f'{common}')
