"""The evaluator `scores`: distances of generated from real examples."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from gan_jax.base import lookup
from gan_jax.base.errors import DataError
from gan_jax.base.examples import kind_of
from gan_jax.data.files import check_file
from gan_jax.data.threads import progress
from gan_jax.evaluators.measures import MEASURES, NAMES, NEEDS, WHOLE
from gan_jax.evaluators.score import (
  Score,
  as_bytes,
  order,
  short,
  source_as_bytes,
)
from gan_jax.extractors import base, cnn

_AUTO = {'name': 'auto'}
_DEFAULT = ('fd', 'kd', 'prdc', 'classes', 'class_accuracy')
_EXTRACTORS = 'gan_jax.extractors'
_CHUNK = 1000  # images at a time; the first are kept for scores of pixels


class Features(NamedTuple):
  """Input of the measures: N real or generated examples.

  images: the first M <= 1000 examples, images as uint8 [M, H, W, C].
  labels: int32 [N], or None.
  features: float32 [N, F].
  logits: float32 [N, K] of classes, or None.
  """

  images: np.ndarray
  labels: np.ndarray | None
  features: np.ndarray
  logits: np.ndarray | None


def scores(*, extractor: Mapping = _AUTO, metrics: tuple = _DEFAULT,
           num_samples: int = 2000, num_real: int = 0,
           reference: str = 'train', bare: bool = False, source: Any,
           seed: int):
  """FID, KID, precision, recall and more, each with its floor.

  The floor is the same score of as many real examples in place of the generated
  ones, none of them in the reference: read a score as a multiple of its floor.
  Scores compare for one number of samples, one extractor and one reference
  only, so these are in their names, and the number of real examples if it
  differs. 'authenticity' uses all training examples, and held-out ones for its
  floor.

  Args:
    extractor: dict(name=...) of `gan_jax.extractors`; 'auto' is classifier for
      images whose labels one can learn (`cnn.unsuited`), random for others,
      points for vectors, projection for signals and volumes. Float images are
      rounded to uint8 for it.
    metrics: of `measures.MEASURES`; left out if they need classes or labels and
      there are none.
    num_samples: generated examples.
    num_real: real examples, 0 for as many.
    reference: real examples of 'train' or 'held_out'. A generator that repeats
      its training examples reaches the floor of 'train'.
    bare: without floors, and without the intervals of bootstraps and
      jackknives, which take most of the time.
    source: a `data.prepare.Source`.
    seed: of the draws.

  Raises:
    ValueError: an unknown metric or extractor, too few examples.
  """
  source, num_real = source_as_bytes(source), num_real or num_samples
  spec = _extractor(extractor, source)
  metrics = (metrics,) if isinstance(metrics, str) else metrics
  # ('fd,kd',) is what --config.evaluators[0].metrics=fd,kd gives.
  metrics = tuple(name for some in metrics for name in some.split(','))
  for name in metrics:
    if name not in MEASURES:
      raise ValueError(f'metrics: no such metric {name!r}'
                       f'{lookup.near(name, MEASURES)}')
  return _Scores(source, _reference(source, reference, num_samples, num_real),
                 spec, metrics, num_samples, num_real, reference, bare, seed)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class _Scores:
  """The evaluator, of the arguments of `scores`; `real` is its reference.

  The network and the features of real examples are made once, when they are
  needed.
  """

  source: Any
  real: Any
  spec: Mapping
  metrics: tuple
  num_samples: int
  num_real: int
  reference: str
  bare: bool
  seed: int

  def __call__(self, sample: Callable) -> list[Score]:
    def read(start, stop):
      images, labels = sample(start, stop)
      return as_bytes(np.asarray(images)), labels

    fake = features_of(self._network, read, self.num_samples)
    kinds = [f'{x.images.dtype} {list(x.images.shape[1:])}'
             for x in (fake, self._drawn[0])]
    if kinds[0] != kinds[1]:
      raise ValueError('samples are {}, real examples {}'.format(*kinds))
    # The extractor may have other classes, as Inception does.
    other = fake.logits is not None and (
        fake.logits.shape[1] != self.source.num_classes)
    found = []
    with progress(len(self.metrics), 'scores', 'score') as bar:
      for metric in self.metrics:
        if metric != 'class_accuracy' or not other:
          sides = self._whole if metric in WHOLE else self._drawn
          found += _scores(metric, fake, *sides, self.seed,
                           self._protocol(metric), self.bare)
        bar.update()
    return found

  @property
  def names(self) -> list[str]:
    """Of its scores, where they are known without the network."""
    if self.spec['name'] not in ('classifier', 'points', 'projection',
                                 'random'):
      return []
    lacking = {'logits'} if self.spec['name'] != 'classifier' else set()
    lacking |= set() if self.source.num_classes else {'labels'}
    # The extractor has the name of its factory.
    how = self.spec['name'], self.num_samples, self.num_real, self.reference
    return [f'{name}_{_tail(metric, *how)}' for metric in self.metrics
            if lacking.isdisjoint(NEEDS.get(metric, ()))
            for name in NAMES.get(metric, (metric,))]

  @functools.cached_property
  def _network(self):
    return lookup.build(_EXTRACTORS, self.spec, source=self.source)

  @functools.cached_property
  def _drawn(self):
    """Features of the reference, and of as many others for the floor."""
    return (self._draw(self.real, 0, self.num_real),
            None if self.bare else self._draw(self.real, self.num_real,
                                              self.num_samples))

  @functools.cached_property
  def _whole(self):
    """Features of all training examples, and of held-out ones."""
    every = np.arange(len(self.source.images))
    return (features_of_data(self._network, self.source, every),
            None if self.bare else self._draw(self.source.held_out, 0,
                                              self.num_samples))

  def _draw(self, examples, start, count):
    """Features of some shuffled examples; None if there are too few."""
    if examples is None or len(examples.images) < start + count:
      return None
    rows = order(len(examples.images), self.seed)[start:start + count]
    return features_of_data(self._network, examples, rows)

  def _protocol(self, metric):
    network, whole = self._network, metric in WHOLE
    return {'extractor': network.name, 'extractor_sha256': network.sha256,
            **{f'extractor_{k}': v for k, v in network.notes.items()},
            'num_real': len(self.source.images) if whole else self.num_real,
            'num_fake': self.num_samples,
            'reference': 'train' if whole else self.reference,
            'data': self.source.name, 'data_fingerprint': (
                self.source if whole else self.real).fingerprint,
            'seed': self.seed, 'metric': metric}


def _extractor(given, source) -> dict:
  """A valid spec of the extractor; ValueError if there is none."""
  spec = dict(given)
  if spec.get('name') == 'auto':
    spec['name'] = _suiting(source)
  if problems := lookup.check(_EXTRACTORS, spec, 'extractor', ('source',)):
    raise ValueError('; '.join(map(str, problems)))
  # Read when they are needed, which may be hours later. An own one may take
  # them from elsewhere.
  if 'weights' in spec and ':' not in spec['name']:
    try:
      check_file(spec['weights'])
    except DataError as e:
      raise ValueError(f'extractor.weights={e}') from e
  if spec['name'] == 'classifier' and (why := cnn.unsuited(source)):
    raise ValueError(f"extractor.name='classifier': {why}; or use the "
                     f"extractor '{_suiting(source)}'")
  return spec


def _reference(source, reference, num_samples, num_real):
  """The real examples; ValueError if there are too few, or none."""
  if reference not in ('train', 'held_out'):
    raise ValueError(f"reference={reference!r}: is neither 'train' nor "
                     "'held_out'")
  real = source if reference == 'train' else source.held_out
  if real is None:
    raise ValueError("reference='held_out': nothing is held out; use "
                     "data.holdout=0.1, or reference='train'")
  total = len(real.images)
  if min(num_samples, num_real) < 2 or num_real > total:
    raise ValueError(
        f'num_samples={num_samples}: {source.name} has {total} examples in '
        f'{reference!r}, and num_real={num_real} are asked for; give '
        f'num_samples of 2 to {total}')
  return real


def _tail(metric, extractor, num_fake, num_real, reference) -> str:
  if metric in WHOLE:
    num_real, reference = num_fake, 'train'
  return f'{extractor}_{short(num_fake)}_{reference}' + (
      f'_r{short(num_real)}' if num_real != num_fake else '')


def _suiting(source) -> str:
  kind = kind_of(source.images.shape[1:])
  if kind != 'images':
    return 'points' if kind == 'vectors' else 'projection'
  return 'random' if cnn.unsuited(source) else 'classifier'


def _scores(metric, fake, real, other, seed, protocol, bare) -> list[Score]:
  """The scores of one metric, or one without a value and with the reason."""
  measure, whole = MEASURES[metric], metric in WHOLE
  tail = _tail(metric, *(protocol[key] for key in (
      'extractor', 'num_fake', 'num_real', 'reference')))
  if any(getattr(side, need) is None for need in NEEDS.get(metric, ())
         for side in (real, fake)):
    return []
  try:
    found = measure(real, fake, seed, not bare)
  except ValueError as e:
    return [Score(f'{metric}_{tail}', reason=str(e), protocol=protocol)]
  floor = {}
  if other is None:
    protocol['floor'] = ('not asked for' if bare else
                         'too few examples are held out' if whole else
                         'too few real examples for a second draw')
  else:
    try:
      floor = {s.name: s.value for s in measure(real, other, seed, False)}
    except ValueError as e:  # The score itself is valid.
      protocol['floor'] = f'none: {e}'
  return [s._replace(name=f'{s.name}_{tail}', floor=floor.get(s.name),
                     protocol=protocol | s.protocol).checked() for s in found]


def features_of(extractor: Any, read: Callable, count: int) -> Features:
  """Features of the examples 0 .. count - 1, in chunks.

  `read(start, stop)` gives (images [stop - start, ...], labels or None).
  """
  found, first = [], None
  with progress(count, 'images: extract features') as bar:
    for start in range(0, count, _CHUNK):
      images, labels = read(start, min(start + _CHUNK, count))
      images = np.asarray(images[:])
      found.append((labels, *extractor.extract(images)))
      first = images if first is None else first
      bar.update(len(images))
  return Features(first, *(None if parts[0] is None else np.concatenate(parts)
                           for parts in zip(*found, strict=True)))


def features_of_data(extractor: Any, source: Any, rows) -> Features:
  """`features_of` rows of a data set, cached by data, rows and extractor."""
  path = base.cache_path('features', source.fingerprint, extractor.sha256,
                         rows.tobytes())
  images = np.asarray(source.images[rows[:_CHUNK]])
  labels = source.labels[rows] if source.num_classes else None
  if kept := base.read_cache(path):
    return Features(images, labels, kept[0]['features'], kept[0].get('logits'))
  found = features_of(extractor, lambda a, b: (source.images[rows[a:b]], None),
                      len(rows))
  base.write_cache(path, {name: x for name in ('features', 'logits')
                          if (x := getattr(found, name)) is not None}, {})
  return found._replace(labels=labels)
