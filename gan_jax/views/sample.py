"""--mode=sample: samples from a trained run, by its EMA generator."""

import io
import os
import re
from typing import Any

import numpy as np

from gan_jax import pictures
from gan_jax.base.errors import RequestError
from gan_jax.base.files import write_file
from gan_jax.data.label_values import to_users
from gan_jax.data.prepare import LabelColumn
from gan_jax.game import sampling
from gan_jax.run import files
from gan_jax.views import asked
from gan_jax.views.trained import Trained


def sample(folder: str, out: str, *, count: int | None = None,
           label: Any = None, labels: str = '', seed: int = 0,
           truncation: float | None = None, interpolate: int = 0,
           strict: bool = False) -> str:
  """Writes samples of the newest checkpoint of a run; returns what was written.

  Args:
    folder: the run folder.
    out: F.png (one grid), F.gif (frames), F.npz (images uint8 [N, H, W, C],
      labels [N] and class_names, or the users' numbers [N, L] and
      label_columns), or a folder for one PNG per image. For vectors, F.png
      (scatter) or F.npz (images float32 [N, D] and labels).
    count: images, or paths when interpolating; by default 64, or as many as
      `labels` has rows.
    label: of all images, see `asked.labels`; by default as in the data.
    labels: F.csv with the label of each image, see `asked.of_file`.
    seed: of the latents.
    truncation: largest |z_i|; by default the prior as it is.
    interpolate: points of each path between two latents, 0 for none.
    strict: fail instead of using an older checkpoint if the newest is damaged.

  Raises:
    WorkdirError, CheckpointError, RequestError: with a fix.
  """
  _, info = files.read_run(folder)
  if labels:
    if label is not None:
      raise RequestError('give --label or --labels')
    try:
      rows, label = asked.of_file(info, labels)
    except RequestError as e:
      raise RequestError(f'--{e}') from e
    if count not in (None, rows):
      raise RequestError(f'--num_samples={count}: {labels} has {rows} rows; '
                         'leave it out')
    count = rows
  count = 64 if count is None else count
  _check(info, out, count, interpolate)
  run = Trained(folder, strict=strict)
  how = run.drawn_as(label) if label is None or isinstance(label, str) else ''
  try:
    labels = run.labels(count, label)
    z = run.latents(count, seed=seed, truncation=truncation)
    if interpolate:
      ends = run.latents(count, seed=seed, truncation=truncation, stream=1)
      z = np.asarray(sampling.interpolate(z, ends, interpolate))
      z, labels = z.reshape(-1, z.shape[-1]), np.repeat(labels, interpolate)
  except RequestError as e:
    raise RequestError(f'--{e}') from e
  images = run.images(z, labels)
  try:
    _write(out, images, labels, interpolate, info)
  except OSError as e:
    raise RequestError(f'--out={out}: cannot write it: {e.strerror}') from e
  return (f'{len(images)} images of step {run.step} in {out}'
          + (f'; {how}' if how else ''))


def _check(info, out, count, interpolate):
  """Raises RequestError, before anything is read or computed."""
  suffix = os.path.splitext(out)[1].lower()
  for wrong, text in (
      (count < 1, f'--num_samples={count} must be 1 or more'),
      (interpolate < 0 or interpolate == 1, f'--interpolate={interpolate} must '
       'be 2 points or more, or 0 for none'),
      (suffix not in ('.png', '.gif', '.npz', ''), f'--out={out}: must end in '
       '.png, .gif or .npz, or be a folder (without a suffix)'),
      (len(info.image_shape) == 1 and suffix not in ('.png', '.npz'),
       f'--out={out}: this run makes vectors {list(info.image_shape)}, which '
       'are no pictures one by one; give F.png for a plot of the points, or '
       'F.npz for their numbers')):
    if wrong:
      raise RequestError(text)


def _write(out, images, labels, interpolate, info):
  suffix = os.path.splitext(out)[1].lower()
  if suffix == '.png':
    write_file(out, pictures.png(
        pictures.scatter(images) if images.ndim == 2
        else pictures.grid(images, interpolate)))
  elif suffix == '.gif':
    # With paths, one tile per path; without, one frame per image.
    frames = images.reshape(-1, interpolate or len(images), *images.shape[1:])
    write_file(out, pictures.gif(map(pictures.grid, frames.swapaxes(0, 1))))
  elif suffix == '.npz':
    buffer, more = io.BytesIO(), {}
    if labels.ndim == 2:
      columns = [LabelColumn(*column) for column in info.label_columns]
      labels = to_users(labels, columns)
      more['label_columns'] = np.array([column.name for column in columns])
    elif info.class_names:
      more['class_names'] = np.array(info.class_names)
    np.savez_compressed(buffer, images=images, labels=labels, **more)
    write_file(out, buffer.getvalue())
  else:
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
      write_file(os.path.join(out, f'{i:06d}{_suffix(info, label)}.png'),
                 pictures.png(pictures.grid(image[None], 1, padding=0, side=1)))


def _suffix(info, label) -> str:
  """What the name of an image says of its class."""
  if np.ndim(label):
    return ''
  if label < len(info.class_names):
    return '_' + re.sub(r'[^\w.-]+', '_', info.class_names[label])[:80]
  return f'_class{label}'
