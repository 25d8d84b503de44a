"""Named image files of any kind -> one `Source`: what all such sets share.

A set of encoded images (a folder; an archive would be alike) lists its `File`s
and says how the bytes of one are read. `load` does the rest, in two passes. The
first reads all files and their headers, which decides the cache's key, the
number of channels and whether a resize is missing; the second decodes straight
into the cache. Unusable files are collected, and reported in one message.
"""

import collections
import hashlib
import itertools
import json
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from functools import partial
from typing import NamedTuple

import tqdm
from PIL import Image

from gan_jax.base.errors import DataError
from gan_jax.base.files import try_write_file
from gan_jax.data import cache, decode
from gan_jax.data.files import printable, reason
from gan_jax.data.geometry import Geometry
from gan_jax.data.labels import labels_of
from gan_jax.data.prepare import Source, make_source

_LISTED = 20  # bad files in one message
_LOG_FROM = 10_000  # images; without a terminal, fewer show no progress
_AHEAD = 64  # files that are read or decoded at a time
# A file written within this time of being read might change once more without
# a new date, where clocks are coarse; git calls it racy.
_SETTLED = 2 * 10 ** 9  # nanoseconds
_NOTES = {'animated': 'animated or of several pages: first frame used',
          'rotated': 'turned upright, as EXIF says',
          'deep': 'of 16-bit colours: upper 8 bits kept',
          'alpha': 'with transparency'}


class File(NamedTuple):
  """A file that should be an image.

  path: in the set, with `/`; names that are not UTF-8 hold surrogates, as
    everywhere in Python.
  size: bytes.
  mtime, ctime: nanoseconds. The latter also sees a file replaced by one of the
    same size and date, as `cp -p` and `tar -x` do.
  problem: why it cannot be read, ''.
  """
  path: str
  size: int
  mtime: int
  ctime: int
  problem: str = ''


class _Record(NamedTuple):
  """A file: sha256 of its content (b'' unreadable), header or problem."""
  path: str
  digest: bytes
  header: decode.Header | None
  problem: str


def load(root: str, files: list[File], read: Callable, *, listed_at: int,
         labels, skip_bad: bool, max_bad: float, geometry: Geometry,
         notices: list) -> Source:
  """Decodes the images, or finds them in the cache, and labels them.

  Args:
    root: path of the set.
    files: in the order of the images, at least one.
    read: path of a file -> its bytes; may raise OSError.
    listed_at: nanoseconds since the epoch, before the files were listed.
    labels: as in `labels.labels_of`.
    skip_bad: whether files that are no usable images may be skipped.
    max_bad: the share of the files that may be skipped.
    geometry: what is done to every image.
    notices: what the reader found, for people.
  """
  def check(bad):
    _check_bad(root, len(files), bad, skip_bad, max_bad)

  with warnings.catch_warnings(action='ignore'):
    # Pillow's, of large images and odd metadata: both are dealt with here.
    entry = _entry(root, files, read, geometry.checked(), check, listed_at)
  bad = entry.notes['refused']
  check(bad)  # the entry may have been made under another rule
  numbers, num_classes, class_names, more = labels_of(
      root, labels, list(cache.read_manifest(entry.manifest)),
      [path for path, _ in bad])
  return make_source(
      entry.images, numbers, num_classes, class_names=class_names,
      name=os.path.basename(root) or 'folder', fingerprint=entry.fingerprint,
      report={'sizes': entry.notes['sizes'], 'manifest': entry.manifest,
              'refused': [f'{printable(path)}: {why}' for path, why in bad],
              'notices': [*entry.notes['notices'], *notices,
                          *map(printable, more)]})


def _check_bad(root, total, bad, skip_bad, max_bad):
  """Raises where more files are bad than may be skipped."""
  if not bad or skip_bad and len(bad) <= max_bad * total and len(bad) < total:
    return
  shown = '; '.join(f"'{printable(path)}' {why}" for path, why in bad[:_LISTED])
  more = f'; and {len(bad) - _LISTED:,} more' if len(bad) > _LISTED else ''
  rule = (f'more than max_bad={max_bad:g} allows' if skip_bad else
          "repair or remove them, or on_bad_image='skip'")
  raise DataError(f'{printable(root)!r}: {len(bad):,} of {total:,} files are '
                  f'no usable images: {shown}{more}; {rule}')


def _entry(root, files, read, geometry, check, listed_at) -> cache.Entry:
  """From the cache: by dates alone, else by contents, else decoded into it."""
  index = os.path.join(cache.root(), 'folders', cache.key_of(
      decode.VERSION, os.path.realpath(root), tuple(geometry)) + '.json')
  state = _hash(file[:4] for file in files)
  try:
    with open(index) as file:
      known = json.load(file)
    entry = known['state'] == state and cache.read(known['key'], True)
  except (OSError, ValueError, KeyError, TypeError):
    entry = None
  if entry:
    return entry
  records = _examine(files, read)
  if not any(record.header for record in records):
    check([(r.path, r.problem) for r in records])
  key = cache.key_of('folder', decode.VERSION, tuple(geometry),
                     _hash((r.path, r.digest) for r in records))
  entry = cache.read(key, True) or _decode(root, records, read, geometry, key,
                                           check)
  settled = listed_at - max(file.mtime for file in files) > _SETTLED
  # What could not be read today may be there tomorrow, with the same date.
  unreadable = any(not record.digest and not file.problem
                   for record, file in zip(records, files, strict=True))
  if settled and not unreadable:
    # Without the index the next start only reads the files once more.
    try_write_file(index, json.dumps({'state': state, 'key': key}).encode())
  return entry


def _hash(items) -> str:
  digest = hashlib.sha256()
  for item in items:
    digest.update(repr(item).encode())
  return digest.hexdigest()


def _examine(files, read) -> list[_Record]:
  """Reads every file once, without decoding it."""
  same = {}  # one object for equal headers: there may be a million

  def one(file):
    digest, header, problem = b'', None, file.problem
    if not problem and file.size > decode.MAX_BYTES:
      digest = str(file.size).encode()
      problem = f'too large: over {decode.MAX_BYTES:,} bytes'
    if not problem:
      try:
        data = read(file.path)
        digest = hashlib.sha256(data).digest()
        header = decode.header(data)
      except OSError as error:
        problem = f'cannot be read ({reason(error)})'
      except decode.BadImageError as error:
        problem = printable(str(error))
    return _Record(file.path, digest, same.setdefault(header, header), problem)

  return list(progress(_parallel(one, files), len(files), 'read'))


def _decode(root, records, read, geometry, key, check) -> cache.Entry:
  """Decodes all good files into the cache."""
  good = [record for record in records if record.header]
  bad = [(r.path, r.problem) for r in records if r.problem]
  geometry, shape = _settle(root, [r.header for r in good], geometry)
  used, sizes, notes = [], collections.Counter(), collections.Counter()

  def one(record):
    try:
      data = read(record.path)
    except OSError:
      data = b''
    # What is cached must be what its key says.
    if hashlib.sha256(data).digest() != record.digest:
      raise DataError(f'{printable(os.path.join(root, record.path))!r} changed '
                      f'while the folder was read: start again once nothing '
                      f'writes there')
    try:
      image = decode.pixels(data)
      if image.shape[:2] != record.header[:2]:
        raise decode.BadImageError('header and pixels are of different sizes')
      return record, geometry.image(image), ''
    except (decode.BadImageError, DataError) as error:
      return record, None, printable(str(error))

  def images():
    for record, image, problem in progress(_parallel(one, good), len(good),
                                           'decode'):
      if problem:
        bad.append((record.path, problem))
        continue
      used.append((record.path, record.digest))
      sizes[f'{record.header.width}x{record.header.height}'] += 1
      notes.update(record.header.notes)
      yield image
    bad.sort()
    check(bad)

  def finish():
    notices = [f'{notes[name]:,} of {len(used):,} images {text}'
               for name, text in _NOTES.items() if notes[name]]
    return dict(sizes=dict(sizes.most_common(50)), refused=bad,
                notices=notices), cache.manifest(used)

  return cache.write(key, shape, images(), finish)


def _settle(root, headers, geometry):
  """The geometry with its number of channels, and the shape of all images."""
  if not geometry.channels:
    colour = any(header.colour for header in headers)
    geometry = geometry._replace(channels=3 if colour else 1)
  sizes = collections.Counter((h.width, h.height) for h in headers)
  after = {geometry.size(height, width) for width, height in sizes}
  if len(after) > 1:
    shown = ', '.join(f'{w}x{h} ({n:,})' for (w, h), n in sizes.most_common(8))
    raise DataError(
        f'{printable(root)!r}: images of {len(sizes):,} sizes (width x height: '
        f'{shown}); one is needed: resize=(64, 64), or crop or pad')
  return geometry, (len(headers), *after.pop(), geometry.channels)


def _parallel(function, items) -> Iterator:
  """`map` in threads (Pillow decodes without the GIL), some items ahead."""
  Image.init()  # loads the plug-ins before the threads race for it
  pool, items = futures.ThreadPoolExecutor(), iter(items)
  submit = partial(pool.submit, function)
  try:
    pending = collections.deque(map(submit, itertools.islice(items, _AHEAD)))
    while pending:
      yield pending.popleft().result()
      pending.extend(map(submit, itertools.islice(items, 1)))
  finally:
    pool.shutdown(cancel_futures=True)


def progress(items: Iterable, total: int, verb: str) -> Iterable:
  """Shows progress: a bar on a terminal, else a line now and then if many."""
  terminal = sys.stderr.isatty()
  return tqdm.tqdm(
      items, total=total, desc=f'images: {verb}', unit='image', leave=False,
      mininterval=0.1 if terminal else 30, ascii=not terminal,
      disable=not terminal and total < _LOG_FROM)
