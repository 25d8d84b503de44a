"""--mode=sample: samples from a trained run, by its EMA generator."""

import io
import os

import numpy as np

from gan_jax import pictures
from gan_jax.base.errors import RequestError
from gan_jax.base.files import write_file
from gan_jax.game import sampling
from gan_jax.run import files
from gan_jax.views.trained import Trained


def sample(folder: str, out: str, *, count: int = 64, label: int | None = None,
           seed: int = 0, truncation: float | None = None, interpolate: int = 0,
           strict: bool = False) -> str:
  """Writes samples of the newest checkpoint of a run; returns what was written.

  Args:
    folder: the run folder.
    out: F.png (one grid), F.gif (frames), F.npz (images uint8 [N, H, W, C] and
      labels [N]), or a folder for one PNG per image. For vectors, F.png
      (scatter) or F.npz (images float32 [N, D] and labels).
    count: images, or paths when interpolating.
    label: class of all images; by default all classes in turn.
    seed: of the latents.
    truncation: largest |z_i|; by default the prior as it is.
    interpolate: points of each path between two latents, 0 for none.
    strict: fail instead of using an older checkpoint if the newest is damaged.

  Raises:
    WorkdirError, CheckpointError, RequestError: with a fix.
  """
  _, info = files.read_run(folder)
  _check(info, out, count, interpolate)
  run = Trained(folder, strict=strict)
  try:
    labels = run.labels(count, label)
    z = run.latents(count, seed=seed, truncation=truncation)
    if interpolate:
      ends = run.latents(count, seed=seed, truncation=truncation, stream=1)
      z = np.asarray(sampling.interpolate(z, ends, interpolate))
      z, labels = z.reshape(-1, z.shape[-1]), np.repeat(labels, interpolate)
  except RequestError as e:
    raise RequestError(f'--{e}') from e
  images = run.generator(z, labels if run.conditional else None)
  try:
    _write(out, images, labels, interpolate)
  except OSError as e:
    raise RequestError(f'--out={out}: cannot write it: {e.strerror}') from e
  return f'{len(images)} images of step {run.step} in {out}'


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


def _write(out, images, labels, interpolate):
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
    buffer = io.BytesIO()
    np.savez_compressed(buffer, images=images, labels=labels)
    write_file(out, buffer.getvalue())
  else:
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
      write_file(os.path.join(out, f'{i:06d}_class{label}.png'),
                 pictures.png(pictures.grid(image[None], 1, padding=0, side=1)))
