"""What is drawn of a checkpoint, with a sentence about each picture."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from gan_jax import pictures
from gan_jax.data.pipeline import Batches
from gan_jax.data.prepare import Source
from gan_jax.extractors import Extractor, random
from gan_jax.game import sampling
from gan_jax.metrics.images import power_spectrum
from gan_jax.metrics.neighbours import nearest
from gan_jax.views.inspect import class_name

_ALL = 2000  # examples, real and generated, of what shows distributions
_BYTES = 2**28  # that they may take
_GRID, _COLUMNS = 64, 8
_ROWS, _POINTS = 8, 10  # of paths, of bounds and of classes
_CLASSES = 20
_QUERIES, _NEAR = 8, 5
_YARDSTICK = 100  # real images whose own neighbours are looked for
_SEARCHED = 10_000  # examples of which an extractor makes features
_PART = 2**22  # bytes of the data that are compared at a time
# Of the prior's entries, the share that a bound leaves as they are.
_KEPT = (0.9, 0.7, 0.5, 0.3, 0.1)
# Each kind of picture has latents of its own.
_FAKES, _STARTS, _ENDS, _SWEEP, _CLASS = range(5)


class Subject(NamedTuple):
  """A checkpoint and what it is compared with.

  source: the data.
  sampler: of the run.
  latent: the prior.
  average: the weights that are looked at.
  conditional: whether the generator looks at the label.
  codes: whether latents hold codes, which truncation would erase.
  step: of the checkpoint.
  seed: of latents, and of which real examples are shown.
  extractor: whose features are compared, None for the random network.
  """

  source: Source
  sampler: Any
  latent: Callable
  average: Any
  conditional: bool
  codes: bool
  step: int
  seed: int
  extractor: Extractor | None

  def key(self, stream: int):
    """The key of some latents."""
    return jax.random.fold_in(jax.random.key(self.seed), stream)

  def images(self, z, label) -> np.ndarray:
    """What the averaged generator makes of latents [N, Z], labels [N]."""
    return self.sampler.images(self.average, z, label)

  def classes(self, count: int) -> np.ndarray:
    """Labels [count], the classes in turn."""
    known = np.unique(self.source.labels) if self.conditional else [0]
    return np.resize(np.array(known, np.int32), count)


class Picture(NamedTuple):
  """File name, uint8 [H, W, C], and what is seen on it."""

  name: str
  pixels: np.ndarray
  caption: str


def draw(subject: Subject) -> list[Picture]:
  """All pictures; of vectors only the points."""
  source = subject.source
  rows = _some(source.images, subject.seed)
  real = np.asarray(source.images[rows])
  z = subject.sampler.latents(subject.key(_FAKES), len(real))
  # A class as often as among the real ones, and in the same places.
  fake = subject.images(z, source.labels[rows])
  if real.ndim == 2:
    return [_points(subject, real, fake)]
  found = [_beside(subject, real, fake), _nearest(subject, real, fake),
           _interpolations(subject)]
  if not subject.codes:
    found.append(_truncation(subject))
  if subject.conditional:
    found.append(_classes(subject))
  found.append(_features(subject, real, fake))
  # One pixel has no frequencies.
  return found + ([_spectrum(real, fake)] if real[0, ..., 0].size > 1 else [])


def _some(images, seed):
  """Indices of some examples, in no order."""
  each = max(1, images.nbytes // len(images))
  count = min(len(images), _ALL, max(_GRID, _BYTES // each))
  return Batches(len(images), count, seed)(0, 1)[0]


def _points(subject, real, fake):
  return Picture(
      'real_and_fake.png', pictures.scatter(fake, real=real),
      f'{len(fake):,} generated examples over as many of '
      f'{subject.source.name}, by their first two coordinates.')


def _beside(subject, real, fake):
  same = (' An image has the class of the one in its place on the other side.'
          if subject.conditional else '')
  titles = (f'real: {subject.source.name}', f'generated, step {subject.step:,}')
  return Picture(
      'real_and_fake.png',
      pictures.beside(real[:_GRID], fake[:_GRID], columns=_COLUMNS,
                      titles=titles),
      f'Examples drawn at random, none chosen.{same}')


def _nearest(subject, real, fake):
  source = subject.source
  total, queries = len(source.images), fake[:_QUERIES]
  groups, texts = [], []
  index, distance, usual = _search(
      queries, real, _flat, _parts(source.images, np.arange(total)),
      scale=np.sqrt(queries[0].size))
  groups.append(('nearest by pixels', source.images[index.ravel()].reshape(
      *index.shape, *real.shape[1:]), distance))
  texts.append(f'by pixels: root mean square difference of grey levels, among '
               f'all {total:,}; a real image is at {usual:.3g} from the '
               f'nearest other one (median)')
  if subject.extractor:
    # The first of the same permutation as `real`, which is among them.
    rows = np.sort(Batches(total, min(total, _SEARCHED), subject.seed)(0, 1)[0])
    index, distance, usual = _search(
        queries, real, lambda images: subject.extractor.extract(images)[0],
        _parts(source.images, rows))
    groups.append(('nearest by features', source.images[
        rows[index.ravel()]].reshape(*index.shape, *real.shape[1:]), distance))
    texts.append(f'by features of {subject.extractor.name!r}, among '
                 f'{len(rows):,}; a real image is at {usual:.3g}')
  return Picture(
      'nearest.png', pictures.neighbours(
          queries, groups, title='nearest training images'),
      'Generated images and the training images nearest to them, with '
      f'distances {"; ".join(texts)}. Much smaller distances are copies.')


def _search(queries, real, features, parts, scale=1.0):
  """(index [Q, k], distance [Q, k], median of real images' distances)."""
  every = np.concatenate([queries, real[:_YARDSTICK]])
  index, distance = nearest(features(every), map(features, parts),
                                     _NEAR + 1)
  distance = distance / scale
  # The nearest to a real image is itself.
  others = distance[len(queries):, 1:2]
  near = slice(len(queries)), slice(_NEAR)
  return (index[near], distance[near],
          float(np.median(others)) if others.size else np.nan)


def _flat(images):
  return np.asarray(images).reshape(len(images), -1)


def _parts(images, rows):
  """The examples of these rows, some at a time."""
  size = max(1, _PART * len(images) // max(1, images.nbytes))
  for i in range(0, len(rows), size):
    yield np.asarray(images[rows[i:i + size]])


def _interpolations(subject):
  starts, ends = (subject.sampler.latents(subject.key(stream), _ROWS)
                  for stream in (_STARTS, _ENDS))
  paths = sampling.interpolate(starts, ends, _POINTS)
  labels = subject.classes(_ROWS)
  images = subject.images(paths.reshape(-1, paths.shape[-1]),
                          np.repeat(labels, _POINTS))
  names = ([class_name(subject.source, c) for c in labels]
           if subject.conditional else [''] * _ROWS)
  return Picture(
      'interpolations.png', pictures.contact_sheet(
          _in_rows(images, _ROWS), names, columns=_POINTS,
          title='interpolations'),
      'Each row goes from one latent to another along a great circle; jumps '
      'between neighbours, or one image all along, are bad signs.')


def _truncation(subject):
  usual = subject.sampler.latents(subject.key(_SWEEP), _POINTS)
  sizes = np.abs(np.asarray(subject.sampler.latents(subject.key(_FAKES), 1000)))
  # Smaller bounds than 0.05 are refused.
  bounds = sorted({max(0.05, round(float(b), 2)) for b in
                   np.quantile(sizes, _KEPT)}, reverse=True)
  z = [usual, *(sampling.truncated(subject.latent, subject.key(_SWEEP), _POINTS,
                                   bound) for bound in bounds)]
  labels = subject.classes(_POINTS)
  images = subject.images(np.concatenate(z), np.tile(labels, len(z)))
  return Picture(
      'truncation.png', pictures.contact_sheet(
          _in_rows(images, len(z)), ['all', *(f'{b:g}' for b in bounds)],
          columns=_POINTS, title='truncation: largest |z|'),
      'The latents of the first row, with all entries that are larger than the '
      'bound of a row drawn again (--truncation): towards the bottom typical '
      'images, and less variety.')


def _classes(subject):
  known = np.unique(subject.source.labels)[:_CLASSES]
  z = np.asarray(subject.sampler.latents(subject.key(_CLASS), _POINTS))
  images = subject.images(np.tile(z, (len(known), 1)),
                          np.repeat(known, _POINTS))
  return Picture(
      'classes.png', pictures.contact_sheet(
          _in_rows(images, len(known)),
          [class_name(subject.source, c) for c in known], columns=_POINTS,
          title='classes'),
      'A row for each class and the same latents in each column: what the '
      'label decides, and what the latent.')


def _in_rows(images, rows):
  return list(images.reshape(rows, -1, *images.shape[1:]))


def _features(subject, real, fake):
  extractor = subject.extractor or random()
  features = [extractor.extract(images)[0] for images in (real, fake)]
  return Picture(
      'features.png', pictures.plane(*features,
                                  title='features, real and generated'),
      f'Features by the extractor {extractor.name!r} of {len(real):,} real and '
      'as many generated images, in the plane in which the real ones vary '
      'most; where only one colour is, images are missing or of no real kind.')


def _spectrum(real, fake):
  frequency, power = power_spectrum(real)
  return Picture(
      'spectrum.png', pictures.spectrum(
          frequency, power, power_spectrum(fake)[1],
          title='radially averaged power spectrum'),
      'Power at each spatial frequency (Durall et al. 2020): upsampling '
      'networks tend to leave the band at the high end, on the right.')
