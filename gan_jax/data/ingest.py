"""Many image files -> one cached array, every file decoded once.

Two passes: the first reads all files and looks at their headers, which decides
the cache's key, the number of channels and whether a resize is missing; the
second decodes straight into the cache. Files that cannot be used are collected,
not raised one by one.
"""

import collections
import hashlib
import os
import sys
import warnings
from concurrent import futures
from typing import NamedTuple

import tqdm
from PIL import Image

from gan_jax.base.errors import DataError
from gan_jax.data import cache, decode, scan
from gan_jax.data.decode import BadImageError

_LOG_FROM = 10_000  # files; fewer are not worth a line in a log
_NOTES = {'animated': 'animated or of several pages: first frame used',
          'rotated': 'turned upright, as EXIF says',
          'deep': 'of 16-bit colours: upper 8 bits kept',
          'alpha': 'with transparency'}


class Record(NamedTuple):
  """A file: sha256 of its content (b'' unreadable), header or problem."""
  path: str
  digest: bytes
  header: decode.Header | None
  problem: str


def examine(root, files) -> list[Record]:
  """Reads every file once, without decoding it."""
  same = {}  # one object for equal headers: there may be a million

  def one(file):
    if file.problem:
      return Record(file.path, b'', None, file.problem)
    if file.size > decode.MAX_BYTES:
      return Record(file.path, str(file.size).encode(), None,
                    f'too large: over {decode.MAX_BYTES:,} bytes')
    try:
      data = _read(root, file.path)
    except OSError as error:
      return Record(file.path, b'', None,
                    f'cannot be read ({error.strerror or error})')
    digest = hashlib.sha256(data).digest()
    try:
      header = decode.header(data)
      return Record(file.path, digest, same.setdefault(header, header), '')
    except BadImageError as error:
      return Record(file.path, digest, None, scan.printable(str(error)))

  with _quiet():
    return list(_progress(_parallel(one, files), len(files), 'read'))


def key(records, geometry) -> str:
  """Of the cache entry: names and contents, and what is done to them."""
  digest = hashlib.sha256()
  for record in records:
    digest.update(repr((record.path, record.digest)).encode())
  return cache.key_of('folder', decode.VERSION, tuple(geometry),
                      digest.hexdigest())


def settle(root, records, geometry):
  """The geometry with its number of channels, and the shape of all images.

  Returns:
    (geometry, (N, H, W, C)); N counts the files whose header passed.

  Raises:
    DataError: images of several sizes, and nothing that makes them one.
  """
  headers = [r.header for r in records if r.header]
  if not geometry.channels:
    colour = any(header.colour for header in headers)
    geometry = geometry._replace(channels=3 if colour else 1)
  sizes = collections.Counter((h.width, h.height) for h in headers)
  after = {geometry.size(height, width) for width, height in sizes}
  if len(after) > 1:
    shown = ', '.join(f'{w}x{h} ({n:,})' for (w, h), n in sizes.most_common(8))
    raise DataError(
        f'{scan.printable(root)!r}: images of {len(sizes):,} sizes (width x '
        f'height: {shown}); one is needed: resize=(64, 64), or crop or pad')
  return geometry, (len(headers), *after.pop(), geometry.channels)


def write(root, records, geometry, judge) -> cache.Entry:
  """Decodes all good files into the cache.

  Args:
    root: the folder.
    records: of `examine`, some of them good.
    geometry: what is done to each image.
    judge: called with [(path, reason)] of all bad files before the entry
      comes to exist; may raise.

  Raises:
    DataError: mixed sizes, files that change meanwhile, no room on the disk.
  """
  entry_key = key(records, geometry)
  geometry, shape = settle(root, records, geometry)
  used, refused = [], bad(records)
  sizes, notes = collections.Counter(), collections.Counter()

  def one(record):
    return record, _decoded(root, record, geometry)

  def images():
    good = [r for r in records if r.header]
    for record, image in _progress(_parallel(one, good), len(good), 'decode'):
      if isinstance(image, str):
        refused.append((record.path, image))
        continue
      used.append((record.path, record.digest))
      sizes[f'{record.header.width}x{record.header.height}'] += 1
      notes.update(record.header.notes)
      yield image
    refused.sort()
    judge(refused)

  with _quiet():
    return cache.write(
        entry_key, shape, images(), at_most=True,
        manifest=lambda: scan.manifest(used),
        notes=lambda: {
            'sizes': dict(sizes.most_common(50)), 'refused': refused,
            'notices': [f'{notes[name]:,} of {len(used):,} images {text}'
                        for name, text in _NOTES.items() if notes[name]]})


def bad(records) -> list:
  """[(path, reason)] of the files that are known not to be usable."""
  return [(r.path, r.problem) for r in records if r.problem]


def _read(root, path) -> bytes:
  with open(os.path.join(root, path), 'rb') as file:
    return file.read()


def _decoded(root, record, geometry):
  """The image uint8 [H, W, C], or why there is none."""
  try:
    data = _read(root, record.path)
  except OSError as error:
    data = str(error).encode(errors='replace')
  # What is cached must be what its key says.
  if hashlib.sha256(data).digest() != record.digest:
    raise DataError(f'{scan.printable(os.path.join(root, record.path))!r} '
                    f'changed while the folder was read: start again once '
                    f'nothing writes there')
  try:
    image = decode.pixels(data)
    if image.shape[:2] != record.header[:2]:
      raise BadImageError('header and pixels are of different sizes')
    return geometry.image(image)
  except (BadImageError, DataError) as error:
    return scan.printable(str(error))


def _parallel(function, items):
  """`map` in threads (Pillow decodes without the GIL), a few items ahead."""
  try:
    workers = min(16, len(os.sched_getaffinity(0)))
  except AttributeError:  # not on every platform
    workers = min(16, os.cpu_count() or 1)
  Image.init()  # loads the plug-ins before the threads race for it
  pending = collections.deque()
  with futures.ThreadPoolExecutor(workers) as pool:
    try:
      for item in items:
        pending.append(pool.submit(function, item))
        if len(pending) > 4 * workers:
          yield pending.popleft().result()
      while pending:
        yield pending.popleft().result()
    finally:
      for future in pending:
        future.cancel()


def _quiet():
  # Pillow warns of large images and odd metadata; both are dealt with here.
  return warnings.catch_warnings(action='ignore')


def _progress(items, total, verb):
  terminal = sys.stderr.isatty()
  return tqdm.tqdm(
      items, total=total, desc=f'images: {verb}', unit='file', leave=False,
      mininterval=0.1 if terminal else 30, ascii=not terminal,
      disable=not terminal and total < _LOG_FROM)
