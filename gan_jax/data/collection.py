"""Makes a `Source` of named files or records.

A set (such as a folder) lists its `File`s and says how to read one. `load`
makes two passes: the first reads all files and headers, which give the cache
key, the number of channels, the range of the numbers and whether a resize is
missing; the second decodes into the cache. The first time, both are done in one
pass, by what the first image says of size, channels and range; where a later
image differs, the two passes follow.
"""

import collections
import hashlib
import itertools
import json
import os
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from gan_jax.base.errors import ArgumentError, DataError
from gan_jax.base.examples import kind_of
from gan_jax.base.files import try_write_file
from gan_jax.data import cache, images, values
from gan_jax.data.bad_files import Reading
from gan_jax.data.files import printable, reason
from gan_jax.data.geometry import Geometry
from gan_jax.data.prepare import Source, dtype_of, make_source
from gan_jax.data.threads import in_parallel

_LOOKED_AT = 20  # unusable files before one that says what the others are
# A file written within this time of being read might change once more without
# a new date, where clocks are coarse; git calls it racy.
_SETTLED = 2 * 10 ** 9  # nanoseconds
SIZES = 50  # of files that are kept, the most frequent ones
_RANGES = 1  # to be increased when `values` decides otherwise
_NOTES = {'animated': 'animated or of several pages: first frame used',
          'rotated': 'turned upright, as EXIF says',
          'deep': 'of 16-bit colours: upper 8 bits kept',
          'inverted': 'stored with 0 as white (MONOCHROME1): inverted',
          'alpha': 'with transparency'}


class File(NamedTuple):
  """A file that should be an image.

  path: in the set, with `/`; names that are not UTF-8 hold surrogates.
  size: bytes.
  mtime, ctime: nanoseconds. ctime also changes for a replaced file of the same
    size and date (`cp -p`, `tar -x`).
  problem: why it cannot be read, ''.
  """
  path: str
  size: int
  mtime: int
  ctime: int
  problem: str = ''


class _Record(NamedTuple):
  """A file: sha256 of its content (b'' if unreadable), header or problem."""
  file: File
  digest: bytes
  header: images.Header | None
  problem: str
  # Where the range of the set depends on it, or nothing says the range.
  span: values.Span | None = None


class Form(NamedTuple):
  """How the contents of files become examples.

  codec: has read_header(data), span(data) and decode(data, black, white, dtype)
    as `images` has.
  shape: of an example that is no image, else ().
  options: of the reader, on which its numbers depend.
  rate: of signals, in Hz.
  member: which array or column of the file is read.
  """
  codec: object = images
  shape: tuple = ()
  options: tuple = ()
  rate: float = 0.0
  member: str = ''


def load(root: str, files: list[File], read: Callable, label: Callable, *,
         reading: Reading, scale: values.Scale, geometry: Geometry,
         notices: list, form=Form()) -> Source:
  """Decodes the images, or finds them in the cache, and labels them.

  Args:
    root: path of the set.
    files: in the order of the images, at least one.
    read: path of a file -> its bytes; may raise OSError.
    label: (paths of the images, paths of those skipped) -> `Labels`.
    reading: whether unusable files may be skipped.
    scale: of the numbers.
    geometry: applied to every image.
    notices: of the reader.
    form: how files are decoded.
  """
  check = partial(reading.checked().check, root, total=len(files))
  with warnings.catch_warnings(action='ignore'):
    # Pillow's, of large images and odd metadata: both are dealt with here.
    entry = _entry(root, files, read, geometry.checked(), check,
                   scale.checked(), form)
  bad = entry.notes['refused']
  check(bad)  # the entry may have been made under another rule
  refused = {path for path, _ in bad}
  left_out = [f'{len(bad):,} of {len(files):,} files are not usable and left '
              'out, the first ' + printable(': '.join(bad[0]))] if bad else []
  labels = label([file.path for file in files if file.path not in refused],
                 [path for path, _ in bad])
  return make_source(
      entry.images, **labels.described(),
      name=os.path.basename(root) or 'folder', fingerprint=entry.fingerprint,
      units=tuple(entry.notes.get('units', ())), rate=form.rate,
      report={'sizes': entry.notes['sizes'], 'manifest': entry.manifest,
              'refused': [f'{printable(path)}: {why}' for path, why in bad],
              'notices': [*left_out, *entry.notes['notices'], *notices,
                          *map(printable, labels.notices)]})


def _entry(root, files, read, geometry, check, scale, form) -> cache.Entry:
  """Finds the cache entry by dates, else by contents, else decodes."""
  started = time.time_ns()
  index = os.path.join(cache.root(), 'folders', cache.key_of(
      images.DECODER, os.path.realpath(root), geometry.key(), tuple(scale),
      form.options, form.member, _RANGES) + '.json')
  state = _hash(file[:4] for file in files)
  try:
    with open(index) as file:
      known = json.load(file)
    if known['state'] == state and (entry := cache.read(known['key'])):
      return entry
  except (OSError, ValueError, KeyError, TypeError):
    pass  # a new folder, or another geometry
  work = _Work(root, files, read, geometry, check, scale, form)
  entry = None if os.path.exists(index) else work.at_once()
  entry = entry or work.in_two_passes()
  settled = started - max(file.mtime for file in files) > _SETTLED
  # What could not be read today may be there tomorrow, with the same date.
  if settled and all(r.digest or r.file.problem for r in work.records):
    # Without the index the next start only reads the files once more.
    try_write_file(index, json.dumps({'state': state, 'key': entry.key}
                                     ).encode())
  return entry


class _Plan(NamedTuple):
  """How the images of a set are decoded, once all headers are known.

  geometry: of files of images with their number of channels.
  channels: that the user asked for, 0 for none.
  shape: (N, ...) of the examples.
  ranges: {kind of numbers: (black, white)}.
  said: what is to be said of them.
  """
  geometry: Geometry
  channels: int
  shape: tuple
  dtype: str
  ranges: dict
  said: list
  form: Form

  def fits(self, header) -> bool:
    """Whether an image of this header leaves the plan as it is."""
    return bool(self.form.shape) or (
        header.kind in ('bytes', *self.ranges)
        and (self.channels or (header.channels or (
            3 if header.colour else 1)) <= self.shape[-1])
        and self.geometry.size(*header[:2]) == self.shape[1:3])

  def decode(self, record, data):
    """(example or None, problem, its largest byte)."""
    numbers = self.ranges.get(record.header.kind, (0, 255))
    try:
      image = self.form.codec.decode(data, *numbers, self.dtype)
      if self.form.shape:
        return values.finished(image), '', 0
      if image.shape[:2] != record.header[:2]:
        raise images.BadImageError('header and pixels are of different sizes')
      # Without alpha.
      colours = image[..., :-1] if image.shape[2] in (2, 4) else image
      return values.finished(self.geometry.image(image)), '', int(colours.max())
    except (images.BadImageError, ArgumentError, DataError) as error:
      return None, printable(str(error)), 0


class _OtherPlanError(Exception):
  """An image that the plan did not expect."""


class _Work:
  """Reads and decodes the files of a set into the cache."""

  def __init__(self, root, files, read, geometry, check, scale, form):
    self._root, self._files, self._read = root, files, read
    self._geometry, self._check = geometry, check
    self._scale, self._form = scale, form
    self.records, self._headers = [], {}
    self._size = sum(file.size for file in files) / len(files)

  def at_once(self) -> cache.Entry | None:
    """In one pass; None if an image is not as the first one said."""
    first = next(filter(lambda record: record.header, (
        self._examine(file)[0] for file in self._files[:_LOOKED_AT])), None)
    if first is None or first.span:
      return None
    try:
      plan = self._plan([first])
    except ArgumentError:
      return None  # others may suit it

    def both(file):
      record, data = self._examine(file)
      fits = record.header and not record.span and plan.fits(record.header)
      return record, plan.decode(record, data) if fits else None

    def decoded():
      for record, found in in_parallel(both, self._files, self._size, 'decode'):
        if record.header and found is None:
          raise _OtherPlanError
        self.records.append(record)
        yield record, found or (None, record.problem, 0)

    try:
      return self._write(plan, decoded())
    except _OtherPlanError:
      return None

  def in_two_passes(self) -> cache.Entry:
    """First all headers and numbers, then the pixels."""
    self.records = [record for record, _ in in_parallel(
        lambda file: (self._examine(file)[0], None), self._files, self._size,
        'read')]
    good = [record for record in self.records if record.header]
    if not good:
      if all(record.span for record in self.records):  # None says its range.
        _ranges(self._root, self.records, values.AUTO)
      self._check([(r.file.path, r.problem) for r in self.records])
    if entry := cache.read(self._key()):
      return entry
    plan = self._plan(good)
    bad = [(r, (None, r.problem, 0)) for r in self.records if not r.header]
    return self._write(plan, itertools.chain(bad, in_parallel(
        lambda record: (record, plan.decode(record, self._again(record))),
        good, self._size, 'decode')))

  def _examine(self, file):
    """A `_Record`, and the content of the file."""
    if file.problem:
      return _Record(file, b'', None, file.problem), b''
    if file.size > images.MAX_BYTES:
      return _Record(file, str(file.size).encode(), None,
                     f'too large: over {images.MAX_BYTES:,} bytes'), b''
    digest, data, codec = b'', b'', self._form.codec
    try:
      data = self._read(file.path)
      digest = hashlib.sha256(data).digest()
      header = codec.read_header(data)
      header = self._headers.setdefault(header, header)  # one object of many
      auto = self._scale.value_range == values.AUTO
      if auto and self._scale.dtype == 'uint8' and header.kind == 'bytes':
        return _Record(file, digest, header, ''), data
      span = codec.span(data)
      if auto and header.kind in ('bits', 'floats'):
        try:  # Each by itself, so that it may be skipped.
          values.choose(span, values.AUTO)
        except DataError as error:
          return _Record(file, digest, None, str(error), span), data
      return _Record(file, digest, header, '', span), data
    except OSError as error:
      return _Record(file, b'', None,
                     f'cannot be read ({reason(error)})'), b''
    except (images.BadImageError, DataError) as error:
      return _Record(file, digest, None, printable(str(error))), data

  def _again(self, record):
    """The content of a file; DataError if it is not what it was."""
    try:
      data = self._read(record.file.path)
    except OSError:
      data = b''
    # What is cached must be what its key says.
    if hashlib.sha256(data).digest() != record.digest:
      path = printable(os.path.join(self._root, record.file.path))
      raise DataError(f'{path!r} changed while it was read: start again once '
                      f'nothing writes there')
    return data

  def _plan(self, good) -> _Plan:
    form, geometry, kind = self._form, self._geometry, 'images'
    if form.shape:
      kind = kind_of(form.shape)
      geometry.check_unused(f'{printable(self._root)!r} holds {kind} '
                            f'{list(form.shape)}')
      shape = form.shape
    else:
      geometry, shape = geometry.settled([r.header for r in good],
                                         printable(self._root))
    ranges, said = _ranges(self._root, good, self._scale.value_range)
    return _Plan(geometry, self._geometry.channels, (len(self._files), *shape),
                 dtype_of(kind, self._scale), ranges, said, form)

  def _key(self):
    # Nothing more for 8-bit images, whose entries are as old as the cache.
    more = ((*self._scale, self._form.options, _RANGES) if self._form.options
            or any(r.span for r in self.records) else ())
    return cache.key_of('folder', images.DECODER, self._geometry.key(), _hash(
        (r.file.path, r.digest) for r in self.records), *more)

  def _write(self, plan, found) -> cache.Entry:
    """Writes an entry of (record, as of `_Plan.decode`) of all files."""
    used, bad = [], []
    sizes, notes = collections.Counter(), collections.Counter()
    largest = 0  # of what is stored in bytes

    def examples():
      nonlocal largest
      for record, (image, problem, top) in found:
        if problem:
          bad.append((record.file.path, problem))
          continue
        used.append(record)
        sizes[f'{record.header.width}x{record.header.height}'] += 1
        notes.update(record.header.notes)
        largest = max(largest, top if record.span is None else 255)
        yield image
      bad.sort()
      self._check(bad)

    def finish():
      texts = dict(_NOTES)
      if plan.shape[-1] != 4:
        texts['alpha'] += (', put on data.background='
                           f'{plan.geometry.background}, 0 is black')
      notices = [f'{notes[name]:,} of {len(used):,} images {text}'
                 for name, text in texts.items() if notes[name]] + plan.said
      dark = values.choose(values.Span('bytes', 0, largest), values.AUTO)[2]
      notices += [dark] if dark and not plan.form.shape else []
      # Files of several depths have no unit in common but the share of white.
      ranges = set(plan.ranges.values())
      units = ranges.pop() if len(ranges) == 1 else (0, 1)
      return self._key(), dict(
          sizes=dict(sizes.most_common(SIZES)), refused=bad, notices=notices,
          units=units if plan.dtype == 'float32' else ()), cache.manifest(
              (record.file.path, record.digest) for record in used)

    return cache.write(plan.shape, plan.dtype, examples(), finish)


def _hash(items) -> str:
  digest = hashlib.sha256()
  for item in items:
    digest.update(repr(item).encode())
  return digest.hexdigest()


def _ranges(root, records, value_range) -> tuple:
  """{kind: (black, white)} of the numbers of a set, and what to say of it."""
  found, counts = {}, collections.Counter()
  for record in records:
    if span := record.span:
      counts[span.kind] += 1
      found[span.kind] = found.get(span.kind, span) | span
  ranges, said = {}, []
  for kind, span in found.items():
    try:
      black, white, note = values.choose(span, value_range)
    except DataError as error:
      raise DataError(f'{printable(root)!r}: {counts[kind]:,} of '
                      f'{len(records):,} images with {error}') from error
    ranges[kind] = black, white
    if note:
      some = counts[kind] < len(records)
      part = f'{counts[kind]:,} of {len(records):,} images: ' * some
      # Of 8 bits, the others would be black.
      said.append(part + note + (
          ', for all images: to scale these alone, save them as 8 bits'
          * (some and value_range == values.AUTO and 'value_range=' in note)))
  return ranges, said
