"""--mode=report: an HTML page of a run, with samples beside training images."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from gan_jax import pictures
from gan_jax.base import lookup
from gan_jax.base.errors import RequestError, WorkdirError
from gan_jax.data.pipeline import Batches
from gan_jax.extractors import random
from gan_jax.game import sampling
from gan_jax.metrics.images import power_spectrum
from gan_jax.metrics.neighbours import nearest
from gan_jax.views import asked, compare, serve
from gan_jax.views.inspect import class_name, load_data
from gan_jax.views.page import Page, Picture
from gan_jax.views.trained import Trained, check_seed

_ALL = 2000  # real and generated examples in plots of distributions
_BYTES = 2**28  # of memory for them at most
_GRID, _COLUMNS = 64, 8
_ROWS, _POINTS = 8, 10  # of paths, of bounds and of classes
_CLASSES = 20
_QUERIES, _NEAR = 8, 5
_YARDSTICK = 100  # real images for reference distances
_SEARCHED = 10_000  # examples of which an extractor makes features
_PART = 2**22  # bytes of the data that are compared at a time
# Truncation bounds, as the share of z's entries that they keep.
_KEPT = (0.9, 0.7, 0.5, 0.3, 0.1)
# Random streams of the kinds of pictures.
_FAKES, _STARTS, _ENDS, _SWEEP, _CLASS = range(5)


class _Run(Trained):
  """A checkpoint of a run and its data."""

  def __init__(self, folder, step, seed, extractor):
    super().__init__(folder, step=step)
    try:
      check_seed(seed)
    except RequestError as e:
      raise RequestError(f'--{e}') from e
    self.source, self.seed = load_data(self.config['data']), seed
    if self.source.fingerprint != self.info.fingerprint:
      raise WorkdirError(
          f'{folder} was trained on other examples than those that its config '
          'names now; restore the data, or train further with '
          '--allow_changed_data')
    try:
      self.extractor = extractor and lookup.build(
          'gan_jax.extractors', extractor, source=self.source)
    except ValueError as e:
      raise RequestError(f'--extractor: {e}') from e

  def drawn(self, stream: int, count: int, truncation=None) -> np.ndarray:
    """Latents of the seed of this page."""
    return self.latents(count, seed=self.seed, stream=stream,
                        truncation=truncation)

  def in_turn(self, count: int) -> np.ndarray:
    """Labels that show the variety: classes in turn; vectors as in the data."""
    return self.labels(count, asked.TURN if (
        self.conditional and self.info.classes) else None)

  def sheet(self, file: str, z, labels, names) -> Picture:
    """Contact sheet of latents [N, Z], a row for each name."""
    images = self.images(z, labels)
    rows = images.reshape(len(names), -1, *images.shape[1:])
    return Picture(file, pictures.contact_sheet(list(rows), names,
                                                columns=rows.shape[1]))


def report(folder: str, *, step: int = 0, extractor: Mapping | None = None,
           seed: int = 0, out: str = '') -> str:
  """Writes the report of a checkpoint to WORKDIR/report/.

  It has pictures, and index.html with these, curves, sample grids over time,
  scores, findings and config. Returns what was written.

  Args:
    folder: the run folder.
    step: of the checkpoint, 0 for the newest.
    extractor: dict(name=...) of `gan_jax.extractors`, None for the fixed random
      network.
    seed: of the latents and the choice of real examples.
    out: another folder for the page.

  Raises:
    WorkdirError, CheckpointError, ConfigError, DataError, RequestError: with a
      fix.
  """
  run = _Run(folder, step, seed, extractor)
  page = _page([folder], out)
  page.write(list(_draw(run)), run.step)
  return f'step {run.step} in {os.path.join(page.out, "index.html")}'


def overlay(folders: Sequence[str], *, out: str = '') -> str:
  """Writes a page that overlays several runs; returns what was written.

  Args:
    folders: the run folders.
    out: folder of the page; by default `report` beside them.

  Raises:
    WorkdirError, RequestError: with a fix.
  """
  page = _page(folders, out)
  page.write()
  return (f'{len(page.records)} runs in '
          + os.path.join(page.out, 'index.html'))


def follow(folders: Sequence[str], *, out: str = '', port: int = 0) -> str:
  """Serves the page, updated as the runs continue, until Ctrl-C.

  Draws no pictures, as training may need the whole device.

  Args:
    folders: one run folder, or several to overlay.
    out: folder of the page; by default `report` in the folder or beside them.
    port: on 127.0.0.1; 0 for a free one.

  Raises:
    WorkdirError, RequestError: with a fix.
  """
  page = _page(folders, out)
  with serve.serving(page, port) as url:
    print(f'{url}  (Ctrl-C stops the server, not the run)',
          flush=True)
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
      signal.signal(signal.SIGINT, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
      while True:
        time.sleep(1)
  return f'the last state is in {os.path.join(page.out, "index.html")}'


def runs(patterns: Sequence[str]) -> list[str]:
  """Run folders that match patterns such as 'runs/sweep/*'.

  Raises:
    WorkdirError: there is none.
  """
  found = [folder for folder in compare.find(patterns)
           if os.path.exists(os.path.join(folder, 'config.json'))]
  if not found:
    raise WorkdirError(f'no run in {", ".join(patterns)}: give the folders of '
                       "runs, for example 'runs/sweep/*'")
  return found


def _page(folders, out):
  if out and not os.path.exists(os.path.join(out, 'data.js')) and (
      os.path.exists(os.path.join(out, 'index.html'))):
    raise RequestError(f'--out={out}: has an index.html of another program; '
                       'give another folder')
  beside = folders[0] if len(folders) == 1 else os.path.commonpath([
      os.path.dirname(os.path.abspath(folder)) for folder in folders])
  return Page(folders, out or os.path.join(beside, 'report'))


def _draw(run: _Run) -> Iterator[Picture]:
  source = run.source
  each = max(1, source.images.nbytes // len(source.images))
  count = min(len(source.images), _ALL, max(_GRID, _BYTES // each))
  rows = Batches(len(source.images), count, run.seed)(0, 1)[0]
  real = np.asarray(source.images[rows])
  # The labels of the real images.
  fake = run.images(run.drawn(_FAKES, count), source.labels[rows])
  if real.ndim == 2:
    yield Picture(
        'real_and_fake.png', pictures.scatter(fake, real=real),
        f'{count:,} generated examples over as many of {source.name}, by their '
        'first two coordinates.')
    return
  same = ('; an image has the class of the one in its place on the other side'
          if run.conditional else '')
  for file, images in (('real.png', real), ('generated.png', fake)):
    rows = [images[i:i + _COLUMNS] for i in range(0, min(_GRID, count),
                                                  _COLUMNS)]
    yield Picture(file, pictures.contact_sheet(
        rows, [''] * len(rows), columns=_COLUMNS),
                  f'Drawn at random, none chosen{same}.')
  yield from _nearest(run, real, fake[:_QUERIES])
  yield _interpolations(run)
  if run.config['latent']['name'] != 'infogan':  # It would erase the codes.
    yield _truncation(run)
  if run.conditional and run.info.classes:
    known, z = run.info.classes[:_CLASSES], run.drawn(_CLASS, _POINTS)
    yield run.sheet('classes.png', np.tile(z, (len(known), 1)),
                    np.repeat(known, _POINTS),
                    [class_name(run.info, c) for c in known])
  extractor = run.extractor or random()
  yield Picture(
      'features.png', pictures.plane(*(extractor.extract(images)[0]
                                       for images in (real, fake))),
      f'Features by the extractor {extractor.name!r} of {count:,} real and as '
      'many generated images.')
  if real[0, ..., 0].size > 1:  # One pixel has no frequencies.
    frequency, power = power_spectrum(real)
    yield Picture('spectrum.png', pictures.spectrum(
        frequency, power, power_spectrum(fake)[1]))


def _nearest(run, real, queries) -> Iterator[Picture]:
  """Nearest training images: by pixels (all), by features (a sample)."""
  source, total = run.source, len(run.source.images)
  ways = [('nearest.png', 'root mean square differences of grey levels',
           lambda images: np.asarray(images).reshape(len(images), -1),
           np.arange(total), np.sqrt(queries[0].size))]
  if network := run.extractor:
    # The first of the same permutation as `real`, which is among them.
    rows = Batches(total, min(total, _SEARCHED), run.seed)(0, 1)[0]
    ways.append(('nearest_features.png',
                 f'distances by features of {network.name!r}',
                 lambda images: network.extract(images)[0], np.sort(rows), 1.0))
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
    sheet = [np.stack([image, np.full_like(image, 255), *source.images[near]])
             for image, near in zip(queries, index, strict=True)]
    names = [f'{near[0]:.3g} to {near[-1]:.3g}'
             for near in distance[:len(queries), :_NEAR]]
    yield Picture(
        file, pictures.contact_sheet(sheet, names, columns=len(sheet[0])),
        'Generated images, and right of the gap the nearest of '
        f'{len(rows):,} training images. On the left are the {meaning} of the '
        f'first and the last; a real image is at {usual:.3g} from the nearest '
        'other one (median).')


def _interpolations(run):
  paths = np.asarray(sampling.interpolate(
      run.drawn(_STARTS, _ROWS), run.drawn(_ENDS, _ROWS), _POINTS))
  labels = run.in_turn(_ROWS)
  named = run.conditional and run.info.classes
  return run.sheet(
      'interpolations.png', paths.reshape(-1, paths.shape[-1]),
      np.repeat(labels, _POINTS, axis=0), [
          class_name(run.info, c) if named else '' for c in labels])


def _truncation(run):
  sizes = np.abs(run.drawn(_FAKES, 1000))
  # Smaller bounds than 0.05 are refused.
  bounds = sorted({max(0.05, round(float(b), 2)) for b in
                   np.quantile(sizes, _KEPT)}, reverse=True)
  z = [run.drawn(_SWEEP, _POINTS),
       *(run.drawn(_SWEEP, _POINTS, bound) for bound in bounds)]
  return run.sheet(
      'truncation.png', np.concatenate(z),
      np.concatenate([run.in_turn(_POINTS)] * len(z)),
      ['all', *(f'|z|<{bound:g}' for bound in bounds)])
