"""The evaluator `scores`: distances of generated from real examples."""

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np

from gan_jax.base import lookup
from gan_jax.evaluators import measures
from gan_jax.evaluators.examples import features_of, features_of_data
from gan_jax.evaluators.score import Score, order, short

_AUTO = {'name': 'auto'}
_DEFAULT = ('fd', 'kd', 'prdc', 'classes', 'class_accuracy')
_ROOM = 'gan_jax.extractors'


def scores(*, extractor: Mapping = _AUTO, metrics: tuple = _DEFAULT,
           num_samples: int = 2000, num_real: int = 0,
           reference: str = 'train', source: Any, seed: int):
  """Distances between real and generated examples, each with its floor.

  The floor is the same number for real examples in place of the generated
  ones, as many, none of them in the reference: read a score as a multiple of
  its floor. Scores compare for one number of samples, one extractor and one
  reference only, so all three are in their names, and the number of real
  examples where it is another. 'authenticity' looks at all training examples;
  its floor is of held-out ones.

  Args:
    extractor: dict(name=...) of `gan_jax.extractors`; 'auto' is classifier for
      data with labels, random without, points for vectors.
    metrics: of `measures.MEASURES`; those that need classes or labels are left
      out where there are none.
    num_samples: generated examples.
    num_real: real examples, 0 for as many.
    reference: 'train' or 'held_out': which real examples. A generator that
      repeats its training examples reaches the floor of 'train'.
    source: a `data.prepare.Source`.
    seed: of the draws.

  Returns:
    evaluate(sample) -> [Score]: see `gan_jax.evaluators`.

  Raises:
    ValueError: an unknown metric or extractor, too few examples.
  """
  spec = dict(extractor)
  if spec.get('name') == 'auto':
    spec['name'] = _suiting(source)
  if problems := lookup.check(_ROOM, spec, 'extractor', ('source',)):
    raise ValueError('; '.join(map(str, problems)))
  metrics = _checked(metrics)
  real = _side(source, reference)
  total = len(real.images)
  num_real = num_real or num_samples
  if min(num_samples, num_real) < 2 or num_real > total:
    raise ValueError(
        f'num_samples={num_samples}, num_real={num_real}: {source.name} has '
        f'{total} examples in {reference!r}; give 2 to {total}')

  return _Scores(spec, metrics, num_samples, num_real, reference, source, real,
                 seed)


class _Scores:
  """The evaluator. What it needs of the data is made by the first call."""

  def __init__(self, spec, metrics, num_samples, num_real, reference, source,
               real, seed):
    self.spec, self.metrics, self.seed = spec, metrics, seed
    self.num_samples, self.num_real = num_samples, num_real
    self.reference, self.source, self.real = reference, source, real

  def __call__(self, sample) -> list[Score]:
    """The scores of what `sample(start, stop)` gives."""
    fake = features_of(self.network, sample, self.num_samples)
    real = self.two_draws[0].images
    if (fake.images.shape[1:], fake.images.dtype) != (
        real.shape[1:], real.dtype):
      raise ValueError(f'samples {fake.images.dtype} '
                       f'{list(fake.images.shape[1:])} beside real examples '
                       f'{real.dtype} {list(real.shape[1:])}')
    found = []
    for metric in self.metrics:
      sides, how = self.two_draws, self.protocol
      if measures.MEASURES[metric].whole:
        sides = self.trained_on
        how = how | {'reference': 'train', 'num_real': len(self.source.images),
                     'data_fingerprint': self.source.fingerprint}
      if metric == 'class_accuracy' and fake.logits is not None and (
          fake.logits.shape[1] != self.source.num_classes):
        continue  # The extractor speaks of other classes, as Inception does.
      found += _score(metric, sides[0], fake, sides[1], how, self.seed)
    return found

  @functools.cached_property
  def network(self):
    """The extractor."""
    return lookup.build(_ROOM, self.spec, source=self.source)

  @functools.cached_property
  def two_draws(self):
    """The reference, and as many others as are scored, or None."""
    total, count = len(self.real.images), self.num_real + self.num_samples
    rows = order(total, self.seed)
    return self._read(self.real, rows[:self.num_real]), (
        self._read(self.real, rows[self.num_real:count])
        if count <= total else None)

  @functools.cached_property
  def trained_on(self):
    """All training examples, and as many held-out ones as are scored."""
    kept, count = self.source.held_out, self.num_samples
    return self._read(self.source, np.arange(len(self.source.images))), (
        self._read(kept, order(len(kept.images), self.seed)[:count])
        if kept is not None and len(kept.images) >= count else None)

  @property
  def protocol(self):
    """What all scores have in common."""
    return {
        'extractor': self.network.name,
        'extractor_sha256': self.network.sha256,
        **{f'extractor_{k}': v for k, v in self.network.notes.items()},
        'num_real': self.num_real, 'num_fake': self.num_samples,
        'reference': self.reference, 'data': self.source.name,
        'data_fingerprint': self.real.fingerprint, 'seed': self.seed}

  def _read(self, source, rows):
    return features_of_data(self.network, source, rows)


def _score(metric, real, fake, other, protocol, seed) -> list[Score]:
  """The scores of one metric, or one without a value and with the reason."""
  measure = measures.MEASURES[metric]
  tail = (f'{protocol["extractor"]}_{short(protocol["num_fake"])}_'
          f'{protocol["reference"]}')
  if protocol['num_real'] != protocol['num_fake'] and not measure.whole:
    tail += f'_r{short(protocol["num_real"])}'
  protocol = protocol | {'metric': metric}
  if any(getattr(side, need) is None for need in measure.needs
         for side in (real, fake)):
    return []
  try:
    found = measure(real, fake, seed)
  except ValueError as e:
    return [Score(f'{metric}_{tail}', reason=str(e), protocol=protocol)]
  floor = {}
  try:
    if other is not None:
      floor = {m.name: m.value for m in measure(real, other, seed,
                                                interval=False)}
    else:
      protocol['floor'] = (
          'too few examples are held out' if measure.whole else
          'too few real examples for a second draw')
  except ValueError as e:  # The score itself is none the worse for it.
    protocol['floor'] = f'none: {e}'
  return [Score(f'{m.name}_{tail}', m.value, m.reason, floor.get(m.name),
                m.low, m.high, protocol | m.protocol, m.found).checked()
          for m in found]


def _suiting(source) -> str:
  if len(source.images.shape) != 4:
    return 'points'
  known = source.num_classes > 1 and source.labels.min() >= 0
  return 'classifier' if known else 'random'


def _checked(metrics):
  metrics = (metrics,) if isinstance(metrics, str) else tuple(metrics)
  for name in metrics:
    if name not in measures.MEASURES:
      raise ValueError(f'metrics: no such metric {name!r}'
                       f'{lookup.near(name, measures.MEASURES)}')
  return metrics


def _side(source, reference):
  if reference == 'train':
    return source
  if reference != 'held_out':
    raise ValueError(f"reference={reference!r} is neither 'train' nor "
                     "'held_out'")
  if source.held_out is None:
    raise ValueError("reference='held_out': nothing is held out; use "
                     "data.holdout=0.1, or reference='train'")
  return source.held_out
