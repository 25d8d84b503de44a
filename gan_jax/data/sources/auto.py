"""The data set that a path holds, told by its content."""

import os

from gan_jax.base import lookup
from gan_jax.base.errors import ArgumentError, DataError
from gan_jax.data import files, sniff
from gan_jax.data.bad_files import Reading
from gan_jax.data.blocks import package
from gan_jax.data.geometry import Geometry
from gan_jax.data.load import PARTS, ROOM, shaped
from gan_jax.data.prepare import Layout, Source
from gan_jax.data.values import Scale


def auto(*, path, image_key='', label_key='', label_index=-1, labels='',
         split='', window='', layout=Layout(), reading=Reading(), scale=Scale(),
         geometry=Geometry()) -> Source:
  """The set that a file or folder holds: its content decides, not its suffix.

  One of `folder`, `zip`, `webdataset`, `hdf5`, `parquet`, `lmdb`, `dicom`,
  `audio`, `table`, `npy`, `npz`, `idx` and `tfds`, with those of the arguments
  that are given.

  Args:
    path: a file or folder.
    image_key: as of `npz`, `hdf5` and `parquet`.
    label_key: as of `npz`, `hdf5`, `parquet`, `webdataset` and `folder`.
    label_index: as of `npz`.
    labels: as of `folder`, `zip` and `npy`; '' for their default.
    split: as of `folder` and `parquet`.
    window: as of `dicom`.
    layout: as of `npz`.
    reading: as of `folder`.
    scale: as of `folder`.
    geometry: applied to every image.
  """
  given = dict(locals())
  path = given.pop('path')
  path = files.check_there(path)
  if not os.path.isdir(path):
    files.check_file(path)
  name = _kind_of(path) or ('folder' if os.path.isdir(path) else '')
  if not name:
    raise DataError(f'{path!r}: none of the known formats, by its content '
                    f'({files.looks_like(sniff.head(path))}); say which with '
                    f'data=NAME')
  known = lookup.parameters(lookup.find(ROOM, name))
  defaults = lookup.parameters(auto)
  options = {key: value for key, value in given.items()
             if value != defaults[key].default}
  if unknown := set(options).difference(known, ('geometry',)):
    key = min(unknown)
    value, named = given[key], [key]
    if key in PARTS:  # what was set of a group of arguments
      named = [k for k in value._fields
               if getattr(value, k) != value._field_defaults[k]]
      key, value = named[0], getattr(value, named[0])
    has = [field for k in known for field in getattr(PARTS.get(k), '_fields',
                                                     [k])]
    raise ArgumentError(key, value, (
        f'is not for {path!r}, which is read by data={name} and has no '
        f'{" or ".join(named)}; it has {", ".join(sorted(has))}'))
  parts = {key: given[key] for key in PARTS}
  options = {key: value for key, value in options.items() if key not in PARTS}
  where = {'idx': 'images', 'tfds': 'dataset'}.get(name, 'path')
  source = lookup.build(ROOM, {'name': name, where: path, **options}, **parts)
  if 'geometry' not in known:
    source = shaped(source, geometry)
  notices = [f'read as data={name}', *source.report.get('notices', ())]
  return source._replace(report=source.report | {'notices': notices})


def _kind_of(path) -> str:
  name = sniff.kind_of(path)
  if name != 'parquet' or os.path.isdir(path):
    return name
  library = package('pyarrow.parquet', 'parquet')
  with files.one_error(path, 'parquet file'):
    # Encoded images are bytes; what has none is a table of numbers and texts.
    types = [str(field.type) for field in library.read_schema(path)]
  return name if any('binary' in kind for kind in types) else 'table'
