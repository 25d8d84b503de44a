"""The data set that a path holds, told by its content."""

import os
from typing import Literal

from gan_jax.base import lookup
from gan_jax.base.errors import DataError
from gan_jax.data import sniff
from gan_jax.data.files import check_file
from gan_jax.data.images import Geometry
from gan_jax.data.load import ROOM, shaped
from gan_jax.data.prepare import Source

_AS_THEY_ARE = Geometry()


def auto(*, path, image_key='', label_key='', label_index=-1, labels='',
         split='', slices='', window='',
         on_bad_image: Literal['refuse', 'skip'] = 'refuse', max_bad=0.01,
         value_range: str | tuple = 'auto', geometry=_AS_THEY_ARE) -> Source:
  """The set that a file or folder holds: its content decides, not its suffix.

  One of `folder`, `zip`, `webdataset`, `hdf5`, `parquet`, `lmdb`, `dicom`,
  `npy`, `npz`, `idx` and `tfds`, with those of the arguments that are given.

  Args:
    path: a file or folder.
    image_key: as of `npz`, `hdf5` and `parquet`.
    label_key: as of `npz`, `hdf5`, `parquet`, `webdataset` and `folder`.
    label_index: as of `npz`.
    labels: as of `folder`, `zip` and `npy`; '' for their default.
    split: as of `folder` and `parquet`.
    slices: as of `npz`.
    window: as of `dicom`.
    on_bad_image: as of `folder`.
    max_bad: as of `folder`.
    value_range: as of `folder`.
    geometry: applied to every image.
  """
  given = dict(locals())
  path, geometry = given.pop('path'), given.pop('geometry')
  if not isinstance(path, str | os.PathLike) or not os.fspath(path):
    raise DataError(f'path={path!r}: the path of a file or folder is needed')
  path = os.path.expanduser(os.fspath(path))
  if not os.path.isdir(path):
    check_file(path)
  name = sniff.kind_of(path) or ('folder' if os.path.isdir(path) else '')
  if not name:
    raise DataError(f'{path!r}: none of the known formats, by its content; say '
                    f'which with data=NAME')
  known = lookup.parameters(lookup.find(ROOM, name))
  defaults = lookup.parameters(auto)
  options = {key: value for key, value in given.items()
             if value != defaults[key].default}
  if unknown := set(options).difference(known):
    raise DataError(f'{path!r} is read by data={name}, which has no '
                    f'{" or ".join(sorted(unknown))}; it has '
                    f'{", ".join(sorted(known))}')
  where = {'idx': 'images', 'tfds': 'dataset'}.get(name, 'path')
  source = lookup.build(ROOM, {'name': name, where: path, **options},
                        geometry=geometry)
  if 'geometry' not in known:
    source = shaped(source, geometry)
  notices = [f'read as data={name}', *source.report.get('notices', ())]
  return source._replace(report=source.report | {'notices': notices})
