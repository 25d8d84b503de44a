"""--mode=inspect: what a data set looks like, before anything is trained."""

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from gan_jax import pictures
from gan_jax.base.errors import ConfigError, DataError, Problem
from gan_jax.base.files import write_file
from gan_jax.config.experiment import plain
from gan_jax.data import load as data
from gan_jax.data.pipeline import Batches

_LOOKED_AT = 20_000  # examples of which every value is read
_BINS = 200  # of the values of vectors
_LINES = 6  # coordinates of vectors with a histogram; more could not be read
_CHUNK = 2**24  # bytes read at a time
_PAIRS = 5  # duplicates that are named
_ALL = 2**32  # bytes up to which duplicates are looked for in the whole set


class Values(NamedTuple):
  """The values of some examples, by channel or coordinate.

  rows: examples looked at.
  mean, std, low, high: float64 [C].
  black, white: share of the bytes 0 and 255, [C]; None for vectors.
  histograms, edges: counts [C, bins] and float [bins + 1].
  """

  rows: int
  mean: np.ndarray
  std: np.ndarray
  low: np.ndarray
  high: np.ndarray
  black: Any
  white: Any
  histograms: np.ndarray
  edges: np.ndarray


def values_of(images) -> Values:
  """Statistics of the values of at most 20,000 examples drawn at random.

  Raises:
    DataError: vectors that are not finite.
  """
  rows = draw(len(images), _LOOKED_AT)
  if images.dtype == np.uint8:
    return _of_bytes(images, rows)
  return _of_floats(images, rows)


def _of_bytes(images, rows):
  channels = images.shape[-1]
  counts = np.zeros((channels, 256), np.int64)
  for chunk in _chunks(images, rows):
    for c in range(channels):
      counts[c] += np.bincount(chunk[..., c].ravel(), minlength=256)
  share, level = counts / counts.sum(1, keepdims=True), np.arange(256.0)
  mean = share @ level
  std = np.sqrt((share * (level - mean[:, None]) ** 2).sum(1))
  return Values(len(rows), mean, std, (counts > 0).argmax(1),
                255 - (counts[:, ::-1] > 0).argmax(1), share[:, 0],
                share[:, 255], counts, np.arange(257) - 0.5)


def _of_floats(images, rows):
  low, high = np.inf, -np.inf
  total, squares = 0.0, 0.0
  for chunk in _chunks(images, rows):
    low, high = np.minimum(low, chunk.min(0)), np.maximum(high, chunk.max(0))
    total = total + chunk.sum(0, dtype=np.float64)
  mean = total / len(rows)
  first, last = float(low.min()), float(high.max())
  if not np.isfinite([first, last]).all():
    raise DataError(f'vectors with values {first}..{last}; they must be '
                    f'finite: remove or repair these examples')
  half = (last - first) / 2 or 0.5  # A constant has a bin, too.
  middle = (first + last) / 2
  edges = np.linspace(middle - half, middle + half, _BINS + 1)
  shown = range(min(len(mean), _LINES))
  counts = np.zeros((len(shown), _BINS), np.int64)
  for chunk in _chunks(images, rows):
    squares = squares + np.square(chunk - mean).sum(0)
    for c in shown:
      counts[c] += np.histogram(chunk[:, c], edges)[0]
  return Values(len(rows), mean, np.sqrt(squares / len(rows)), low, high, None,
                None, counts, edges)


def duplicates(images) -> dict:
  """Examples that repeat another one, value by value.

  Returns:
    {'count': examples that repeat an earlier one, 'looked_at': examples that
    were compared (all, unless the set is very large), 'first': some of them
    as [earlier, later] indices}.
  """
  if images.nbytes <= _ALL:
    rows = np.arange(len(images))
  else:
    rows = draw(len(images), _LOOKED_AT)
  # Eight bytes an example: for a million of them, two different ones share a
  # hash with probability 3e-8.
  hashes = np.array([
      int.from_bytes(hashlib.blake2b(example, digest_size=8).digest(), 'big')
      for chunk in _chunks(images, rows)
      for example in np.ascontiguousarray(chunk)], np.uint64)
  _, first, which = np.unique(hashes, return_index=True, return_inverse=True)
  repeats = np.flatnonzero(first[which] != np.arange(len(rows)))
  pairs = [[int(rows[first[which[i]]]), int(rows[i])] for i in repeats[:_PAIRS]]
  return {'count': len(repeats), 'looked_at': len(rows), 'first': pairs}


def draw(total, count) -> np.ndarray:
  """Indices of `count` examples, or of all: random, but the same each time."""
  return np.sort(Batches(total, min(total, count), 0)(0, 1)[0])


def _chunks(images, rows):
  """The examples of these rows, some at a time."""
  size = max(1, _CHUNK // max(1, images.nbytes // len(images)))
  for i in range(0, len(rows), size):
    yield images[rows[i:i + size]]


_COLUMNS, _ROWS = 10, 20  # of the contact sheet, a row per class
_POINTS = 4000  # of vectors
_NAMED = 3  # sizes, files or notices that are named in the summary


def inspect(config: Any, out: str) -> str:
  """Loads the data of a config and describes them in words and pictures.

  Args:
    config: ConfigDict or mapping; only its `data` are looked at.
    out: a folder for contact_sheet.png, statistics.png and report.json.

  Returns:
    About fifteen lines for people.

  Raises:
    ConfigError: with every problem of `config.data`.
    DataError: the config is right, the data are not, or `out` cannot be
      written.
  """
  source = load_data(plain(config).get('data'))
  values = values_of(source.images)
  report = describe(source, values)
  title = (f'{source.name}: {len(source.images):,} examples '
           f'{list(source.images.shape[1:])}')
  classes = {c['name']: c['count'] for c in report['classes']}
  drawn = {
      'contact_sheet.png': _sheet(source, title),
      'statistics.png': pictures.statistics(
          classes=classes, sizes=report['sizes'], edges=values.edges,
          histograms=values.histograms, title=title)}
  try:
    for name, picture in drawn.items():
      write_file(os.path.join(out, name), pictures.png(picture))
    write_file(os.path.join(out, 'report.json'),
               (json.dumps(report, indent=1) + '\n').encode())
  except OSError as e:
    raise DataError(f'--out={out}: cannot write it: {e.strerror}; give a '
                    f'folder') from e
  return summary(report, out)


def load_data(spec):
  """The data of a spec.

  Raises:
    ConfigError: with every problem of the spec.
    DataError: the spec is right, the data are not.
  """
  problems = data.check(spec, 'data')
  if problems:
    raise ConfigError(problems)
  try:
    return data.load(spec)
  except DataError:
    raise
  except (ValueError, TypeError) as e:
    raise ConfigError([Problem('data', spec, str(e))]) from e


def describe(source, values: Values) -> dict:
  """All that report.json holds."""
  shape = list(source.images.shape[1:])
  unit = 'coordinate' if values.black is None else 'channel'
  known = source.labels[source.labels >= 0]
  counts = np.bincount(known, minlength=source.num_classes).tolist()
  found = source.report
  is_image = len(shape) == 3
  sizes = dict(found.get('sizes', {}))
  if is_image and not sizes:
    sizes = {f'{shape[0]}x{shape[1]}': len(source.images)}
  fields = {'mean': values.mean, 'std': values.std, 'min': values.low,
            'max': values.high}
  if is_image:
    fields |= {'share_of_0': values.black, 'share_of_255': values.white}
  return {
      'name': source.name, 'licence': source.licence,
      'fingerprint': source.fingerprint, 'shape': shape,
      'dtype': str(source.images.dtype), 'count': len(source.images),
      'held_out': len(source.held_out.images) if source.held_out else 0,
      'bytes': int(source.images.nbytes), 'num_classes': source.num_classes,
      'classes': [{'label': i, 'name': class_name(source, i),
                   'count': counts[i]} for i in range(source.num_classes)],
      'without_label': len(source.labels) - len(known),
      'sizes': sizes,
      'values': {'examples_looked_at': values.rows, 'per': unit,
                 **{k: np.round(v, 6).tolist() for k, v in fields.items()}},
      'duplicates': duplicates(source.images),
      'refused': list(found.get('refused', ())),
      'notices': list(found.get('notices', ()))}


def summary(report: Mapping, out: str) -> str:
  """The report in about fifteen lines."""
  count, values = report['count'], report['values']
  lines = {
      'data': f'{report["name"]}, licence {report["licence"] or "unknown"}',
      'examples': f'{count:,} of {report["shape"]} {report["dtype"]}, '
                  f'{report["bytes"] / 2**20:.1f} MiB',
      'held out': f'{report["held_out"]:,}',
      'classes': _classes_in_words(report),
      'sizes': _sizes_in_words(report['sizes'])}
  for key in ('mean', 'std', 'min', 'max', 'share_of_0', 'share_of_255'):
    if key in values:
      lines[key.replace('_', ' ')] = _numbers(values[key])
  found = report['duplicates']
  where = ('' if found['looked_at'] == count
           else f' among {found["looked_at"]:,}')
  lines |= {
      'looked at': f'{values["examples_looked_at"]:,} examples drawn at random '
                   f'for these numbers, per {values["per"]}',
      'duplicates': f'{found["count"]:,}{where}' + ''.join(
          f'{"; as" if not i else ","} {a} and {b}'
          for i, (a, b) in enumerate(found['first'][:3])),
      'refused': _list_in_words(report['refused'], 'files'),
      'notices': _list_in_words(report['notices'], 'notices'),
      'fingerprint': report['fingerprint'],
      'written': os.path.join(out, 'contact_sheet.png')
                 + ', statistics.png, report.json'}
  return '\n'.join(f'{key + ":":14}{text}' for key, text in lines.items()
                   if text)


def _sheet(source, title):
  """A row of each class, up to twenty, or random examples."""
  total = len(source.images)
  if len(source.images.shape) == 2:
    rows = draw(total, _POINTS)
    labels = source.labels[rows]
    # A colour of its own for those without a label.
    labels = np.where(labels < 0, source.num_classes, labels)
    return pictures.scatter(source.images[rows], title=title, side=700,
                         labels=labels if source.num_classes else None)
  if not source.num_classes:
    rows = draw(total, _COLUMNS * _COLUMNS)
    parts = [source.images[rows[i:i + _COLUMNS]]
             for i in range(0, len(rows), _COLUMNS)]
    return pictures.contact_sheet(parts, [''] * len(parts), columns=_COLUMNS,
                               title=title)
  classes = np.unique(source.labels)
  if len(classes) > _ROWS:
    title += f'; {_ROWS} of {len(classes):,} classes'
    classes = classes[draw(len(classes), _ROWS)]
  parts = []
  for label in classes:
    members = np.flatnonzero(source.labels == label)
    parts.append(source.images[members[draw(len(members), _COLUMNS)]])
  return pictures.contact_sheet(parts, [class_name(source, c) for c in classes],
                             columns=_COLUMNS, title=title)


def class_name(source, label) -> str:
  """'3', or '3 trees' where the classes have names."""
  if label < 0:
    return 'no label'
  if label < len(source.class_names):
    return f'{label} {source.class_names[label]}'
  return str(label)


def _classes_in_words(report):
  classes = [c for c in report['classes'] if c['count']]
  if not classes:
    return 'no labels'
  ordered = sorted(classes, key=lambda c: c['count'])
  few, many = ordered[0], ordered[-1]
  without = (f'; {report["without_label"]:,} examples have no label'
             if report['without_label'] else '')
  text = f'{len(classes):,} of {report["num_classes"]:,}' if len(
      classes) < report['num_classes'] else f'{len(classes):,}'
  if few['count'] == many['count']:
    return f'{text}, each with {few["count"]:,} examples{without}'
  return (f'{text}; fewest {few["count"]:,} ({few["name"]}), most '
          f'{many["count"]:,} ({many["name"]}){without}')


def _sizes_in_words(sizes):
  if len(sizes) < 2:
    return ''
  first = sorted(sizes.items(), key=lambda item: -item[1])[:_NAMED]
  return (f'{len(sizes):,} in the files; most often '
          + ', '.join(f'{size} ({count:,})' for size, count in first))


def _numbers(values):
  text = ', '.join(f'{v:.4g}' for v in values[:6])
  return text + (', ...' if len(values) > 6 else '')


def _list_in_words(entries, what):
  if not entries:
    return 'none'
  more = f'; ... {len(entries):,} {what}' if len(entries) > _NAMED else ''
  return '; '.join(entries[:_NAMED]) + more
