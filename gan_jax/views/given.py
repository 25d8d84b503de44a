"""Images that a user gives: read, and brought to what a run understands."""

import contextlib
import logging
import os
import re
import zipfile
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from gan_jax import pictures
from gan_jax.base.errors import (
  ArgumentError,
  DataError,
  RequestError,
  as_flag,
)
from gan_jax.base.examples import described, kind_of
from gan_jax.base.files import (
  refuse_record,
  within,
  write_file,
  writing_out,
)
from gan_jax.config.build import DataInfo
from gan_jax.data import cache, sniff, values
from gan_jax.data import load as data
from gan_jax.data.bad_files import BadFilesError
from gan_jax.data.files import check_there
from gan_jax.data.geometry import Geometry
from gan_jax.data.label_values import to_users
from gan_jax.data.prepare import Column, Source, make_source
from gan_jax.views import asked
from gan_jax.views.trained import Trained, check_seed

_LOG = logging.getLogger(__name__)


class Given(NamedTuple):
  """Examples for a run.

  stored: [N, ...] as a data set stores them, see `data.prepare.Source`.
  x: the same float32, as `game.decoder` has them: in [0, 1], or vectors.
  names: of their files, those that are not UTF-8 with surrogates, or their
    numbers.
  labels: [N] or [N, L], as the networks take them.
  """

  stored: np.ndarray
  x: np.ndarray
  names: list[str]
  labels: np.ndarray


def source(path: str, *, like: DataInfo | None = None, labels: bool = False,
           **geometry) -> Source:
  """The set of a folder, an .npz or another file that `data=auto` knows.

  Args:
    path: where it is.
    like: data of a run, as which the examples are to be stored: bytes, or
      numbers in the same units; None for what the files say.
    labels: whether the folders in a folder are classes.
    **geometry: fields of `data.geometry.Geometry`, empty ones for images as
      they are.

  Raises:
    DataError, RequestError: with a fix.
  """
  path = check_there(path)
  kind = (_npz(path) if path.endswith('.npz') else
          {'name': 'auto'} if os.path.isfile(path) else
          {'name': 'folder', 'labels': 'folders' if labels else 'none'})
  if like:
    kind = _as_stored(path, kind, like)
  try:
    if like and like.columns:
      return _rows(path, kind, like)
    return data.load(kind | {'path': path} | {
        key: value for key, value in geometry.items() if value})
  except ArgumentError as e:
    argument, value, rule = e.args[:3]
    raise RequestError(
        f'a run of {value} {rule}' if argument == 'holds' else
        f'{"--" * (argument in ("resize", "channels"))}{e}') from e
  except DataError as e:
    said = e.args[0] if isinstance(e, BadFilesError) else str(e)
    if re.search(r'\w=', said):  # A key is named.
      # As the run makes them, if there is one.
      *size, channels = like.image_shape if like else (64, 64, 3)
      said += (f' (Here resize is --resize={",".join(map(str, size))} and '
               f'channels is --channels={channels}; other keys belong to a '
               'config: repair such files, or write them as PNG or .npz, '
               'first.)')
    raise DataError(said) from e


def _npz(path):
  """What the file says of itself if --mode=sample wrote it."""
  kind = {'name': 'npz'}
  # A TypeError: the file is one array, an .npy by another name.
  with contextlib.suppress(OSError, ValueError, KeyError, EOFError, TypeError,
                           zipfile.BadZipFile), np.load(path) as file:
    units = file['units'] if 'units' in file else np.zeros(0)
    floats = units.shape == (2,) and units.dtype.kind in 'iuf'
    with file.zip.open('images.npy') as member:  # not all of the array
      np.lib.format.read_magic(member)
      shape, *_ = np.lib.format.read_array_header_1_0(member)
    # Samples that are images have an axis of channels.
    kind['holds'] = {2: 'vectors', 3: 'signals' if floats else 'auto',
                     5: 'volumes'}.get(len(shape), 'auto')
    if floats:
      kind |= {'value_range': tuple(units.tolist()), 'dtype': 'float32'}
  return kind


def _as_stored(path, kind, info) -> dict:
  """Arguments of a set whose examples are to be those of a run's data."""
  what = kind_of(info.image_shape)
  name = sniff.kind_of(path) if kind['name'] != 'npz' else 'npz'
  if what == 'signals' and name == 'audio':
    kind = {'name': 'audio', 'length': info.image_shape[0],
            'mono': info.image_shape[1] == 1}
  elif what != 'images' and 'holds' in data.shared_parameters(name or 'folder'):
    kind = kind | {'holds': what}
  if info.units:
    return kind | {'value_range': info.units, 'dtype': 'float32'}
  return kind | ({'dtype': 'uint8'} if 'dtype' in kind else {})


def _rows(path, kind, info) -> Source:
  """Rows of a table as the vectors of another one, or such vectors."""
  if sniff.kind_of(path) not in ('table', 'parquet'):
    return data.load(kind | {'path': path})
  from gan_jax.data import columns  # It imports pandas, 0.3 s.
  vectors = columns.encode_like(
      columns.read(path), tuple(Column(*c) for c in info.columns), repr(path))
  return make_source(vectors, (), 0, name='table', columns=info.columns)


def images(run: Trained, path: str, *, label: Any = None, judged: bool = False,
           **how) -> Given:
  """The examples of a path, of the shape that a run generates.

  Args:
    run: whose examples they should resemble.
    path: see `source`.
    label: of all images, or of each, for a conditional generator, see
      `Trained.labels`; by default what their folders or the file say they show.
    judged: whether the discriminator is asked too, which may look at labels
      where the generator does not.
    **how: resize, (H, W) of all images, and channels, 1 grey, 3 RGB, 4 RGBA;
      by default images of another shape are brought to it as the run's data
      were.

  Raises:
    DataError: they cannot be read, or are not finite.
    RequestError: they have another shape, with the flag that mends it; no such
      label; or a conditional run and no label, here or of the examples.
  """
  judged = judged and run.judges_labels
  found = _brought(run, path, run.conditional or judged, **how)
  shape, wanted = tuple(found.images.shape[1:]), tuple(run.info.image_shape)
  if shape != wanted:
    raise RequestError(f'--images={path} holds {described(shape)}; {run.folder}'
                       f' makes {described(wanted)}{_mended(shape, wanted)}')
  stored = np.asarray(found.images[:])
  manifest = found.report.get('manifest', '')
  if found.columns and not run.info.columns:
    raise RequestError(f'--images={path} is a table, and {run.folder} makes '
                       'vectors that are none; save them as an .npz')
  names = (list(cache.read_manifest(manifest)) if manifest
           else list(map(str, range(len(stored)))))
  labels = _labels(run, path, found, label, run.conditional or judged)
  return Given(stored, values.unit(stored), names, labels)


def _brought(run, path, labels, *, resize=(), channels=0) -> Source:
  """The set as it is, or else with the geometry of the run's data."""
  read = partial(source, path, like=run.info, labels=labels)
  data_spec = run.config['data']
  own = {key: value for key in Geometry._fields
         if (value := data_spec.get(key))}
  own |= {'channels': channels} if channels else {}
  if resize or own.keys() <= {'channels', 'fit', 'resample', 'background'}:
    return read(resize=resize, channels=channels or own.get('channels', 0))
  try:
    found = read(channels=channels)
    if tuple(found.images.shape[1:]) == tuple(run.info.image_shape):
      return found
  except DataError:  # Of several sizes; another is met again.
    pass
  said = ', '.join(f'{key}={value}' for key, value in own.items())
  try:
    found = read(**own)
  except RequestError as e:
    raise RequestError(f'--images={path} cannot be brought to size as the data '
                       f'of {run.folder} were, by {said}: {e}; give '
                       '--resize=H,W') from e
  _LOG.info('%s is brought to size as the data of %s were: %s', path,
            run.folder, said)
  return found


def _labels(run, path, found, label, looked_at):
  """Labels of a set, as the networks take them."""
  count = len(found.images)
  try:
    if not looked_at:
      return run.labels(count, label)
    return asked.labels(run.info, count, _own_labels(run, path, found)
                        if label is None else label)
  except RequestError as e:
    raise RequestError(f'--{e}' if label is not None else
                       f'the labels of --images: {e}') from e


def _own_labels(run, path, found):
  """What a set says that it shows, as `asked.labels` takes it."""
  labels, columns = found.labels, run.info.label_columns
  if found.num_classes and not columns and (names := _sampled(path)):
    return names
  if found.label_columns:
    return to_users(labels, found.label_columns)
  if columns and found.num_classes and not found.class_names:
    # Whole numbers of one column, or [N, L] with a single 1 in each row.
    return (labels.astype(float) if len(columns) == 1 else
            np.eye(found.num_classes)[labels])
  if found.num_classes:
    names = found.class_names or tuple(map(str, range(found.num_classes)))
    return [names[i] for i in labels.tolist()]
  if (name := _only_folder(found)) in (
      run.info.class_names or map(str, run.info.classes)):
    return [name] * len(labels)
  raise RequestError(f'{run.folder} is conditional: say what the images show '
                     'with --label, or by an array labels in an .npz, or by '
                     'folders named as the classes')


def _only_folder(found) -> str:
  """Name of the one folder in which all files of a set lie; '' if none does.

  To a data set one folder is no class; to a run it may be one of its classes.
  """
  manifest = found.report.get('manifest', '')
  folders = {os.path.dirname(name)
             for name in (cache.read_manifest(manifest) if manifest else ())}
  return os.path.basename(os.path.commonpath(folders)) if folders else ''


def _sampled(path) -> list:
  """Names of the classes in a file of --mode=sample; [] of others."""
  with contextlib.suppress(OSError, ValueError, KeyError, TypeError, IndexError,
                           zipfile.BadZipFile), np.load(path) as file:
    names = file['class_names'].tolist()
    return [names[label] for label in file['labels'].tolist()]
  return []


def check(out: str, suffix: str, what: str, seed: int, *read: str) -> None:
  """Checks where a result goes, and a seed, before anything is computed.

  Args:
    out: F with `suffix`; F.png comes beside it.
    suffix: that it must have.
    what: is in it, for the message.
    seed: of what is random.
    *read: files and folders that are read, which it must not replace; nor lie
      in such a folder, whose images it would be among the next time.

  Raises:
    RequestError: another suffix, a place that is a folder or is in what is
      read, a record of a run, or no seed.
  """
  with as_flag():
    check_seed(seed)
  if not out.endswith(suffix):
    raise RequestError(f'--out={out}: must be F{suffix}, for {what}; F.png '
                       'comes beside it')
  refuse_record(out)
  for path in (out, _picture_of(out)):
    if os.path.isdir(path):
      raise RequestError(f'--out={path}: cannot write it: it is a folder; give '
                         'another name')
    for given in read:
      # What lies at a file is the file itself.
      if within(path, os.path.expanduser(given)):
        raise RequestError(f'--out={out}: {path} is among what is read, '
                           f'{given}; give another name')


def keep(out: str, result: bytes, picture: np.ndarray) -> str:
  """Writes a result, and its picture beside it as F.png; -> its path.

  Raises:
    RequestError: one of them cannot be written.
  """
  path = _picture_of(out)
  with writing_out(out):
    write_file(out, result)
    write_file(path, pictures.png(picture))
  return path


def _picture_of(out) -> str:
  return f'{os.path.splitext(out)[0]}.png'


def _mended(shape, wanted) -> str:
  """The flags that make images of one shape images of another."""
  if len(shape) != 3 or len(wanted) != 3:
    return ''
  height, width, colours = wanted
  flags = [f'--resize={height},{width}'] * (shape[:2] != wanted[:2]) + [
      f'--channels={colours}'] * (
          shape[2] != colours and colours in (1, 3, 4))
  return f'; {" ".join(flags)} makes them so' * bool(flags)
