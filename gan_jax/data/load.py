"""`load(spec)`: the data set that a config names, ready for training.

`config.data = dict(name=..., **kwargs)` holds the arguments of the set itself
(`data.sources`) beside those that all sets share: the fields of
`geometry.Geometry`, `Selection` and `pipeline.Sampling`.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from gan_jax.base import lookup
from gan_jax.base.errors import DataError, Problem
from gan_jax.data.geometry import Geometry, integers
from gan_jax.data.pipeline import Sampling
from gan_jax.data.prepare import Source

ROOM = 'gan_jax.data.sources'


class Selection(NamedTuple):
  """Which examples are trained on.

  classes: labels to keep, () for all. Label values and num_classes stay as
    they are, so that `--label=7` means a seven in every subset.
  holdout: share of the examples kept from training, chosen by a hash of each
    one's content: a picture stays on its side when others come or go.
  labelled: share of each class of the rest whose labels are kept, one at least,
    chosen by the same hash; the others get the label -1.
  """

  classes: tuple[int, ...] = ()
  holdout: float = 0.0
  labelled: float = 1.0


SHARED = (Geometry, Selection, Sampling)


class Rows:
  """Some rows of an array that stays where it is, on disk for example."""

  def __init__(self, array, rows):
    """`array` [M, ...], `rows` int [N]."""
    self.array, self.rows = array, rows

  @property
  def shape(self):
    """Of all rows: (N, ...)."""
    return (len(self.rows), *self.array.shape[1:])

  @property
  def dtype(self):
    """Of the array."""
    return self.array.dtype

  @property
  def nbytes(self):
    """What the rows would take in memory."""
    return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

  def __len__(self):
    return len(self.rows)

  def __getitem__(self, index):
    return self.array[self.rows[index]]


def shared_arguments() -> dict[str, Any]:
  """{argument: default} of what all data sets understand."""
  return {k: v for part in SHARED for k, v in part._field_defaults.items()}


def check(spec: Any, path: str) -> list[Problem]:
  """All that is wrong with the form of a spec, without reading a file."""
  if not isinstance(spec, Mapping):
    return lookup.check(ROOM, spec, path)
  own = {k: v for k, v in spec.items() if k not in shared_arguments()}
  problems = lookup.check(ROOM, own, path, available=('geometry',),
                          also=shared_arguments())
  for part in SHARED:
    given = {k: v for k, v in spec.items() if k in part._fields}
    problems += lookup.check_arguments(part, given, path)
  return problems


def sampling_of(spec: Mapping) -> Sampling:
  """How a spec wants its batches drawn."""
  return Sampling(**{k: v for k, v in spec.items() if k in Sampling._fields})


def load(spec: Mapping) -> Source:
  """The data set of a spec, after geometry and selection.

  Args:
    spec: dict(name=..., **kwargs), checked.

  Raises:
    DataError: whatever is wrong with the files or the arguments.
    ValueError: an unknown name, or what a user's own function refuses.
  """
  own, geometry, selection = dict(spec), {}, {}
  for key in spec:
    for fields, part in ((Geometry, geometry), (Selection, selection),
                         (Sampling, {})):
      if key in fields._fields:
        part[key] = own.pop(key)
  geometry = Geometry(**geometry).checked()
  # A set that reads images of many sizes has brought them to one already.
  applied = 'geometry' in lookup.parameters(lookup.find(ROOM, spec['name']))
  source = lookup.build(ROOM, own, geometry=geometry)
  if not isinstance(source, Source):
    raise DataError(f'{spec["name"]} returned {type(source).__name__}; a data '
                    f'set is a Source: see gan_jax.data.prepare.make_source')
  if not applied:
    source = _shaped(source, geometry)
  return _selected(source, Selection(**selection))


def _shaped(source, geometry):
  images = source.images
  if len(images.shape) != 4:
    if geometry != Geometry(background=geometry.background):
      raise DataError(f'{source.name}: vectors {list(images.shape[1:])}, not '
                      f'images; resize, crop, pad and channels are for images: '
                      f'leave them out')
    return source
  shaped = geometry.images(images, source.name)
  if shaped is images:
    return source
  return source._replace(images=shaped, fingerprint=_combine(
      source.fingerprint, tuple(geometry)))


def _selected(source, selection):
  return _labelled(_parted(source, selection), selection.labelled)


def _parted(source, selection):
  classes = integers('classes', selection.classes)
  rows = np.arange(len(source.images))
  if classes:
    rows = _of_classes(classes, source)
  if not selection.holdout:
    return source if not classes else _take(source, rows, selection[:2])
  if not 0.0 < selection.holdout < 1.0:
    raise DataError(f'holdout={selection.holdout!r}: must be a share in [0, 1)')
  bound = int(selection.holdout * 2 ** 32)
  kept_back = _hashes(source.images, rows) < bound
  if not 0 < kept_back.sum() < len(rows):
    raise DataError(f'holdout={selection.holdout}: of {len(rows)} examples '
                    f'{kept_back.sum()} would be held out; choose a share that '
                    f'leaves both sides some')
  held_out = _take(source, rows[kept_back], ('held out', selection[:2]))
  train = _take(source, rows[~kept_back], selection[:2])
  return train._replace(held_out=held_out)


def _of_classes(classes, source):
  if not source.num_classes:
    raise DataError(f'{source.name}: classes={classes} of a data set without '
                    f'labels; give it labels, or classes=()')
  present = np.unique(source.labels).tolist()
  absent = sorted(set(classes) - set(present))
  if absent or len(set(classes)) < len(classes):
    what = f'no image has {absent}' if absent else 'a label occurs twice'
    raise DataError(f'{source.name}: classes={classes}: {what}; choose each '
                    f'label once among {str(present[:20])[1:-1]}'
                    f'{" ..." if len(present) > 20 else ""}')
  return np.flatnonzero(np.isin(source.labels, classes))


def _labelled(source, share):
  if share == 1.0:
    return source
  if not 0.0 < share < 1.0:
    raise DataError(f'labelled={share!r}: must be a share in (0, 1]; to train '
                    f'without labels, leave out what looks at them')
  if not source.num_classes:
    raise DataError(f'{source.name}: labelled={share} of a data set without '
                    f'labels; give it labels, or labelled=1.0')
  hashes = _hashes(source.images, np.arange(len(source.images)))
  labels = np.full_like(source.labels, -1)
  for label in np.unique(source.labels):
    members = np.flatnonzero(source.labels == label)
    first = members[np.argsort(hashes[members], kind='stable')]
    labels[first[:max(1, round(share * len(members)))]] = label
  return source._replace(labels=labels, fingerprint=_combine(
      source.fingerprint, 'labelled', share))


def _hashes(images, rows):
  """32 bits of each example's content: int64 [N]."""
  return np.array([
      int.from_bytes(hashlib.sha256(np.ascontiguousarray(images[row]).data)
                     .digest()[:4], 'big') for row in rows], np.int64)


def _take(source, rows, why):
  in_memory = type(source.images) is np.ndarray
  images = source.images[rows] if in_memory else Rows(source.images, rows)
  return source._replace(
      images=images, labels=source.labels[rows],
      fingerprint=_combine(source.fingerprint, repr(why)))


def _combine(*parts) -> str:
  return hashlib.sha256(repr(parts).encode()).hexdigest()
