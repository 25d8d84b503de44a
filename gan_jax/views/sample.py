"""--mode=sample: samples from a trained run, by its EMA generator."""

import io
import os

import jax
import numpy as np

from gan_jax import models, parallel, pictures
from gan_jax.base.errors import RequestError
from gan_jax.base.files import write_file
from gan_jax.config.experiment import game_of_run, initial_state
from gan_jax.game import sampling
from gan_jax.run import files
from gan_jax.run.checkpoint import Checkpoints
from gan_jax.run.evaluator import Sampler, SamplesError


def sample(folder: str, out: str, *, count: int = 64, label: int = -1,
           seed: int = 0, truncation: float = 0.0, interpolate: int = 0,
           strict: bool = False) -> str:
  """Writes samples of the newest checkpoint of a run; returns what was written.

  Args:
    folder: the run folder.
    out: F.png (one grid), F.gif (frames), F.npz (images uint8 [N, H, W, C] and
      labels [N]), or a folder for one PNG per image. For vectors, F.png
      (scatter) or F.npz (images float32 [N, D] and labels).
    count: images, or paths when interpolating.
    label: class of all images, -1 to cycle through all classes.
    seed: of the latents.
    truncation: largest |z_i|, 0 for none.
    interpolate: points of each path between two latents, 0 for none.
    strict: fail instead of using an older checkpoint if the newest is damaged.

  Raises:
    WorkdirError, CheckpointError, RequestError: with a fix.
  """
  config, info = files.read_run(folder)
  check_seed(seed)
  _check(config, info, out, count, label, truncation, interpolate)
  game = game_of_run(config, info)
  state = restored(folder, game, config, info, strict=strict)

  def draw(stream):
    key = jax.random.fold_in(jax.random.key(seed), stream)
    if truncation:
      return sampling.truncated(game.latent, key, count, truncation)
    return sampling.latents(game.latent, key, count)

  labels = np.resize(np.array(
      info.classes or (0,) if label == -1 else label, np.int32), count)
  try:
    z = draw(0)
    if interpolate:
      z = sampling.interpolate(z, draw(1), interpolate)
      z, labels = z.reshape(-1, z.shape[-1]), np.repeat(labels, interpolate)
  except ValueError as e:
    raise RequestError(f'--{e}') from e
  try:
    images = Sampler(game, config['image_range']).images(state.ema, z, labels)
    _write(out, images, labels, interpolate)
  except SamplesError as e:
    raise RequestError(f'{folder}: {e}') from e
  except OSError as e:
    raise RequestError(f'--out={out}: cannot write it: {e.strerror}') from e
  return f'{len(images)} images of step {int(state.step)} in {out}'


def check_seed(seed: int) -> None:
  """Raises RequestError for an invalid seed."""
  if not 0 <= seed < 2**32:
    raise RequestError(f'--seed={seed} must be from 0 to 2**32 - 1')


def restored(folder, game, config, info, step: int = 0, strict: bool = False):
  """Restores the newest checkpoint of a run, or that of a step."""
  shapes = jax.eval_shape(
      lambda: initial_state(game, info.image_shape, config['seed']))
  checkpoints = Checkpoints(folder, strict=strict)
  try:
    return checkpoints.restore(
        parallel.abstract(shapes, parallel.own_mesh()), step)
  finally:
    checkpoints.close()


def _check(config, info, out, count, label, truncation, interpolate):
  suffix = os.path.splitext(out)[1].lower()
  for wrong, text in (
      (count < 1, f'--num_samples={count} must be 1 or more'),
      (interpolate < 0 or interpolate == 1, f'--interpolate={interpolate} must '
       'be 2 points or more, or 0 for none'),
      (label != -1 and not models.is_conditional(config['generator']),
       f'--label={label}: this run is not conditional; train one with '
       'configs/cgan.py or with --config.generator.conditioning=onehot '
       '--config.discriminator.conditioning=onehot'),
      (label not in (-1, *info.classes), f'--label={label} is not one of the '
       f'classes {info.classes} of {info.name}'),
      (truncation and config['latent']['name'] == 'infogan',
       f'--truncation={truncation} would erase the codes of infogan'),
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
