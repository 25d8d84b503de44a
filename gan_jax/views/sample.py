"""--mode=sample: images of a trained run, from its averaged weights."""

import io
import math
import os
from typing import NamedTuple

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


class Request(NamedTuple):
  """What is asked for.

  count: images, or paths when interpolating.
  label: class of all images, -1 for all classes in turn.
  seed: of the latents.
  truncation: largest |z_i|, 0 for the prior as it is.
  interpolate: points of each path between two latents, 0 for none.
  """

  count: int
  label: int
  seed: int
  truncation: float
  interpolate: int



def sample(folder: str, request: Request, out: str, *,
           strict: bool = False) -> str:
  """Writes samples of the newest checkpoint of a run.

  Args:
    folder: the working directory of the run.
    request: which images.
    out: F.png (one grid), F.gif (frames), F.npz (images uint8 [N, H, W, C] and
      labels [N]), or a folder, where every image becomes a PNG.  Of vectors,
      F.png (points) or F.npz (images float32 [N, D] and labels).
    strict: refuse an older checkpoint where the newest is damaged.

  Returns:
    A line that says what was written.

  Raises:
    WorkdirError, CheckpointError, RequestError: with what to do.
  """
  config, info = files.read_run(folder)
  game = game_of_run(config, info)
  label = _labels(config, info, request)
  if request.truncation and config['latent']['name'] == 'infogan':
    raise RequestError(f'--truncation={request.truncation} would erase the '
                       'codes of infogan')
  _check_out(out, info.image_shape)
  checkpoints = Checkpoints(folder, strict=strict)
  shapes = jax.eval_shape(
      lambda: initial_state(game, info.image_shape, config['seed']))
  mesh = parallel.own_mesh()
  state = checkpoints.restore(parallel.abstract(shapes, mesh))
  checkpoints.close()
  sampler = Sampler(game, config['image_range'])
  z, label = _latents(game, request, label)
  try:
    images = sampler.images(state.ema, z, label)
  except SamplesError as e:
    raise RequestError(f'{folder}: {e}') from e
  try:
    _write(out, images, label, request.interpolate)
  except OSError as e:
    raise RequestError(f'--out={out}: cannot write it: {e.strerror}') from e
  return f'{len(images)} images of step {int(state.step)} in {out}'


def _labels(config, info, request):
  """Labels [count].

  Raises:
    RequestError: a class that the run does not know.
  """
  if not 0 <= request.seed < 2**32:
    raise RequestError(f'--seed={request.seed} must be from 0 to 2**32 - 1')
  if request.count < 1:
    raise RequestError(f'--num_samples={request.count} must be 1 or more')
  if request.interpolate < 0 or request.interpolate == 1:
    raise RequestError(f'--interpolate={request.interpolate} must be 2 points '
                       'or more, or 0 for none')
  if request.label == -1:
    return np.resize(np.array(info.classes or (0,), np.int32), request.count)
  if not models.is_conditional(config['generator']):
    raise RequestError(
        f'--label={request.label}: this run is not conditional; train one with '
        'configs/cgan.py or with --config.generator.conditioning=onehot '
        '--config.discriminator.conditioning=onehot')
  if request.label not in info.classes:
    raise RequestError(f'--label={request.label} is not one of the classes '
                       f'{info.classes} of {info.name}')
  return np.full(request.count, request.label, np.int32)


def _latents(game, request, label):
  """(z [N, Z], label [N]); N = count * interpolate when interpolating."""
  def draw(stream):
    key = jax.random.fold_in(jax.random.key(request.seed), stream)
    if request.truncation:
      return sampling.truncated(game.latent, key, request.count,
                                request.truncation)
    return sampling.latents(game.latent, key, request.count)

  try:
    start = draw(0)
    if not request.interpolate:
      return start, label
    paths = sampling.interpolate(start, draw(1), request.interpolate)
  except ValueError as e:
    raise RequestError(f'--{e}') from e
  return (paths.reshape(-1, paths.shape[-1]),
          np.repeat(label, request.interpolate))


def _check_out(out, shape):
  """Before anything is computed.

  Raises:
    RequestError: a kind of file that examples of this shape cannot become.
  """
  suffix = os.path.splitext(out)[1].lower()
  if suffix not in ('.png', '.gif', '.npz', ''):
    raise RequestError(f'--out={out}: must end in .png, .gif or .npz, or be a '
                       'folder (without a suffix)')
  if len(shape) == 1 and suffix not in ('.png', '.npz'):
    raise RequestError(f'--out={out}: this run makes vectors {list(shape)}, '
                       'which are no pictures one by one; give F.png for a '
                       'plot of the points, or F.npz for their numbers')


def _write(out, images, labels, interpolate):
  suffix = os.path.splitext(out)[1].lower()
  columns = interpolate or math.ceil(math.sqrt(len(images)))
  if suffix == '.png':
    write_file(out, pictures.png(
        pictures.scatter(images) if images.ndim == 2
        else pictures.grid(images, columns)))
  elif suffix == '.gif':
    # Every path is a cell of the film; without paths every image is a frame.
    frames = images.reshape(-1, interpolate or len(images), *images.shape[1:]
                            ).swapaxes(0, 1)
    side = math.ceil(math.sqrt(frames.shape[1]))
    write_file(out, pictures.gif([pictures.grid(f, side) for f in frames]))
  elif suffix == '.npz':
    buffer = io.BytesIO()
    np.savez_compressed(buffer, images=images, labels=labels)
    write_file(out, buffer.getvalue())
  else:
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
      write_file(os.path.join(out, f'{i:06d}_class{label}.png'),
                 pictures.png(pictures.grid(image[None], 1, padding=0, side=1)))
