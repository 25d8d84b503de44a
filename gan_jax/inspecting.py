"""--mode=inspect: what a data set looks like, before anything is trained."""

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from gan_jax import media
from gan_jax.data import load as data
from gan_jax.data.files import DataError
from gan_jax.data.statistics import Values, draw, duplicates, values_of
from gan_jax.experiment import plain
from gan_jax.lookup import Problem
from gan_jax.validation import ConfigError
from gan_jax.writers import write_file

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
  pictures = {
      'contact_sheet.png': _sheet(source, title),
      'statistics.png': media.statistics(
          classes=classes, sizes=report['sizes'], edges=values.edges,
          histograms=values.histograms, title=title)}
  try:
    for name, picture in pictures.items():
      write_file(os.path.join(out, name), media.png(picture))
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
    return media.scatter(source.images[rows], title=title, side=700,
                         labels=labels if source.num_classes else None)
  if not source.num_classes:
    rows = draw(total, _COLUMNS * _COLUMNS)
    parts = [source.images[rows[i:i + _COLUMNS]]
             for i in range(0, len(rows), _COLUMNS)]
    return media.contact_sheet(parts, [''] * len(parts), columns=_COLUMNS,
                               title=title)
  classes = np.unique(source.labels)
  if len(classes) > _ROWS:
    title += f'; {_ROWS} of {len(classes):,} classes'
    classes = classes[draw(len(classes), _ROWS)]
  parts = []
  for label in classes:
    members = np.flatnonzero(source.labels == label)
    parts.append(source.images[members[draw(len(members), _COLUMNS)]])
  return media.contact_sheet(parts, [class_name(source, c) for c in classes],
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
