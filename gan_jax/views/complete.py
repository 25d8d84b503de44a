"""--mode=complete: fills the missing parts of images."""

import os

import jax
import numpy as np
from PIL import Image

from gan_jax import inference, pictures
from gan_jax.base.errors import RequestError
from gan_jax.base.examples import described, kind_of
from gan_jax.data import values
from gan_jax.data.files import check_file, reason
from gan_jax.views import given
from gan_jax.views.sample import saved
from gan_jax.views.trained import Trained, check_seed

_SHOWN = 20  # images with their holes, and filled
_GREY = 128  # of a hole


def complete(folder: str, images: str, mask: str, out: str, *, seed: int = 0,
             strict: bool = False, **how) -> str:
  """Fills holes of images as a run would have drawn them; says what it wrote.

  Args:
    folder: of the run.
    images: a folder, .npz, ...: see `given.source`.
    mask: a picture, white where pixels are missing in all images; or a folder
      or .npz of one for each, in the same order. Grey counts as the nearer.
    out: F.npz for images [N, ...], in the units of the data, the unblended
      `generated` and name [N]. F.png shows each image with its hole, what was
      generated, and the image filled.
    seed: of what is random.
    strict: fail instead of using an older checkpoint if the newest is damaged.
    **how: label, resize and channels of the images, never of masks; see
      `given.images`.

  Raises:
    WorkdirError, CheckpointError, DataError, RequestError: with a fix; nothing
      is written then.
  """
  if not out.endswith('.npz'):
    raise RequestError(f'--out={out}: must be F.npz, for the arrays images, '
                       'generated and name; F.png comes beside it')
  check_seed(seed)
  run = Trained(folder, strict=strict)
  if kind_of(run.info.image_shape) != 'images':
    raise RequestError(f'{folder} makes {described(run.info.image_shape)}; '
                       'holes are of images')
  seen = given.images(run, images, **how)
  hole = _holes(mask, seen.stored.shape)
  decoder, critic = run.decoder, run.critic
  filled, found = inference.complete(
      decoder.decode, critic and critic.logits, seen.x, hole, seen.labels,
      jax.random.key(seed), size=decoder.size)
  if not np.isfinite(filled).all():
    raise RequestError(f'{folder}: its generator gives images that are not '
                       'finite')
  units = run.info.units
  filled, found = (values.from_unit(a, units) for a in (filled, found))
  # What is known stays what it was, to the bit.
  filled = np.where(hole[..., None], filled, seen.stored)
  picture = given.keep(out, saved(
      np.savez_compressed, images=values.in_units(filled, units),
      generated=values.in_units(found, units), name=np.array(seen.names),
      **{'units': units} if units else {}), _sheet(seen.stored, hole, found,
                                                   filled))
  return (f'{len(filled)} images completed by the generator of step '
          f'{run.step}, {hole.mean():.1%} of their pixels, in {out} and '
          f'{picture}')


def _holes(path, shape) -> np.ndarray:
  """Where pixels are missing, bool [N, H, W], of images [N, H, W, C]."""
  if os.path.isdir(path) or path.endswith('.npz'):
    masks = np.asarray(given.source(path, channels=1).images[:])[..., 0]
  else:
    check_file(path)
    try:
      with Image.open(path) as file:
        masks = np.asarray(file.convert('L'))[None]
    except (OSError, ValueError, SyntaxError) as e:
      raise RequestError(f'--mask={path}: cannot read it: {reason(e)}'
                         ) from e
  count, *size = shape[:3]
  if list(masks.shape[1:]) != size:
    raise RequestError(f'--mask={path} has {masks.shape[1]}x{masks.shape[2]} '
                       f'pixels, the images {size[0]}x{size[1]}; draw it in '
                       'their size')
  if len(masks) not in (1, count):
    raise RequestError(f'--mask={path} holds {len(masks)} masks for {count} '
                       'images; give one for all, or one for each')
  hole = np.broadcast_to(masks > 127, (count, *size))
  if bad := np.flatnonzero(~hole.any((1, 2)) | hole.all((1, 2))).tolist():
    raise RequestError(f'--mask={path}: nothing, or everything, of image '
                       f'{bad[0]} is white; white is what is filled')
  return hole


def _sheet(stored, hole, found, filled):
  """Triples: the image with its hole, what was generated, the image filled."""
  grey = _GREY if stored.dtype == np.uint8 else 0.0
  spoilt = np.where(hole[..., None], np.asarray(grey, stored.dtype), stored)
  three = np.stack([spoilt, found, filled], 1)[:_SHOWN]
  return pictures.sheet(three.reshape(-1, *stored.shape[1:]), 6,
                        heads=('hole', 'generated', 'filled'))
