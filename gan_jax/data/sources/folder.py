"""Images of any kind in a directory tree."""

import json
import numbers
import os
import time
from typing import Literal

from gan_jax.base.errors import DataError
from gan_jax.base.files import try_write_file
from gan_jax.data import cache, decode, folder_labels, ingest, prepare, scan
from gan_jax.data.geometry import Geometry
from gan_jax.data.prepare import Source

_AS_THEY_ARE = Geometry()
_LISTED = 20  # bad files in one message
# A file written within this time of being read might change once more without
# a new date, where clocks are coarse; git calls it racy.
_SETTLED = 2 * 10 ** 9  # nanoseconds


def folder(*, path, labels='folders',
           on_bad_image: Literal['refuse', 'skip'] = 'refuse', max_bad=0.01,
           geometry=_AS_THEY_ARE) -> Source:
  """The images in a folder and those under it, in the order of their paths.

  PNG, JPEG, WebP, GIF, BMP, TIFF and PPM, told apart by content; which files
  are meant to be images is told by suffix (`scan.SUFFIXES`). All become 8 bits
  and one number of channels: grey if all are grey, else RGB (palettes count as
  colour), unless `channels` says. Alpha is composited on `background`. EXIF
  rotation is applied, colour profiles are not. Of 16-bit grey, v / 257. Of
  animations, the first frame. Refused from the header: over 100 million
  pixels, under 2 on a side, longer than 20:1, floating point.

  Decoded once, into the cache (`data.cache`). The next start compares names,
  sizes and dates, and reads no image; where dates changed, files are read, and
  decoded only if a content changed too.

  Args:
    path: the folder.
    labels: 'folders': if all images lie in folders, the first of them on the
      way is the class, numbered in the order of their sorted names; if none
      does, or there is only one folder, unlabelled. A folder with StyleGAN's
      dataset.json is unlabelled too, as its folders are parts of a set, until
      labels='dataset.json'.  'none': unlabelled.  Else the path, from the
      folder or absolute, of a dataset.json, {"labels": [["a/b.png", 3], ...]},
      or of a CSV file with columns `file` and `label`, or just two columns.
      Integers stay as they are, text is numbered in sorted order.
    on_bad_image: 'refuse' or 'skip' files that are no usable images; `report`
      of the source lists those skipped.
    max_bad: the share of the files that may be skipped, in [0, 1).
    geometry: what is done to every image.

  Raises:
    DataError: no images, bad images (all of them in one message), images of
      several sizes where nothing resizes them, bad labels or arguments.
  """
  root = _checked(path, on_bad_image, max_bad)
  started = time.time_ns()
  tree = scan.walk(root)
  if not tree.files:
    raise DataError(scan.none_found(root, tree))

  def judge(refused):
    _judge(root, refused, len(tree.files), on_bad_image, max_bad)

  entry = _entry(root, tree.files, geometry.checked(), judge, started)
  judge(entry.notes['refused'])  # it may have been made under another rule
  manifest = os.path.join(entry.folder, 'manifest')
  refused = entry.notes['refused']
  classes_of, num_classes, class_names, notices = folder_labels.of_images(
      root, labels, list(scan.read_manifest(manifest)),
      [path for path, _ in refused])
  return prepare.make_source(
      entry.images, classes_of, num_classes, class_names=class_names,
      name=os.path.basename(root) or 'folder', fingerprint=entry.fingerprint,
      report={
          'sizes': entry.notes['sizes'], 'manifest': manifest,
          'refused': [f'{scan.printable(p)}: {why}' for p, why in refused],
          'notices': [*entry.notes['notices'], *tree.notices,
                      *map(scan.printable, notices)]})


def _checked(path, on_bad_image, max_bad) -> str:
  if not isinstance(path, str | os.PathLike) or not os.fspath(path):
    raise DataError(f'path={path!r}: the path of a folder is needed')
  if on_bad_image not in ('refuse', 'skip'):
    raise DataError(f"on_bad_image={on_bad_image!r}: must be 'refuse' or "
                    f"'skip'")
  if not isinstance(max_bad, numbers.Real) or not 0 <= max_bad < 1:
    raise DataError(f'max_bad={max_bad!r}: must be a share in [0, 1)')
  root = os.path.abspath(os.path.expanduser(os.fspath(path)))
  if os.path.isfile(root):
    raise DataError(f'path={path!r} is a file; a folder of images is needed: '
                    f'unpack an archive first, or use the set npz')
  if not os.path.isdir(root):
    raise DataError(f'path={path!r}: no such folder: check the path')
  return root


def _judge(root, refused, total, on_bad_image, max_bad):
  """Raises where the bad files are more than are allowed."""
  skip = on_bad_image == 'skip' and len(refused) < total
  if not refused or (skip and len(refused) <= max_bad * total):
    return
  listed = '; '.join(f"'{scan.printable(path)}' {why}"
                     for path, why in refused[:_LISTED])
  more = (f'; and {len(refused) - _LISTED:,} more'
          if len(refused) > _LISTED else '')
  rule = (f'more than max_bad={max_bad:g} allows' if on_bad_image == 'skip'
          else "repair or remove them, or on_bad_image='skip'")
  raise DataError(f'{scan.printable(root)!r}: {len(refused):,} of {total:,} '
                  f'files are no usable images: {listed}{more}; {rule}')


def _entry(root, files, geometry, judge, started) -> cache.Entry:
  index = os.path.join(cache.root(), 'folders', cache.key_of(
      decode.VERSION, os.path.realpath(root), tuple(geometry)) + '.json')
  state = scan.state_of(files)
  entry = _indexed(index, state)
  if entry:
    return entry
  records = ingest.examine(root, files)
  if not any(record.header for record in records):
    judge(ingest.bad(records))
  key = ingest.key(records, geometry)
  entry = _read(key) or ingest.write(root, records, geometry, judge)
  settled = started - max(file.mtime for file in files) > _SETTLED
  unreadable = any(not record.digest and not file.problem
                   for record, file in zip(records, files, strict=True))
  # What could not be read today may be there tomorrow, with the same date.
  if settled and not unreadable:
    # Without it the next start reads the files once more.
    try_write_file(index, json.dumps({'state': state, 'key': key}).encode())
  return entry


def _read(key) -> cache.Entry | None:
  entry = cache.read(key)
  listed = entry and os.path.isfile(os.path.join(entry.folder, 'manifest'))
  return entry if listed else None


def _indexed(index, state) -> cache.Entry | None:
  """The entry for a folder that looks the same as when it was read."""
  try:
    with open(index) as file:
      known = json.load(file)
    return _read(known['key']) if known['state'] == state else None
  except (OSError, ValueError, KeyError, TypeError):
    return None
