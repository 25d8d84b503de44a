"""--mode=complete: fills the missing parts of images."""

import re

import jax
import numpy as np

from gan_jax import inference, pictures
from gan_jax.base.errors import DataError, RequestError
from gan_jax.base.examples import counted, described, kind_of
from gan_jax.data import values
from gan_jax.views import given
from gan_jax.views.sample import saved
from gan_jax.views.trained import Trained

_SHOWN = 20  # images with their holes, and filled
_GREY = 128  # of a hole


def complete(folder: str, images: str, mask: str, out: str, *, seed: int = 0,
             strict: bool = False, **how) -> str:
  """Fills holes of images as a run would have drawn them; says what it wrote.

  Args:
    folder: of the run.
    images: a folder, .npz, ...: see `given.source`.
    mask: a picture, white where pixels are missing in all images; or a folder,
      .npz or .npy of one for each, in the same order. Grey counts as the
      nearer.
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
  given.check(out, '.npz', 'the arrays images, generated and name', seed,
              images, mask)
  run = Trained(folder, strict=strict)
  if kind_of(run.info.image_shape) != 'images':
    raise RequestError(f'{folder} makes {described(run.info.image_shape)}; '
                       'holes are of images')
  seen = given.images(run, images, judged=True, **how)
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
  return (f'{counted("images", len(filled))} completed by the generator of '
          f'step {run.step}, {hole.mean():.1%} of their pixels, in {out} and '
          f'{picture}')


def _holes(path, shape) -> np.ndarray:
  """Where pixels are missing, bool [N, H, W], of images [N, H, W, C]."""
  try:
    found = given.source(path, channels=1).images
  except (RequestError, DataError) as e:
    # A problem of a file, and not of how its arrays are named and arranged.
    if isinstance(e, DataError) and not re.search(r'\w=|_key', str(e)):
      raise
    raise RequestError(f'--mask={path} holds no images; draw it, or save '
                       '[N, H, W] of bool, in an .npz as images') from e
  count, *size = shape[:3]
  if tuple(found.shape[1:]) != (*size, 1):
    raise RequestError(f'--mask={path} holds {described(found.shape[1:])}, and '
                       f'the images are {size[0]}x{size[1]}; draw it in their '
                       'size')
  masks = values.unit(np.asarray(found[:]))[..., 0]
  if len(masks) not in (1, count):
    raise RequestError(f'--mask={path} holds {len(masks)} masks for {count} '
                       'images; give one for all, or one for each')
  hole = np.broadcast_to(masks > 0.5, (count, *size))
  for i, one in enumerate(hole):
    if not one.any() or one.all():
      raise RequestError(
          f'--mask={path}: {"all" if one.any() else "nothing"} of image {i} is '
          'white; white is what is filled, from what is left')
  return hole


def _sheet(stored, hole, found, filled):
  """Triples: the image with its hole, what was generated, the image filled."""
  grey = _GREY if stored.dtype == np.uint8 else 0.0
  spoilt = np.where(hole[..., None], np.asarray(grey, stored.dtype), stored)
  three = np.stack([spoilt, found, filled], 1)[:_SHOWN]
  return pictures.sheet(three.reshape(-1, *stored.shape[1:]), 6,
                        heads=('hole', 'generated', 'filled'))
