"""--mode=sample: samples from a trained run, by its EMA generator."""

import io
import math
import os
import re
from functools import partial
from typing import Any

import numpy as np
from PIL import Image

from gan_jax import pictures
from gan_jax.base.errors import RequestError, as_flag
from gan_jax.base.examples import described, kind_of
from gan_jax.base.files import write_file, writing_out
from gan_jax.data import values
from gan_jax.data.columns import decode
from gan_jax.data.files import memory
from gan_jax.data.label_values import name_of, to_users
from gan_jax.game import sampling
from gan_jax.run import files
from gan_jax.views import asked
from gan_jax.views.trained import Trained

_CLASSES = 20  # whose names fit over the columns of a sheet


def sample(folder: str, out: str, *, count: int | None = None,
           label: Any = None, labels: str = '', seed: int = 0,
           truncation: float | None = None, interpolate: int = 0,
           strict: bool = False) -> str:
  """Writes samples of the newest checkpoint of a run; returns what was written.

  Args:
    folder: the run folder.
    out: F.png (one sheet), F.gif (frames), F.npz (images [N, ...] and labels
      [N] with class_names, or label vectors [N, L] with label_columns; units
      and rate, where known), F.tif (pages), F.wav (signals, one after the
      other), F.csv (rows of a table), or a new or empty folder for one file
      per example: PNG, WAV, or NPY where neither holds the numbers. Numbers are
      in the units of the data, but for WAV, whose loudest is the largest of the
      units, and for the .npz of a table, which has the vectors that its rows
      are to the networks.
    count: examples, or paths when interpolating; by default 64, or as many as
      `labels` has rows.
    label: of all examples, see `asked.labels`; by default as in the data.
    labels: F.csv with the label of each example, see `asked.of_file`.
    seed: of the latents.
    truncation: largest |z_i|, or psi of a generator with a style space, see
      `Trained.sample`; by default none.
    interpolate: points of each path between two latents, 0 for none.
    strict: fail instead of using an older checkpoint if the newest is damaged.

  Raises:
    WorkdirError, CheckpointError, RequestError: with a fix.
  """
  _, info = files.read_run(folder)
  if labels:
    count, label = _of_file(info, labels, count, label)
  count = 64 if count is None else count
  _check(info, out, count, interpolate)
  run = Trained(folder, strict=strict)
  how = run.drawn_as(label) if label is None or isinstance(label, str) else ''
  with as_flag():
    labels = run.labels(count, label)
    z = run.latents(count, seed=seed, truncation=truncation)
    if interpolate:
      ends = run.latents(count, seed=seed, truncation=truncation, stream=1)
      z = np.asarray(sampling.interpolate(z, ends, interpolate))
      z, labels = z.reshape(-1, z.shape[-1]), np.repeat(
          labels, interpolate, axis=0)
  examples = run.images(z, labels, dtype='stored', truncation=truncation)
  with writing_out(out):
    # Others have no class, whatever their data have.
    _write(out, info, examples, labels if run.conditional else None,
           interpolate)
  kind = 'rows' if info.columns else kind_of(info.image_shape)
  said = [f'{len(examples)} {kind} of step {run.step} in {out}', how]
  if _suffix(out) in ('.png', '.gif'):
    said.append(pictures.channels_shown(info.image_shape))
  return '; '.join(filter(None, said))


def _of_file(info, path, count, label):
  """Number of rows of --labels, and what they ask for."""
  if label is not None:
    raise RequestError('give --label or --labels')
  with as_flag():
    rows, label = asked.of_file(info, path)
  if count not in (None, rows):
    raise RequestError(f'--num_samples={count}: {path} has {rows} rows; '
                       'leave it out')
  return rows, label


def _suffix(out) -> str:
  suffix = os.path.splitext(out)[1].lower()
  return '.tif' if suffix == '.tiff' else suffix


def _forms(info) -> dict[str, str]:
  """{suffix: what it is} of the files that hold a run's examples."""
  kind, channels = kind_of(info.image_shape), info.image_shape[-1]
  picture = kind == 'images' and channels in (1, 3, 4) and not info.units
  sound = kind == 'signals' and _hertz(info.rate)
  forms = {'.png': 'plots of the columns' if info.columns else
           'a plot of the points' if kind == 'vectors' else 'one sheet'}
  if kind != 'vectors':
    forms['.gif'] = 'frames'
  if info.columns:
    forms['.csv'] = 'the rows'
  forms['.npz'] = 'their vectors' if info.columns else 'the numbers'
  if picture or kind == 'images' and channels == 1:
    forms['.tif'] = 'pages'
  if sound:
    forms['.wav'] = 'one after the other'
  forms[''] = f'{"PNG" if picture else "WAV" if sound else "NPY"} files'
  return forms


def _hertz(rate) -> int:
  """The rate of WAV files, which is whole; 0 if it is not, or unknown."""
  return int(rate) if rate == int(rate) else 0


def _check(info, out, count, interpolate):
  """Raises RequestError, before anything is read or computed."""
  forms, suffix = _forms(info), _suffix(out)
  have = ', '.join(f'F{key} ({what})' if key else f'a folder of {what}'
                   for key, what in forms.items())
  why = '; its data say no whole rate in Hz, which sound needs' * (
      suffix == '.wav' and kind_of(info.image_shape) == 'signals')
  # Bytes, or float32.
  each = math.prod(info.image_shape) * (
      4 if info.units or kind_of(info.image_shape) == 'vectors' else 1)
  needed, there = count * max(1, interpolate) * each, memory()
  for wrong, text in (
      (count < 1, f'--num_samples={count} must be 1 or more'),
      (interpolate < 0 or interpolate == 1, f'--interpolate={interpolate} must '
       'be 2 points or more, or 0 for none'),
      (needed > there, f'{needed // each:,} examples of {each:,} bytes are '
       f'asked for, and this machine has {there:,} bytes of memory; ask for '
       'fewer at a time, each with another --seed'),
      (suffix not in forms, f'--out={out}: of '
       f'{described(info.image_shape, info.rate)}'
       f'{", floats" * bool(info.units)}, this run can give {have}{why}'),
      # Those of a larger draw would stay among the new ones.
      (not suffix and os.path.isdir(out) and os.listdir(out), f'--out={out} '
       'holds files already; remove it, or give another name')):
    if wrong:
      raise RequestError(text)


def _write(out, info, examples, labels, interpolate):
  suffix, form = _suffix(out), _forms(info)['']
  numbers = values.in_units(examples, info.units)
  if suffix == '.png':
    data = pictures.png(pictures.sheet(
        examples, rate=info.rate, table=info.columns,
        **_named(info, labels, interpolate)))
  elif suffix == '.csv':
    data = decode(examples, info.columns).to_csv(index=False).encode()
  elif suffix == '.gif':
    data = pictures.gif(map(partial(pictures.sheet, rate=info.rate),
                            _frames(examples, interpolate)))
  elif suffix == '.npz':
    more = {key: value for key in ('units', 'rate', 'class_names')
            if (value := getattr(info, key))}
    if labels is None:
      more.pop('class_names', None)
    elif labels.ndim == 2:
      columns = asked.columns_of(info)
      labels = to_users(labels, columns)
      more['label_columns'] = [column.name for column in columns]
    if labels is not None:
      more['labels'] = labels
    data = saved(np.savez_compressed, images=numbers, **more)
  elif suffix == '.tif':
    pages = [Image.fromarray(x[..., 0]) if info.units else pictures.pillow(x)
             for x in numbers]
    data = saved(lambda file: pages[0].save(
        file, 'TIFF', save_all=True, append_images=pages[1:]))
  elif suffix == '.wav':
    data = _wav(examples.reshape(-1, examples.shape[-1]), info.rate)
  else:
    write = {'PNG files': lambda i: pictures.png(examples[i]),
             'WAV files': lambda i: _wav(examples[i], info.rate),
             'NPY files': lambda i: saved(np.save, numbers[i])}[form]
    for i in range(len(examples)):
      label = None if labels is None else labels[i]
      name = f'{i:06d}{_said_of(info, label)}.{form[:3].lower()}'
      write_file(os.path.join(out, name), write(i))
    return
  write_file(out, data)


def _named(info, labels, interpolate) -> dict:
  """Columns of a sheet; the classes of its rows or columns, if it has several.

  A row is a path, or all classes in turn. Others are in no order that shows.
  """
  if labels is None or labels.ndim == 2 or len(set(labels.tolist())) < 2:
    return {'columns': interpolate}
  names = [name_of(label, info.class_names) for label in labels]
  if interpolate:
    return {'columns': interpolate, 'names': names[::interpolate]}
  count = min(len(info.classes), len(labels))
  if count > _CLASSES or labels.tolist() != np.resize(
      info.classes, len(labels)).tolist():
    return {'columns': 0}
  return {'columns': count, 'heads': names[:count]}


def _said_of(info, label) -> str:
  """What the name of a file says of its class."""
  if label is None or np.ndim(label):
    return ''
  if label < len(info.class_names):
    return '_' + re.sub(r'[^\w.-]+', '_', info.class_names[label])[:80]
  return f'_class{label}'


def _frames(examples, interpolate):
  """Batches of examples, each a frame of a GIF.

  Of paths a tile each; of volumes their slices across the first axis; else one
  example after the other.
  """
  if interpolate:
    paths = examples.reshape(-1, interpolate, *examples.shape[1:])
    return paths.swapaxes(0, 1)
  return (examples.swapaxes(0, 1) if examples.ndim == 5 else examples[:, None])


def saved(save, *args, **arrays) -> bytes:
  """The bytes that save(file, ...) writes."""
  buffer = io.BytesIO()
  save(buffer, *args, **arrays)
  return buffer.getvalue()


def _wav(signal, rate) -> bytes:
  """[T, C] in [-1, 1] as 16-bit PCM, round(32767 x)."""
  from scipy.io import wavfile  # Slow to import.
  return saved(wavfile.write, _hertz(rate),
               np.rint(32767 * signal).astype(np.int16))
