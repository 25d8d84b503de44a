"""`load(spec)`: loads the data set of a config.

`config.data = dict(name=..., **kwargs)` holds the arguments of the set
(`data.sources`), those that all sets share: the fields of `geometry.Geometry`,
`Selection` and `pipeline.Sampling`, and of `PARTS` those that it takes.
"""

import hashlib
import inspect
import logging
import math
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from gan_jax.base import lookup
from gan_jax.base.errors import ArgumentError, DataError, Problem
from gan_jax.base.examples import kind_of
from gan_jax.data import own_sets, values
from gan_jax.data.bad_files import Reading
from gan_jax.data.files import check_there, printable, some
from gan_jax.data.geometry import Geometry
from gan_jax.data.label_values import class_of
from gan_jax.data.pipeline import Sampling
from gan_jax.data.prepare import Layout, Source

_LOG = logging.getLogger(__name__)
ROOM = 'gan_jax.data.sources'
_FEW = 5  # examples of a class
_UNEVEN = 10  # times as many of one class as of another


class Selection(NamedTuple):
  """Which examples are trained on.

  classes: those to keep, by their names or numbers, () for all. Labels and
    num_classes stay the same.
  holdout: share of the examples kept from training, chosen by a hash of their
    content: an image stays on its side when others come or go. Slices of one
    volume and pieces of one recording may come to both sides. One of each
    class is always trained on.
  labelled: share of each class whose labels are kept, one at least; from 2 on
    their number, the same of each class. Chosen by such a hash too; the others
    get the label -1.
  labelled_seed: chooses others.
  """
  classes: tuple[int | str, ...] = ()
  holdout: float = 0.0
  labelled: float = 1.0
  labelled_seed: int = 0

  def checked(self) -> 'Selection':
    """The same; ArgumentError for an invalid field."""
    kept = self.labelled
    if not isinstance(self.classes, tuple | list):
      raise ArgumentError('classes', self.classes, (
          'a tuple of names or numbers is needed, for example '
          "classes=('bee',) or classes=(3, 7)"))
    if not 0.0 <= self.holdout < 1.0:
      raise ArgumentError('holdout', self.holdout, 'must be a share in [0, 1)')
    if not (0.0 < kept <= 1.0 or kept >= 2 and float(kept).is_integer()):
      raise ArgumentError('labelled', kept, (
          'must be a share in (0, 1], or a number of labels from 2 on; to '
          'train without labels, leave out what uses them'))
    if self.labelled_seed < 0:
      raise ArgumentError('labelled_seed', self.labelled_seed,
                          'must be 0 or more')
    return self


# Arguments in groups. A set that has a parameter `geometry` brings its examples
# to one size as it reads them; for the others it is done afterwards.
PARTS = {'geometry': Geometry, 'reading': Reading, 'scale': values.Scale,
         'layout': Layout}
_PLACES = ('path', 'folder', 'images')  # arguments that are paths
_ALWAYS = (Geometry, Selection, Sampling)


class Rows:
  """Lazy rows int [N] of an array [M, ...], such as a mapped one."""

  def __init__(self, array, rows):
    self.array, self.rows, self.dtype = array, rows, array.dtype
    self.shape = (len(rows), *array.shape[1:])
    self.nbytes = math.prod(self.shape) * self.dtype.itemsize

  def __len__(self):
    return len(self.rows)

  def __getitem__(self, index):
    return self.array[self.rows[index]]


def shared_parameters(name: str) -> dict[str, inspect.Parameter]:
  """Of a set, the parameters that others have too.

  Raises:
    ValueError: no such set.
  """
  return {key: parameter for part in _parts(name)
          for key, parameter in lookup.parameters(part).items()}


def _parts(name):
  taken = lookup.parameters(lookup.find(ROOM, name))
  return [*_ALWAYS, *(part for key, part in PARTS.items()
                      if key in taken and part not in _ALWAYS)]


def check(spec: Any, path: str) -> list[Problem]:
  """Returns the problems of a spec, without reading a file.

  That files are not there is one beside others; alone it is left to `load`,
  which says so by a DataError.
  """
  try:
    shared = shared_parameters(spec['name'])
  except (TypeError, LookupError, AttributeError, ValueError):
    return lookup.check(ROOM, spec, path)
  problems = lookup.check(ROOM, _own(spec), path, PARTS, also=shared)
  problems = [p if p.path != f'{path}.path' or lookup.NO_SUCH not in p.rule
              else p._replace(rule=(
                  f'{spec["name"]} {lookup.NO_SUCH}; a path is of files of '
                  'yours: dcgan:data=auto, after the colon, reads them'))
              for p in problems]
  for part in _parts(spec['name']):
    for key, value in _of(part, spec).items():
      problems += lookup.check_arguments(part, {key: value}, path) or (
          _check_value(part, key, value))
  return problems + _absent(spec) if problems else []


def _check_value(part, key, value):
  try:
    part(**{key: value}).checked()
    return []
  except ArgumentError as e:
    return e.problems


def _absent(spec):
  if ':' in spec['name']:  # What an own set makes of a path is unknown.
    return []
  taken = lookup.parameters(lookup.find(ROOM, spec['name']))
  try:
    for key in _PLACES:
      if key in taken and isinstance(path := spec.get(key), str) and path:
        check_there(path)
    return []
  except DataError as e:
    return [Problem('', None, str(e))]


def sampling_of(spec: Mapping) -> Sampling:
  """The `Sampling` of a spec."""
  return Sampling(**_of(Sampling, spec))


def _of(part, spec):
  return {k: v for k, v in spec.items() if k in part._fields}


def _own(spec):
  shared = shared_parameters(spec['name'])
  return {k: v for k, v in spec.items() if k not in shared}


def load(spec: Mapping) -> Source:
  """Loads the data set of a validated spec.

  Raises:
    ArgumentError: an argument that is wrong, or does not suit the files.
    DataError: a problem of the files.
    ValueError: an unknown name, or a function of the user's own that returns
      no `Source`. What such a function raises comes through.
  """
  selection, said = Selection(**_of(Selection, spec)).checked(), []
  # An own set may use the names of groups that it does not take.
  parts = {key: part(**_of(part, spec)).checked()
           for key, part in PARTS.items() if part in _parts(spec['name'])}
  source = lookup.build(ROOM, _own(spec), **parts)
  if not isinstance(source, Source):
    raise ValueError(f'{spec["name"]} returned {type(source).__name__}; a data '
                     'set is a Source: see gan_jax.data.prepare.make_source')
  if ':' in spec['name']:
    said += own_sets.check(source, spec['name'])
  # A set with an argument `geometry` has applied it to each image it read.
  if 'geometry' not in lookup.parameters(lookup.find(ROOM, spec['name'])):
    source = shaped(source, parts['geometry'])
  source = _split(source, selection, said)
  if not sampling_of(spec).balanced:
    said += _uneven(source)
  notices = [*source.report.get('notices', ()), *said]
  path, where = spec.get('path'), source.name
  if isinstance(path, str | os.PathLike) and os.path.isfile(path):
    # An image's set is named by its folder.
    where = printable(os.path.basename(path))
  for notice in notices:
    _LOG.info('%s: %s', where, notice)
  if said:
    source = source._replace(report=source.report | {'notices': notices})
  return _labelled(source, selection.labelled, selection.labelled_seed)


def shaped(source: Source, geometry: Geometry) -> Source:
  """Applies a geometry to a set that did not do it as it read its images."""
  images = source.images
  kind = kind_of(images.shape[1:])
  if kind != 'images':
    geometry.check_unused(f'{source.name!r} holds {kind} '
                          f'{list(images.shape[1:])}')
  else:
    images = geometry.images(images, source.name)
  if images is source.images:
    return source
  return source._replace(images=images, fingerprint=_combine(
      source.fingerprint, geometry.key()))


def _split(source, selection, said):
  """The classes asked for, without what is held out; notices go to `said`."""
  classes, share = _classes(source, selection.classes), selection.holdout
  rows = np.arange(len(source.images))
  if classes:
    rows = np.flatnonzero(np.isin(source.labels, classes))
  if not share:
    return _take(source, rows, (classes, share)) if classes else source
  hashes = _hashes(source.images, rows)
  kept_back = hashes < int(share * 2 ** 32)
  if source.num_classes:
    few = []
    for label in _present(source, rows)[0]:
      members = np.flatnonzero(source.labels[rows] == label)
      if kept_back[members].all():
        kept_back[members[hashes[members].argmax()]] = False
      if len(members) < _FEW:
        few.append(f'{_name(source, label)} ({len(members)})')
    if few:
      said.append(f'holdout={share} of classes of fewer than {_FEW} examples, '
                  f'{some(few, 6)}: one of each stays, and there may be none '
                  f'to hold out')
  if not 0 < kept_back.sum() < len(rows):
    raise ArgumentError('holdout', share, (
        f'would hold out {kept_back.sum()} of {len(rows)} examples; choose one '
        'that leaves both some'))
  held_out = _take(source, rows[kept_back], ('held out', (classes, share)))
  train = _take(source, rows[~kept_back], (classes, share))
  return train._replace(held_out=held_out)


def _classes(source, wanted) -> tuple[int, ...]:
  """The labels of classes given by their names or numbers."""
  if not wanted:
    return ()
  _need_classes(source, 'classes', tuple(wanted))
  present = _present(source)[0].tolist()
  try:
    classes = tuple(class_of(value, source.class_names, present)
                    for value in wanted)
  except DataError as error:
    raise ArgumentError('classes', tuple(wanted), (
        f'in {source.name!r}, {error}' + '; choose among these, or () for all'
        * (not str(error).endswith('?')))) from error
  if len(set(classes)) < len(classes):
    raise ArgumentError('classes', tuple(wanted), 'one occurs twice')
  return classes


def _present(source, rows=slice(None)) -> tuple[np.ndarray, np.ndarray]:
  """The classes that occur, and how often; what has no label is none."""
  labels = source.labels[rows]
  return np.unique(labels[labels >= 0], return_counts=True)


def _uneven(source) -> list[str]:
  """What is to be said of classes of very different sizes."""
  if not source.num_classes:
    return []
  present, counts = _present(source)
  if not len(counts) or counts.max() < _UNEVEN * counts.min():
    return []
  small, large = (f'{_name(source, present[i])} has {counts[i]:,} examples'
                  for i in (counts.argmin(), counts.argmax()))
  return [f'{large}, {small}: data.balanced=True draws all classes equally '
          f'often']


def _name(source, label) -> str:
  return (source.class_names[label] if label < len(source.class_names) else
          f'class {label}')


def _labelled(source, kept, seed):
  """Withholds the labels of all but a share, or a number, of each class."""
  if kept == 1.0:
    return source
  _need_classes(source, 'labelled', kept)
  present, counts = _present(source)
  wanted = (np.maximum(1, np.round(kept * counts).astype(int)) if kept < 1.0
            else _in_equal_parts(source, int(kept), present, counts))
  hashes = _hashes(source.images, np.arange(len(source.images)), seed)
  labels = np.full_like(source.labels, -1)
  for label, count in zip(present, wanted, strict=True):
    members = np.flatnonzero(source.labels == label)
    first = members[np.argsort(hashes[members], kind='stable')]
    labels[first[:count]] = label
  return source._replace(labels=labels, fingerprint=_combine(
      source.fingerprint, 'labelled', kept, *([seed] if seed else [])))


def _in_equal_parts(source, total, present, counts):
  """How many labels of each class are kept; the first may have one more."""
  if total > counts.sum():
    raise ArgumentError('labelled', total, (
        f'is more than the {counts.sum()} examples of {source.name!r} that '
        'have a label; use 1.0, which keeps all of them'))
  if total < len(present):
    raise ArgumentError('labelled', total, (
        f'is fewer than the {len(present)} classes, and would leave some '
        f'without any; use {len(present)} or more, or data.classes'))
  share, rest = divmod(total, len(present))
  wanted = share + (np.arange(len(present)) < rest)
  if few := [f'{_name(source, label)} has {count}' for label, count, asked in
             zip(present, counts, wanted, strict=True) if count < asked]:
    raise ArgumentError('labelled', total, (
        f'takes {wanted[0]} examples of each class of {source.name!r}, and '
        f'{some(few, 6)}; use {counts.min() * len(present)} or fewer, or a '
        'share'))
  return wanted


def _need_classes(source, argument, value):
  if source.label_columns:
    raise ArgumentError(argument, value, (
        f'needs classes, and labels of {source.name!r} are vectors of '
        f'{len(source.label_columns)} columns; choose one column as the class, '
        'by label_index or label_key'))
  if not source.num_classes:
    raise ArgumentError(argument, value, (
        f'needs labels, and the data {source.name!r} have none; give them '
        'labels, or leave that out'))


def _hashes(images, rows, seed=0):
  """32-bit hash of each example's content, after a seed: int64 [N]."""
  start = hashlib.sha256(str(seed).encode() if seed else b'')

  def digest(image):
    found = start.copy()
    found.update(np.ascontiguousarray(image).data)
    return int(found.hexdigest()[:8], 16)

  return np.array([digest(images[row]) for row in rows], np.int64)


def _take(source, rows, why):
  in_memory = type(source.images) is np.ndarray
  images = source.images[rows] if in_memory else Rows(source.images, rows)
  return source._replace(
      images=images, labels=source.labels[rows],
      fingerprint=_combine(source.fingerprint, repr(why)))


def _combine(*parts) -> str:
  return hashlib.sha256(repr(parts).encode()).hexdigest()
