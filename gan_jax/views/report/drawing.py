"""The pictures of a checkpoint: its examples beside those of its data."""

from collections.abc import Iterator, Mapping

import numpy as np

from gan_jax import pictures
from gan_jax.base import lookup
from gan_jax.base.errors import RequestError, WorkdirError, as_flag
from gan_jax.base.examples import kind_of
from gan_jax.config.experiment import load_data
from gan_jax.data.label_values import name_of
from gan_jax.data.pipeline import Batches
from gan_jax.evaluators.score import as_bytes, source_as_bytes
from gan_jax.extractors import projection, random
from gan_jax.game import sampling
from gan_jax.metrics.images import power_spectrum
from gan_jax.metrics.neighbours import nearest
from gan_jax.run import files
from gan_jax.views import asked
from gan_jax.views.report.page import Picture
from gan_jax.views.trained import Trained, check_seed

_ALL = 2000  # real and generated examples in plots of distributions
_BYTES = 2**28  # of memory for them at most
_ROWS, _COLUMNS = 8, 8  # of the sheets of examples
_POINTS = 10  # of a path; examples of a bound and of a class
_WIDE = 4  # examples in a row instead, where each has several pictures
_CLASSES = 20
_QUERIES, _NEAR = 8, 5
_YARDSTICK = 100  # real images for reference distances
_SEARCHED = 10_000  # examples of which an extractor makes features
_PART = 2**22  # bytes of the data that are compared at a time
# Truncation bounds, as the share of z's entries that they keep.
_KEPT = (0.9, 0.7, 0.5, 0.3, 0.1)
# And psi of generators with a style space.
_PSI = (1.0, 0.8, 0.6, 0.4, 0.2, 0.0)
# Random streams of the kinds of pictures.
_FAKES, _STARTS, _ENDS, _SWEEP, _CLASS = range(5)


class Run(Trained):
  """A checkpoint of a run and its data."""

  def __init__(self, folder: str, step: int, seed: int,
               extractor: Mapping | None):
    """Reads both; arguments as of `modes.report`.

    Raises:
      WorkdirError: other data than it was trained on.
      RequestError: a seed or an extractor that cannot be.
      CheckpointError, ConfigError, DataError: as `Trained` and `data.load`.
    """
    super().__init__(folder, step=step)
    with as_flag():
      check_seed(seed)
    with files.reading_data_of(folder):
      self.source, self.seed = load_data(self.config['data']), seed
    if self.source.fingerprint != self.info.fingerprint:
      raise WorkdirError(
          f'{folder} was trained on other examples than those that its config '
          'names now; restore the data, or train further with '
          '--allow_changed_data')
    self.extractor = extractor and _built(extractor, self.source)
    self.kind = kind_of(self.info.image_shape)
    self.columns, self.points = (
        (_COLUMNS, _POINTS) if self.kind == 'images' else (_WIDE, _WIDE))

  def drawn(self, stream: int, count: int, truncation=None) -> np.ndarray:
    """Latents of the seed of this page."""
    return self.latents(count, seed=self.seed, stream=stream,
                        truncation=truncation)

  def in_turn(self, count: int) -> np.ndarray:
    """Labels that show the variety: classes in turn; vectors as in the data."""
    return self.labels(count, asked.TURN if (
        self.conditional and self.info.classes) else None)

  def stored(self, z, labels, truncation=None) -> np.ndarray:
    """What it generates of labels of the networks, as the data are stored."""
    return self.images(z, labels, dtype='stored', truncation=truncation)

  def sheet(self, file: str, z, labels, names, note='') -> Picture:
    """Contact sheet of latents [N, Z], a row for each name."""
    images = self.stored(z, labels)
    rows = images.reshape(len(names), -1, *images.shape[1:])
    return Picture(file, self.contact_sheet(list(rows), names), note)

  def contact_sheet(self, rows, names) -> np.ndarray:
    """Rows of examples, the first row the longest, beside their names."""
    return pictures.contact_sheet(rows, names, columns=len(rows[0]),
                                  rate=self.info.rate)


def _built(spec, source):
  """The extractor that is asked for."""
  room = 'gan_jax.extractors'
  try:
    lookup.find(room, spec['name'])
    return lookup.build(room, spec, source=source_as_bytes(source))
  except ValueError as e:
    raise RequestError(f'--extractor={spec["name"]}: {e}') from e


def draw(run: Run) -> Iterator[Picture]:
  """Yields the pictures of the page, each when it is drawn."""
  source = run.source
  each = max(1, source.images.nbytes // len(source.images))
  count = min(len(source.images), _ALL,
              max(_ROWS * run.columns, _BYTES // each))
  rows = Batches(len(source.images), count, run.seed)(0, 1)[0]
  real = np.asarray(source.images[rows])
  # The labels of the real images.
  fake = run.stored(run.drawn(_FAKES, count), source.labels[rows])
  if run.kind == 'vectors':
    yield Picture(
        'real_and_fake.png', pictures.scatter(fake, real=real),
        f'{count:,} generated examples over as many of {source.name}, by their '
        'first two coordinates.')
    return
  said = 'Drawn at random, none chosen' + (
      f'; {run.kind} have the class of those in their place on the other side'
      if run.conditional else '') + '.'
  if omitted := pictures.channels_shown(run.info.image_shape):
    said += f' All {omitted}.'
  for file, images in (('real.png', real), ('generated.png', fake)):
    images = images[:_ROWS * run.columns]
    rows = np.split(images, range(run.columns, len(images), run.columns))
    yield Picture(file, run.contact_sheet(rows, [''] * len(rows)), said)
  yield from _nearest(run, real, fake[:_QUERIES])
  yield _interpolations(run)
  if run.config['latent']['name'] != 'infogan':  # It would erase the codes.
    yield _truncation(run)
  if run.conditional and run.info.classes:
    known, z = run.info.classes[:_CLASSES], run.drawn(_CLASS, run.points)
    yield run.sheet('classes.png', np.tile(z, (len(known), 1)),
                    np.repeat(known, run.points),
                    [name_of(c, run.info.class_names) for c in known])
  extractor = run.extractor or (
      random() if run.kind == 'images' else projection())
  yield Picture(
      'features.png', pictures.plane(*(extractor.extract(as_bytes(examples))[0]
                                       for examples in (real, fake))),
      f'Features by the extractor {extractor.name!r} of {count:,} real and as '
      f'many generated {run.kind}.')
  # One pixel has no frequencies.
  if run.kind == 'images' and real[0, ..., 0].size > 1:
    (frequency, power), (_, fakes) = (
        power_spectrum(as_bytes(images)[:]) for images in (real, fake))
    yield Picture('spectrum.png', pictures.spectrum(frequency, power, fakes))


def _nearest(run, real, queries) -> Iterator[Picture]:
  """Nearest training examples: by values (all), by features (a sample)."""
  source, total = run.source, len(run.source.images)
  numbers = ('grey levels' if source.images.dtype == np.uint8 else
             'values from -1 to 1')
  ways = [('nearest.png', f'root mean square differences of {numbers}',
           lambda images: np.asarray(images).reshape(len(images), -1),
           np.arange(total), np.sqrt(queries[0].size))]
  if network := run.extractor:
    # The first of the same permutation as `real`, which is among them.
    rows = Batches(total, min(total, _SEARCHED), run.seed)(0, 1)[0]
    ways.append(('nearest_features.png',
                 f'distances by features of {network.name!r}',
                 lambda images: network.extract(as_bytes(images))[0],
                 np.sort(rows), 1.0))
  size = max(1, _PART * total // max(1, source.images.nbytes))
  for file, meaning, features, rows, scale in ways:
    parts = (features(np.asarray(source.images[rows[i:i + size]]))
             for i in range(0, len(rows), size))
    index, distance = nearest(
        features(np.concatenate([queries, real[:_YARDSTICK]])), parts,
        _NEAR + 1)
    distance = distance / scale
    # The nearest to a real image is itself.
    others = distance[len(queries):, 1:2]
    usual = np.median(others) if others.size else np.nan
    index = rows[index[:len(queries), :_NEAR]]
    sheet = []
    for query, near in zip(queries, index, strict=True):
      image, *others = pictures.tiles(
          np.stack([query, *source.images[near]]), rate=run.info.rate)
      sheet.append(np.stack([image, np.full_like(image, 255), *others]))
    names = [f'{near[0]:.3g} to {near[-1]:.3g}'
             for near in distance[:len(queries), :_NEAR]]
    yield Picture(
        file, run.contact_sheet(sheet, names),
        f'Generated {run.kind}, and right of the gap the nearest of '
        f'{len(rows):,} training {run.kind}. On the left are the {meaning} of '
        f'the first and the last; a real one is at {usual:.3g} from the '
        'nearest other one (median).')


def _interpolations(run):
  paths = np.asarray(sampling.interpolate(
      run.drawn(_STARTS, _ROWS), run.drawn(_ENDS, _ROWS), run.points))
  labels = run.in_turn(_ROWS)
  named = run.conditional and run.info.classes
  return run.sheet(
      'interpolations.png', paths.reshape(-1, paths.shape[-1]),
      np.repeat(labels, run.points, axis=0), [
          name_of(c, run.info.class_names) if named else '' for c in labels])


def _truncation(run):
  if run.styled:
    z, labels = run.drawn(_SWEEP, run.points), run.in_turn(run.points)
    return Picture(
        'truncation.png', run.contact_sheet(
            [run.stored(z, labels, psi) for psi in _PSI],
            [f'psi={psi:g}' for psi in _PSI]),
        'In each row the distance of the styles from their mean is multiplied '
        'by the psi at the left (--truncation).')
  sizes = np.abs(run.drawn(_FAKES, 1000))
  # Smaller bounds than 0.05 are refused.
  bounds = sorted({max(0.05, round(float(b), 2)) for b in
                   np.quantile(sizes, _KEPT)}, reverse=True)
  z = [run.drawn(_SWEEP, run.points),
       *(run.drawn(_SWEEP, run.points, bound) for bound in bounds)]
  return run.sheet(
      'truncation.png', np.concatenate(z),
      np.concatenate([run.in_turn(run.points)] * len(z)),
      ['all', *(f'|z|<{bound:g}' for bound in bounds)],
      'The latents of the first row are as drawn. In the other rows all '
      'entries beyond the bound at the left are drawn again (--truncation).')
