"""Encoded images in records: parquet of Hugging Face, LMDB of LSUN."""

import json
import os
import re
import threading
from functools import partial

import numpy as np

from gan_jax.base.errors import ArgumentError, DataError
from gan_jax.base.lookup import near
from gan_jax.data import collection, sniff
from gan_jax.data.bad_files import Reading
from gan_jax.data.blocks import Blocks, check_declared, package
from gan_jax.data.files import (
  as_os_error,
  check_file,
  check_there,
  list_folder,
  one_error,
  printable,
)
from gan_jax.data.geometry import Geometry
from gan_jax.data.label_values import (
  MISSING,
  NOTHING,
  Labels,
  of_array,
  of_columns,
  of_integers,
  of_texts,
)
from gan_jax.data.named_files import SPLITS
from gan_jax.data.prepare import Source
from gan_jax.data.sources.arrays import UNLABELLED
from gan_jax.data.values import Scale

_ROWS = 128  # of a parquet file, read at a time
_LABELS = ('label', 'labels', 'class', 'target')
# Written beside the images: how many there are.
_COUNTS = (b'length', b'__len__', b'num-samples', b'num_samples')


def parquet(*, path, split='', image_key='', label_key='', reading=Reading(),
            scale=Scale(), geometry=Geometry()) -> Source:
  """Images of a parquet file or a folder of such, as Hugging Face has them.

  Args:
    path: a file, or a folder: of its files those of the split, in order.
    split: how the names of files begin, or the name of their folder, such as
      'test'; 'all' for all; '' for train if there are several of train,
      validation and test, else for all.
    image_key: column of encoded images, bytes or struct(bytes, path); '' for
      the only one.
    label_key: column of labels, or several of them, 'age,sex', for a label
      vector; '' for the only ClassLabel, else label, labels, class or target,
      else unlabelled; 'none' for unlabelled. Lists are several labels per
      image; what becomes of labels: `label_values.of_texts` and `of_columns`.
    reading: as of `folder`.
    scale: as of `folder`.
    geometry: applied to every image.

  Raises:
    DataError: pyarrow is not installed, or a problem of the files.
  """
  root = os.path.abspath(check_there(path))
  shards, notices = _shards(root, split)
  table = _Table(root, image_key, label_key)
  for shard in shards:
    table.add(shard)
  if not table.files:
    raise DataError(f'{root!r}: no rows')
  return collection.load(
      root, table.files, table.read, table.label, reading=reading, scale=scale,
      geometry=geometry, notices=notices,
      form=collection.Form(member=table.image_key))


class _Table:
  """The rows of several parquet files; only labels are read at once."""

  def __init__(self, root, image_key, label_key):
    self._pq = package('pyarrow.parquet', 'parquet')
    self._root, self._wanted = root, (image_key, label_key)
    self._keys, self._names, self._places, self._labels = None, {}, {}, {}
    self.files = []

  @property
  def image_key(self) -> str:
    """The column of the images."""
    return self._keys[0]

  def add(self, shard):
    """Reads the labels of a file."""
    if sniff.head(shard, 4) != b'PAR1':
      sniff.refuse(shard, 'parquet')
    with one_error(shard, 'parquet file'):
      # With a buffer, pages are read, not whole groups of rows.
      open_table = partial(self._pq.ParquetFile, shard, buffer_size=1 << 20)
      with open_table() as table:
        count = self._add(shard, table)
    column = _Column(open_table, self.image_key)
    status, home = os.stat(shard), self._root
    # train/0.parquet and test/0.parquet are two files.
    base = os.path.relpath(
        shard, home if os.path.isdir(home) else os.path.dirname(home))
    for i in range(count):
      name = f'{base} row {i}'
      self._places[name] = column, i, len(self.files)
      self.files.append(collection.File(name, 0, status.st_mtime_ns,
                                        status.st_ctime_ns))

  def _add(self, shard, table) -> int:
    """Checks an open file and takes its labels; returns how many rows."""
    schema, meta = table.schema_arrow, table.metadata
    check_declared(sum(meta.row_group(i).total_byte_size
                       for i in range(meta.num_row_groups)), shard)
    check_declared(meta.num_rows * 1000, shard)
    if not self._keys:
      self._keys = _columns(self._root, schema, *self._wanted)
      self._names = {key: _class_names(schema, key) for key in self._keys[1]}
    image_key, label_keys = self._keys
    for key in (image_key, *label_keys):
      if key not in schema.names:
        raise DataError(f'{shard!r}: no column {key!r}; it has '
                        f'{schema.names}')
    for key in label_keys:
      self._labels.setdefault(key, []).extend(
          table.read(columns=[key])[key].to_pylist())
    return meta.num_rows

  def read(self, name):
    """Bytes of an image; OSError if there are none."""
    column, i, _ = self._places[name]
    with as_os_error(), one_error(name, 'file'):
      value = column.blocks[i]
    value = value.get('bytes') if isinstance(value, dict) else value
    if not isinstance(value, bytes):
      raise OSError(0, 'no image in this row, but null or a path')
    return value

  def label(self, paths, refused):
    """Labels of the images that could be read, see `collection.load`."""
    # Refused rows count, so that a class keeps its number without them.
    more = [name for name in refused if all(
        values[self._places[name][2]] is not None
        for values in self._labels.values())]
    rows = [self._places[name][2] for name in (*paths, *more)]
    return _labels_of({key: [values[row] for row in rows]
                       for key, values in self._labels.items()},
                      self._names, self._root).of(slice(0, len(paths)))


class _Column:
  """A column, read in order: a group of rows may be larger than memory."""

  def __init__(self, open_table, key):
    self._open, self._key, self._next = open_table, key, None
    self.blocks = Blocks(_ROWS, self._read)

  def _read(self, start, stop):
    del stop
    if self._next is None or start < self._next:
      self._batches, self._next, self._left = self._read_batches(), 0, []
    rows = []
    while self._next <= start:  # batches end with groups of rows
      rows = self._left
      # One row more, so that a file is closed once all is read.
      while len(rows) <= _ROWS and (batch := next(self._batches, None)):
        rows += batch.column(0).to_pylist()
      rows, self._left = rows[:_ROWS], rows[_ROWS:]
      self._next += _ROWS
    return rows

  def _read_batches(self):
    with self._open() as table:
      yield from table.iter_batches(_ROWS, columns=[self._key])


def _shards(root, split):
  if not os.path.isdir(root):
    return [check_file(root)], []
  names = [os.path.join(place, name) for place, _, names in os.walk(root)
           for name in names if name.endswith('.parquet')]
  names.sort()
  if not names:
    sniff.refuse(root, 'parquet')
    raise DataError(f'{root!r}: no .parquet file in this folder, which holds '
                    f'{list_folder(root)[:8]}')
  known = {name: _split_of(os.path.relpath(name, root)) for name in names}
  splits, notices = sorted(set(known.values())), []
  wanted = split
  if not split and len(splits) > 1 and 'train' in splits:
    wanted = 'train'
    notices = [f'split train of {splits}: split=NAME takes another, split=all '
               f'all']
  if wanted in ('', 'all'):
    return names, []
  taken = [name for name in names if known[name] == wanted]
  if not taken:
    raise ArgumentError('split', split, (
        f'no file of {root!r}, nor its folder, has that name'
        f'{near(split, splits)}'))
  return taken, notices


def _split_of(path) -> str:
  """'test' of 'test/0.parquet' and of 'test-00000-of-00001.parquet'."""
  folder, name = os.path.split(path)
  folder = os.path.basename(folder)
  return folder if folder in SPLITS else re.split('[-.]', name)[0]


def _features(schema) -> dict:
  """{column: its description by Hugging Face's datasets}."""
  try:
    return json.loads(schema.metadata[b'huggingface'])['info']['features']
  except (TypeError, LookupError, ValueError):
    return {}


def _labels_of(columns, names, root) -> Labels:
  """`Labels` of columns {name: values}, with the names of their classes."""
  if not columns:
    return Labels()
  where = (f"{root!r}, column {', '.join(columns)!r} (label_key='none' ignores "
           f'it)')
  texts = {}
  for key, values in columns.items():
    lacking = [i for i, x in enumerate(values) if x is None or x != x
               or isinstance(x, str) and x.strip() in MISSING]
    if lacking:
      raise DataError(f'{where}: {len(lacking):,} images without a label, '
                      f'first image {lacking[0]}')
    lists = [x for x in values if isinstance(x, list)]
    if len(columns) == 1 and lists and not names[key] and (
        len({len(x) for x in lists}) == 1 and not any(
            isinstance(part, str) for part in lists[0])):
      return of_array(np.array(values, np.float64), len(values), where)
    if len(columns) == 1 and names[key] and not lists:
      found = of_integers(np.array(values), where, len(names[key]))
      return found._replace(class_names=names[key])
    texts[key] = [_text(x, names[key]) for x in values]
  if len(columns) > 1:
    return of_columns(list(texts), list(zip(*texts.values(), strict=True)),
                      where)
  (key, found), = texts.items()
  return of_texts(found, where, key)


def _text(value, names) -> str:
  if isinstance(value, list):
    return '|'.join(_text(part, names) for part in value) or NOTHING
  if isinstance(value, int):  # True is 1.
    return names[value] if 0 <= value < len(names) else f'{value:d}'
  return str(value)


def _class_names(schema, key) -> tuple:
  try:
    feature = _features(schema)[key]
    feature = feature[0] if isinstance(feature, list) else feature
    feature = feature.get('feature') or feature  # of a Sequence
    return tuple(map(printable, feature.get('names') or ()))
  except (LookupError, TypeError, AttributeError):
    return ()


def _columns(root, schema, image_key, label_key) -> tuple:
  features = {key: what.get('_type') for key, what in _features(schema).items()
              if isinstance(what, dict)}
  found = [key for key in schema.names if features.get(key) == 'Image'] or [
      field.name for field in schema
      if str(field.type).startswith(('binary', 'large_binary', 'struct<bytes'))]
  classes = [key for key in schema.names if features.get(key) == 'ClassLabel']
  named = [key for key in _LABELS if key in schema.names]
  if not label_key and len(classes) > 1 and not named:
    raise DataError(f'{root!r}: several columns are labels: choose one or '
                    f'several with label_key among {classes}')
  if not image_key and len(found) != 1:
    raise DataError(f'{root!r}: {len(found)} columns may be the images; say '
                    f'which with image_key: it has {schema.names}; data=table '
                    f'takes numbers and texts')
  guessed = classes if len(classes) == 1 else named[:1]
  wanted = guessed if not label_key else () if label_key == UNLABELLED else (
      [label_key] if label_key in schema.names else label_key.split(','))
  keys = image_key or found[0], wanted
  for argument, value, names in (('image_key', image_key, keys[:1]),
                                 ('label_key', label_key, wanted)):
    if absent := [name for name in names if name not in schema.names]:
      raise ArgumentError(argument, value, (
          f'names {absent[0]!r}, no column of {root!r}; it has '
          f'{schema.names}'))
  kind = str(schema.field(keys[0]).type)
  if image_key and 'binary' not in kind:
    raise ArgumentError('image_key', image_key, (
        f'names a column of {kind} in {root!r}; encoded images are needed'))
  if label_key and keys[0] in wanted:
    raise ArgumentError('label_key', label_key, (
        f'names {keys[0]!r} of {root!r}, the images; it has {schema.names}'))
  return keys


def lmdb(*, path, reading=Reading(), scale=Scale(),
         geometry=Geometry()) -> Source:
  """The encoded images of an LMDB, such as LSUN's; unlabelled.

  Every value is an image; keys that count them (`length`) are left out. Values
  that are pickles, as some tools write them, are refused.

  Args:
    path: the folder with data.mdb, or the file.
    reading: as of `folder`.
    scale: as of `folder`.
    geometry: applied to every image.

  Raises:
    DataError: lmdb is not installed, or a problem of the file.
  """
  path = os.path.abspath(check_there(path))
  inside = os.path.isdir(path)
  file = os.path.join(path, 'data.mdb') if inside else path
  if inside and not os.path.exists(file):
    sniff.refuse(path, 'lmdb')
  check_file(file)
  library = package('lmdb', 'lmdb')
  status, lock = os.stat(file), threading.Lock()
  try:
    with library.open(file, subdir=False, readonly=True, lock=False,
                      readahead=False) as database:
      # LMDB maps the file: what is missing at its end would kill the process.
      if status.st_size < (database.info()['last_pgno'] + 1) * (
          database.stat()['psize']):
        raise DataError(f'{file!r}: truncated; download it again')
      with database.begin(buffers=True) as transaction:
        files = [collection.File(
            bytes(key).decode('utf-8', 'surrogateescape'), len(value),
            status.st_mtime_ns, status.st_ctime_ns)
            for key, value in transaction.cursor() if bytes(key) not in _COUNTS]
        if not files:
          raise DataError(f'{file!r}: no images in it')

        def read(name):
          with lock:
            return bytes(transaction.get(name.encode('utf-8',
                                                     'surrogateescape')))

        return collection.load(
            path, files, read, lambda *_: Labels(), reading=reading,
            scale=scale, geometry=geometry, notices=[])
  except library.Error as error:
    sniff.refuse(file, 'lmdb')
    raise DataError(f'{file!r}: damaged, or no LMDB ({error}); download or '
                    f'write it again') from error
