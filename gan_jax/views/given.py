"""Images that a user gives: read, and brought to what a run understands."""

import contextlib
import os
import re
import zipfile
from typing import Any, NamedTuple

import numpy as np

from gan_jax import pictures
from gan_jax.base.errors import ArgumentError, DataError, RequestError
from gan_jax.base.examples import described
from gan_jax.base.files import write_file, writing_out
from gan_jax.data import cache, values
from gan_jax.data import load as data
from gan_jax.data.bad_files import BadFilesError
from gan_jax.data.files import check_there, printable
from gan_jax.data.prepare import Source
from gan_jax.views.trained import Trained


class Given(NamedTuple):
  """Examples for a run.

  stored: [N, ...] as a data set stores them, see `data.prepare.Source`.
  x: the same float32, as `game.decoder` has them: in [0, 1], or vectors.
  names: of their files, printable, or their numbers.
  labels: [N] or [N, L], as the networks take them.
  """

  stored: np.ndarray
  x: np.ndarray
  names: list[str]
  labels: np.ndarray


def source(path: str, *, resize: tuple[int, ...] = (), channels: int = 0,
           units: tuple = (), labels: bool = False) -> Source:
  """The set of a folder, an .npz or another file that `data=auto` knows.

  Args:
    path: where it is.
    resize: (H, W) of all images; () for as they are.
    channels: 1 grey, 3 RGB, 4 RGBA, 0 as they are.
    units: (black, white) of numbers; () for what the files say.
    labels: whether the folders in a folder are classes.

  Raises:
    DataError, RequestError: with a fix.
  """
  kind = (_npz(path) if path.endswith('.npz') else
          {'name': 'auto'} if os.path.isfile(path) else
          {'name': 'folder', 'labels': 'folders' if labels else 'none'})
  more = {'resize': resize, 'channels': channels}
  if units:
    more |= {'value_range': units, 'dtype': 'float32'}
  check_there(path)
  try:
    return data.load(kind | {'path': path} | {
        key: value for key, value in more.items() if value})
  except ArgumentError as e:
    raise RequestError(f'--{e}') from e
  except DataError as e:
    said = e.args[0] if isinstance(e, BadFilesError) else str(e)
    if re.search(r'\w=', said):  # A key is named.
      said += (' (Here resize is --resize=64,64 and channels is --channels=3; '
               'other keys belong to a config: repair such files, or write '
               'them as PNG or .npz, first.)')
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


def images(run: Trained, path: str, *, label: Any = None, **how) -> Given:
  """The examples of a path, of the shape that a run generates.

  Args:
    run: whose examples they should resemble.
    path: see `source`.
    label: of all images, or of each, for a conditional generator, see
      `Trained.labels`; by default what their folders or the file say they show.
    **how: resize and channels, see `source`.

  Raises:
    DataError: they cannot be read, or are not finite.
    RequestError: they have another shape, with the flag that mends it; no such
      label; or a conditional run and no label, here or of the examples.
  """
  found = source(path, units=run.info.units, labels=run.conditional, **how)
  shape, wanted = tuple(found.images.shape[1:]), tuple(run.info.image_shape)
  if shape != wanted:
    raise RequestError(f'--images={path} holds {described(shape)}; {run.folder}'
                       f' makes {described(wanted)}{_mended(shape, wanted)}')
  stored = np.asarray(found.images[:])
  manifest = found.report.get('manifest', '')
  names = (list(map(printable, cache.read_manifest(manifest))) if manifest
           else list(map(str, range(len(stored)))))
  return Given(stored, values.unit(stored), names, _labels(run, found, label))


def _labels(run, found, label):
  """Labels of a set, as the networks take them."""
  own, classes = label, found.class_names or tuple(
      map(str, range(found.num_classes)))
  if run.conditional and label is None:
    if not classes:
      raise RequestError(f'{run.folder} is conditional: say what the images '
                         'show with --label, or by an array labels in an .npz, '
                         'or by folders named as the classes')
    own = [classes[i] for i in found.labels.tolist()]
  try:
    return run.labels(len(found.images), own)
  except RequestError as e:
    raise RequestError(f'--{e}' if label is not None else
                       f'the labels of --images: {e}') from e


def keep(out: str, result: bytes, picture: np.ndarray) -> str:
  """Writes a result, and its picture beside it as F.png; -> its path.

  Raises:
    RequestError: one of them cannot be written.
  """
  path = f'{os.path.splitext(out)[0]}.png'
  with writing_out(out):
    write_file(out, result)
    write_file(path, pictures.png(picture))
  return path


def _mended(shape, wanted) -> str:
  """The flags that make images of one shape images of another."""
  if len(shape) != 3 or len(wanted) != 3:
    return ''
  height, width, colours = wanted
  flags = [f'--resize={height},{width}'] * (shape[:2] != wanted[:2]) + [
      f'--channels={colours}'] * (
          shape[2] != colours and colours in (1, 3, 4))
  return f'; {" ".join(flags)} makes them so' * bool(flags)
