"""--mode=outliers: ranks images by how little a run could have made them."""

import json

import jax
import matplotlib
import numpy as np
import pandas as pd

from gan_jax import inference, pictures
from gan_jax.base import lookup
from gan_jax.base.errors import RequestError
from gan_jax.base.examples import counted, kind_of
from gan_jax.data import values
from gan_jax.data.files import printable
from gan_jax.views import given
from gan_jax.views.trained import Trained

# Each with the part of a run that it needs.
SCORES = {'anogan': '', 'fanogan': 'encoder', 'discriminator': 'discriminator'}
_SHOWN = 20  # images, with what the generator has nearest and where they differ
_HEADS = 'given', 'nearest', 'difference'


def outliers(folder: str, images: str, out: str, *, sort: str = '',
             seed: int = 0, strict: bool = False, **how) -> str:
  """Writes scores of images, the most unusual first; returns a table of them.

  Args:
    folder: of the run.
    images: a folder, .npz, ...: see `given.source`.
    out: F.jsonl for {'name', 'rank', and its scores, higher for outliers} of
      each image: those that the run has the parts for, anogan, which descends
      for each image, only if it is asked for or the only one. F.png shows the
      first by rank and name: the image, what the generator has nearest, and
      their difference.
    sort: of `SCORES`, by which they are ranked; '' for fanogan of a run with an
      encoder, else anogan. See `inference.outliers`.
    seed: of what is random.
    strict: fail instead of using an older checkpoint if the newest is damaged.
    **how: label, resize and channels of the images, see `given.images`.

  Raises:
    WorkdirError, CheckpointError, DataError, RequestError: with a fix; nothing
      is written then.
  """
  given.check(out, '.jsonl', 'a JSON object for each example', seed, images)
  if sort and sort not in SCORES:
    raise RequestError(f'--sort={sort}: no such score'
                       f'{lookup.near(sort, SCORES)}')
  run = Trained(folder, strict=strict)
  parts = {'': True, 'encoder': run.game.gen.encode,
           'discriminator': run.game.disc}
  if sort and not parts[SCORES[sort]]:
    raise RequestError(f'--sort={sort}: {folder} has no {SCORES[sort]}'
                       + '; configs/encoder.py trains one for it'
                       * (sort == 'fanogan'))
  sort = sort or ('fanogan' if parts['encoder'] else 'anogan')
  kind = kind_of(run.info.image_shape)
  if kind == 'vectors':
    raise RequestError(f'{folder} makes vectors; outliers are of '
                       'images, signals and volumes')
  seen = given.images(run, images, judged=True, **how)
  scores, shown = _scored(run, seen.x, seen.labels, seed, sort)
  order = np.argsort(-scores[sort], kind='stable')
  rows = [{'rank': rank, 'name': seen.names[i],
           **{key: float(value[i]) for key, value in scores.items()}}
          for rank, i in enumerate(order, 1)]
  picture = given.keep(
      out, ''.join(json.dumps(row) + '\n' for row in rows).encode(),
      _sheet(run, seen, shown, order))
  first = pd.DataFrame([row | {'name': printable(row['name'])}
                        for row in rows[:_SHOWN]]).to_string(
      index=False, float_format='{:.4g}'.format)
  return (f'{first}\n{counted(kind, len(rows))} ranked by {sort} of '
          f'step {run.step}, in {out} and {picture}')


def _scored(run, x, labels, seed, sort):
  """({score: [N]}, the `Outliers` of the score that they are sorted by)."""
  decoder, critic = run.decoder, run.critic
  features = critic and critic.features
  found = {}
  if decoder.encode:
    found['fanogan'] = inference.f_anogan(decoder.decode, decoder.encode,
                                          features, x, labels)
  if sort == 'anogan' or not found:  # A descent for each image.
    first = decoder.encode and inference.each(decoder.encode, x, labels)
    found['anogan'] = inference.anogan(
        decoder.decode, features, x, labels, jax.random.key(seed),
        size=decoder.size, first=first)
  scores = {name: np.asarray(of.score) for name, of in found.items()}
  if critic:
    scores['discriminator'] = np.asarray(
        inference.judged(critic.logits, x, labels))
  if bad := [name for name, of in scores.items() if not np.isfinite(of).all()]:
    raise RequestError(f'{run.folder}: its scores {", ".join(bad)} are not '
                       'finite')
  return scores, jax.tree.map(np.asarray, found.get(
      sort, next(iter(found.values()))))


def _sheet(run, seen, shown, order):
  """An image, what the generator has nearest, and a heat map, of each rank."""
  order = order[:_SHOWN]
  names = [f'#{rank}  {printable(seen.names[i])}'
           for rank, i in enumerate(order, 1)]
  stored, found = seen.stored[order], values.from_unit(
      shown.found[order], run.info.units)
  if stored.ndim != 4:
    both = np.stack([stored, found], 1).reshape(-1, *stored.shape[1:])
    return pictures.sheet(both, 2, rate=run.info.rate, heads=_HEADS[:2],
                          names=names)
  heat = shown.heat[order]
  # One scale for all, so that the hottest is the hottest of all.
  heat = matplotlib.colormaps['inferno'](heat / max(heat.max(), 1e-6))
  rows = [pictures.tiles(a)[..., :3] for a in (stored, found, pictures.to_uint8(
      2 * heat[..., :3] - 1))]
  rows = [np.broadcast_to(a, (*a.shape[:3], 3)) for a in rows]
  return pictures.sheet(np.stack(rows, 1).reshape(-1, *rows[2].shape[1:]), 6,
                        heads=_HEADS, names=names)
