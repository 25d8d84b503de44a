"""What `scores` can measure: real beside generated examples, with intervals.

An interval is of 95 % and for the generated examples being a sample; where a
number is a mean over real ones (recall, coverage) for those. It is of a
bootstrap or, for shares, Wilson's (1927), which a bootstrap would approach.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gan_jax.evaluators.examples import Examples
from gan_jax.metrics import classes, diversity, kernel, manifold
from gan_jax.metrics.bootstrap import bootstrap, bootstrap_frechet
from gan_jax.metrics.frechet import frechet_distance
from gan_jax.metrics.frechet_infinity import frechet_infinity
from gan_jax.metrics.inception_score import inception_score

_RESAMPLES = 200
_FEATURES = 512  # more would take minutes to resample a Frechet distance
_GROUPS = 10  # of the jackknife
_PAIRS = 1000
_KERNEL = {'kernel': '(x.y/d + 1)^3',
           'interval': f'jackknife, {_GROUPS} groups'}
_NONE = (None, None)
_NOT_FINITE = 'not finite: features or samples are not'


class Measured(NamedTuple):
  """A number, its interval, and what it depends on beside the examples.

  found: what was measured beside it.
  reason: why the value is NaN.
  """

  name: str
  value: float
  low: float | None
  high: float | None
  protocol: dict
  found: dict = {}
  reason: str = ''


class Measure(NamedTuple):
  """fn: (real, fake, seed, interval) -> [Measured], on what it needs.

  needs: fields of `Examples` that may be None.
  whole: asks for ALL examples that the generator was trained on as `real`, and
    for held-out ones as the floor.
  """

  fn: Callable
  needs: tuple[str, ...] = ()
  whole: bool = False

  def __call__(self, real: Examples, fake: Examples, seed: int, *,
               interval: bool = True) -> list[Measured]:
    """The numbers; an interval that takes time only if it is asked for.

    Raises:
      ValueError: examples that it cannot be computed of.
    """
    return self.fn(real, fake, seed, interval)


def _fd(real, fake, seed, interval):
  value = frechet_distance(real.features, fake.features)
  if not interval:
    return [Measured('fd', value, *_NONE, {})]
  how = {'ddof': 1, 'interval': f'bootstrap, {_RESAMPLES} resamples, centred'}
  if real.features.shape[1] > _FEATURES:
    return [Measured('fd', value, *_NONE, how | {
        'interval': f'none: more than {_FEATURES} features'})]
  found = bootstrap_frechet(real.features, fake.features, seed=seed,
                            resamples=_RESAMPLES)
  # Its bias, that of half as many examples, is taken off.
  return [Measured('fd', value, max(found.low - found.bias, 0.0),
                   found.high - found.bias, how)]


def _fd_infinity(real, fake, seed, interval):
  del interval
  # 5,000 in the paper, of 50,000.
  smallest = min(5000, len(fake.features) // 2)
  line = frechet_infinity(real.features, fake.features, seed=seed,
                          smallest=smallest)
  return [Measured('fd_infinity', line.value, *_NONE,
                   {'ddof': 1, 'smallest': smallest}, {'slope': line.slope})]


def _kd(real, fake, seed, interval):
  found = kernel.kernel_distance(real.features, fake.features, seed=seed)
  if not interval:
    return [Measured('kd', found.mean, *_NONE, {})]
  error = 1.96 * _jackknife(kernel.full_kernel_distance, real.features,
                            fake.features)
  return [Measured('kd', found.mean, found.mean - error, found.mean + error,
                   _KERNEL | {'subsets': 100, 'size': 1000},
                   {'subset_std': found.std})]


def _kd_full(real, fake, seed, interval):
  """Of all pairs instead of subsets: for fewer than 1,000 examples too."""
  del seed
  value = kernel.full_kernel_distance(real.features, fake.features)
  if not interval:
    return [Measured('kd_full', value, *_NONE, {})]
  error = 1.96 * _jackknife(kernel.full_kernel_distance, real.features,
                            fake.features)
  return [Measured('kd_full', value, value - error, value + error, _KERNEL)]


def _prdc(real, fake, seed, interval):
  del seed, interval
  found = manifold.manifold(real.features, fake.features)
  counts = {'precision': len(fake.features), 'recall': len(real.features),
            'coverage': len(real.features)}
  return [Measured(name, value, *(_wilson(value, counts[name])
                                  if name in counts else _NONE), {'k': 5})
          for name, value in found._asdict().items()]


def _authenticity(real, fake, seed, interval):
  del seed, interval
  value = manifold.authenticity(real.features, fake.features)
  return [Measured('authenticity', value,
                   *_wilson(value, len(fake.features)), {})]


def _inception_score(real, fake, seed, interval):
  del real, interval
  found = inception_score(fake.logits, seed=seed)
  error = 1.96 * found.std / math.sqrt(10)
  return [Measured('is', found.mean, found.mean - error, found.mean + error,
                   {'splits': 10, 'ddof': 0,
                    'interval': 'of the mean of the splits'},
                   {'split_std': found.std})]


def _classes(real, fake, seed, interval):
  known = real.logits.shape[1]
  counts = [classes.histogram(e.logits.argmax(1), known) for e in (real, fake)]
  if not np.isfinite(fake.logits).all():
    raise ValueError(_NOT_FINITE)
  hit = float((counts[1] > 0).sum())
  how = {'interval': f'bootstrap, {_RESAMPLES} resamples, centred'}
  found = [Measured('classes', hit, *_NONE, {}, {
      'counts': counts[1].tolist(), 'real': counts[0].tolist()})]
  try:
    value = classes.spread(counts[1], counts[0]).divergence
  except ValueError as e:  # Infinite; how many classes there are is known.
    return [*found, Measured('class_kl', math.nan, *_NONE, how, {}, str(e))]

  def divergence(real, fake):
    del real
    return classes.spread(classes.histogram(fake[:, 0].astype(int), known),
                          counts[0]).divergence

  ends = _NONE
  if interval:
    labels = fake.logits.argmax(1)[:, None]
    spread = bootstrap(divergence, labels, labels, seed=seed,
                       resamples=_RESAMPLES)
    ends = max(spread.low - spread.bias, 0.0), spread.high - spread.bias
  return [*found, Measured('class_kl', value, *ends, how)]


def _class_accuracy(real, fake, seed, interval):
  """Share of examples that the classifier takes for the class asked for."""
  del real, seed, interval
  if not np.isfinite(fake.logits).all():
    raise ValueError(_NOT_FINITE)
  value = float(np.mean(fake.logits.argmax(1) == fake.labels))
  return [Measured('class_accuracy', value, *_wilson(value, len(fake.labels)),
                   {})]


def _ms_ssim(real, fake, seed, interval):
  del real, interval
  found = diversity.ms_ssim_diversity(fake.images, pairs=_PAIRS, seed=seed)
  error = 1.96 * found.std / math.sqrt(_PAIRS)
  return [Measured('ms_ssim', found.mean, found.mean - error,
                   found.mean + error,
                   {'pairs': _PAIRS, 'images': len(fake.images),
                    'scales': found.scales})]


def _jackknife(score, real, fake):
  """Standard error of score(real, fake), a group of the fakes left out each."""
  parts = np.arange(len(fake)) % _GROUPS
  without = [score(real, fake[parts != group]) for group in range(_GROUPS)]
  return math.sqrt((_GROUPS - 1) * float(np.var(without)))


def _wilson(share, count):
  """95 % interval of a share of `count` examples."""
  if not math.isfinite(share):
    return _NONE
  z2 = 1.96 ** 2
  middle = (share + z2 / (2 * count)) / (1 + z2 / count)
  half = 1.96 / (1 + z2 / count) * math.sqrt(
      share * (1 - share) / count + z2 / (4 * count ** 2))
  return max(middle - half, 0.0), min(middle + half, 1.0)


MEASURES = {
    'fd': Measure(_fd),
    'fd_infinity': Measure(_fd_infinity),
    'kd': Measure(_kd),
    'kd_full': Measure(_kd_full),
    'prdc': Measure(_prdc),
    'authenticity': Measure(_authenticity, whole=True),
    'inception_score': Measure(_inception_score, ('logits',)),
    'classes': Measure(_classes, ('logits',)),
    'class_accuracy': Measure(_class_accuracy, ('logits', 'labels')),
    'ms_ssim': Measure(_ms_ssim),
}
