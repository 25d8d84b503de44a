"""--mode=inspect: describes a data set before training."""

import collections
import hashlib
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from gan_jax import pictures
from gan_jax.base.errors import ConfigError, DataError
from gan_jax.base.examples import described, kind_of
from gan_jax.base.files import write_file, write_json, writing_out
from gan_jax.config.experiment import load_data
from gan_jax.config.fields import plain
from gan_jax.data import load as data
from gan_jax.data.collection import SIZES
from gan_jax.data.label_values import name_of
from gan_jax.data.pipeline import Batches
from gan_jax.data.values import in_units
from gan_jax.run.start import check_apart
from gan_jax.views.templates import fill

_LOOKED_AT = 20_000  # examples for statistics of values
_BINS = 200  # of floats
_LINES = 6  # histograms of floats at most
_CHUNK = 2**24  # bytes read at a time
_PAIRS = 5  # duplicates listed
_ALL = 2**32  # bytes; duplicates are searched in a sample of larger sets
_ROWS = 20  # of the contact sheet, a row per class
_COLUMNS = {'images': 10, 'volumes': 4, 'signals': 4}
_POINTS = 4000  # of vectors


def inspect(config: Any, out: str) -> str:
  """Describes the data of a config in about fifteen lines and in pictures.

  Args:
    config: ConfigDict or mapping; only its `data` are read.
    out: a folder for contact_sheet.png, statistics.png and report.json.

  Raises:
    ConfigError: with all problems of `config.data`.
    DataError: the config is valid, the data are not.
    RequestError: `out` cannot be written, or lies among the images.
  """
  spec = plain(config).get('data')
  if problems := data.check(spec, 'data'):
    raise ConfigError(problems)
  source = load_data(spec)
  check_apart('out', out, spec)
  values, histograms, edges = values_of(source.images, source.units)
  report = describe(source, values)
  title = f'{source.name}: {len(source.images):,} {report["kind"]}'
  drawn = {
      'contact_sheet.png': contact_sheet(source, title),
      'statistics.png': pictures.statistics(
          classes={c['name']: c['count'] for c in report['classes']},
          sizes=report['sizes'], edges=edges, histograms=histograms,
          per=values['per'], title=title, not_all=_cut(report['sizes']))}
  with writing_out(out, 'give a folder'):
    for name, picture in drawn.items():
      write_file(os.path.join(out, name), pictures.png(picture))
    write_json(os.path.join(out, 'report.json'), report)
  return summary(report, out)


def values_of(images, units=()) -> tuple[dict, np.ndarray, np.ndarray]:
  """Statistics of the values of at most 20,000 random examples.

  Returns:
    ({'mean', 'std', 'min', 'max': [C]} and of bytes their shares {'share_of_0',
    'share_of_255': [C]}, counts [C, bins], edges [bins + 1]); C channels, or
    coordinates of vectors. Floats of other kinds are in `units`, (low, high).

  Raises:
    DataError: vectors that are not finite.
  """
  rows = _sample(len(images), _LOOKED_AT)
  found = {'examples_looked_at': len(rows), 'per': 'channel'}
  if images.dtype == np.uint8:
    level, edges = np.arange(256.0), np.arange(257) - 0.5
    counts = np.zeros((images.shape[-1], 256), np.int64)
    for chunk in _chunks(images, rows):
      for count, values in zip(counts, np.moveaxis(chunk, -1, 0), strict=True):
        count += np.bincount(values.ravel(), minlength=256)
    share = counts / counts.sum(1, keepdims=True)
    mean = share @ level
    return found | {
        'mean': mean,
        'std': np.sqrt((share * (level - mean[:, None]) ** 2).sum(1)),
        'min': (counts > 0).argmax(1),
        'max': 255 - (counts[:, ::-1] > 0).argmax(1),
        'share_of_0': share[:, 0], 'share_of_255': share[:, 255]}, counts, edges
  ends = units or (-1.0, 1.0)
  if len(images.shape) == 2:
    found['per'], ends = 'coordinate', _ends(images[rows])
  edges, parts = np.linspace(*ends, _BINS + 1), []
  counts = np.zeros((min(_LINES, images.shape[-1]), _BINS), np.int64)
  for chunk in _chunks(images, rows):
    x = in_units(chunk, units).reshape(-1, images.shape[-1]).astype(np.float64)
    parts.append((x.mean(0), x.var(0), x.min(0), x.max(0), len(x)))
    for count, values in zip(counts, x.T, strict=False):
      # Rounding must not leave the ends outside.
      count += np.histogram(values.clip(*ends), edges)[0]
  means, variances, low, high, size = map(np.stack, zip(*parts, strict=True))
  mean = np.average(means, 0, size)
  return found | {
      'mean': mean, 'min': low.min(0), 'max': high.max(0),
      'std': np.sqrt(np.average(variances + (means - mean) ** 2, 0, size))
      }, counts, edges


def _ends(vectors):
  """(low, high) of all numbers of vectors."""
  low, high = float(vectors.min()), float(vectors.max())
  if not np.isfinite([low, high]).all():
    raise DataError(f'vectors with values {low}..{high}; they must be finite: '
                    'remove or repair these examples')
  margin = 0.0 if high > low else 0.5  # Widens the range of a constant.
  return low - margin, high + margin


def duplicates(images) -> dict:
  """Counts examples that equal an earlier one.

  Returns:
    {'count': duplicates, 'looked_at': examples that were compared (all, unless
    the set is very large), 'first': some of them as [earlier, later] indices}.
  """
  rows = (np.arange(len(images)) if images.nbytes <= _ALL
          else _sample(len(images), _LOOKED_AT))
  # Eight bytes an example: for a million of them, two different ones share a
  # hash with probability 3e-8.
  hashes = [hashlib.blake2b(example, digest_size=8).digest()
            for chunk in _chunks(images, rows)
            for example in np.ascontiguousarray(chunk)]
  _, first, which = np.unique(np.frombuffer(b''.join(hashes), np.uint64),
                              return_index=True, return_inverse=True)
  repeats = np.flatnonzero(first[which] != np.arange(len(rows)))
  pairs = np.stack([rows[first[which[repeats]]], rows[repeats]], axis=1)
  return {'count': len(repeats), 'looked_at': len(rows),
          'first': pairs[:_PAIRS].tolist()}


def _sample(total, count) -> np.ndarray:
  """Indices of `count` random examples, or of all; deterministic."""
  return np.sort(Batches(total, min(total, count), 0)(0, 1)[0])


def _chunks(images, rows):
  size = max(1, _CHUNK // max(1, images.nbytes // len(images)))
  for i in range(0, len(rows), size):
    yield images[rows[i:i + size]]


def contact_sheet(source, title: str) -> np.ndarray:
  """Examples, a row for each of up to twenty classes; vectors are plotted."""
  if (kind := kind_of(source.images.shape[1:])) == 'vectors':
    rows = _sample(len(source.images), _POINTS)
    if source.columns:
      return pictures.sheet(source.images[rows], table=source.columns)
    labels = source.labels[rows]
    # A colour of its own for those without a label.
    labels = np.where(labels < 0, source.num_classes, labels)
    return pictures.scatter(source.images[rows], title=title, side=700,
                            labels=labels if source.num_classes else None)
  columns = _COLUMNS[kind]
  if source.num_classes:
    classes = np.unique(source.labels)
    if len(classes) > _ROWS:
      title += f'; {_ROWS} of {len(classes):,} classes'
      classes = classes[_sample(len(classes), _ROWS)]
    members = [np.flatnonzero(source.labels == label) for label in classes]
    rows = [rows[_sample(len(rows), columns)] for rows in members]
    names = [name_of(label, source.class_names) for label in classes]
  else:
    found = _sample(len(source.images), columns * _COLUMNS['images'])
    rows = np.split(found, range(columns, len(found), columns))
    names = [''] * len(rows)
  return pictures.contact_sheet([source.images[part] for part in rows], names,
                                columns=columns, title=title, rate=source.rate)


def describe(source, values: Mapping) -> dict:
  """The content of report.json."""
  shape = list(source.images.shape[1:])
  known = source.labels[source.labels >= 0] if source.num_classes else []
  counts = np.bincount(known, minlength=source.num_classes).tolist()
  found, sizes = source.report, dict(source.report.get('sizes', {}))
  if len(shape) == 3 and not sizes:
    sizes = {f'{shape[1]}x{shape[0]}': len(source.images)}
  return {
      'name': source.name, 'licence': source.licence,
      'fingerprint': source.fingerprint, 'shape': shape,
      'kind': described(shape, source.rate), 'units': list(source.units),
      'rate': source.rate, 'pictures': pictures.channels_shown(shape),
      'dtype': str(source.images.dtype), 'count': len(source.images),
      'held_out': len(source.held_out.images) if source.held_out else 0,
      'bytes': int(source.images.nbytes), 'num_classes': source.num_classes,
      'classes': [{'label': i, 'name': name_of(i, source.class_names),
                   'count': counts[i]} for i in range(source.num_classes)],
      'without_label': (len(source.labels) - len(known) if source.num_classes
                        else 0),
      'label_columns': label_columns(source), 'sizes': sizes,
      'columns': [{'name': c.name, 'kind': c.kind, 'values': len(c.values),
                   'modes': len(c.modes)} for c in source.columns],
      'values': {key: [float(f'{number:.6g}') for number in value]
                 if np.ndim(value) else value for key, value in values.items()},
      'duplicates': duplicates(source.images),
      'refused': list(found.get('refused', ())),
      'notices': list(found.get('notices', ()))}


def label_columns(source) -> list[dict]:
  """Of label vectors: name, mean, low and high of each number.

  'ones' is their share where all are 0 or 1.
  """
  columns = []
  for (name, low, high), values in zip(source.label_columns, source.labels.T
                                       if source.label_columns else (),
                                       strict=True):
    column = {'name': name}
    if (low, high) == (0, 1) and np.isin(values, (0, 1)).all():
      column['ones'] = float(values.mean(dtype=np.float64))
    values = low + values.astype(np.float64) * (high - low)
    columns.append(column | {'mean': float(values.mean()),
                             'low': float(values.min()),
                             'high': float(values.max())})
  return columns


def _cut(sizes) -> bool:
  """Whether there may be more sizes of files than were kept."""
  return len(sizes) >= SIZES


def summary(report: Mapping, out: str) -> str:
  """The report in about fifteen lines."""
  classes = [c for c in report['classes'] if c['count']]
  return fill(
      'inspect.txt', report=report, out=out, found=report['duplicates'],
      classes=sorted(classes, key=lambda c: c['count']),
      sizes=collections.Counter(report['sizes']).most_common(),
      not_all=_cut(report['sizes']),
      numbers={key: value for key, value in report['values'].items()
               if isinstance(value, list)})
