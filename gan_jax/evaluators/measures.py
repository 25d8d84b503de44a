"""Metrics of the evaluator `scores`, with intervals.

A measure is a function (real, fake, seed, interval) -> [Score] of two
`scores.Features`. Extractor and numbers are added to names and protocol by the
caller. A slow interval is computed only if `interval` is true. Intervals are of
95 %, for the sampling error of generated examples beside the same real ones.
ValueError: the score cannot be computed.
"""

import math

import numpy as np
from threadpoolctl import threadpool_limits

from gan_jax.evaluators.score import NOT_FINITE, Score
from gan_jax.metrics import classes, frechet, images, kernel, neighbours
from gan_jax.metrics.arrays import permutation, with_repetition
from gan_jax.metrics.intervals import student

# Keeps the draws of a bootstrap apart from others made from the same seed.
_STREAM = 197912
_RESAMPLES = 200
_GROUPS = 10  # of a jackknife, and splits of an Inception Score
_T = student(_GROUPS - 1)
_FEATURES = 512  # more would take minutes to resample a Frechet distance
_PAIRS = 1000
_NONE = (None, None)
_BOOTSTRAP = f'bootstrap, {_RESAMPLES} resamples, centred'


def _score(name, value, ends=_NONE, protocol=None, found=None):
  return Score(name, value, low=ends[0], high=ends[1], protocol=protocol or {},
               found=found or {})


def _around(value, error, quantile):
  return value - quantile * error, value + quantile * error


def _fd(real, fake, seed, interval):
  distance, ends = frechet.distance_to(real.features), _NONE
  few = real.features.shape[1] <= _FEATURES
  if interval and few:
    ends = bootstrap(distance, fake.features, seed=seed, resamples=_RESAMPLES)
  return [_score('fd', distance(fake.features), ends, {
      'ddof': 1, 'interval': _BOOTSTRAP if few else
      f'none: more than {_FEATURES} features'})]


def _fd_infinity(real, fake, seed, interval):
  # The paper: 5,000 of 50,000.
  smallest = min(5000, len(fake.features) // 2)
  value, slope = frechet.frechet_infinity(real.features, fake.features,
                                          seed=seed, smallest=smallest)
  return [_score('fd_infinity', value, _NONE, {'ddof': 1, 'smallest': smallest},
                 {'slope': slope})]


def _kernel_interval(real, fake, value, interval):
  ends = _NONE
  if interval:
    ends = _around(value, jackknife(lambda some: kernel.full_kernel_distance(
        real.features, some), fake.features), _T)
  return ends, {'kernel': '(x.y/d + 1)^3',
                'interval': f'jackknife, {_GROUPS} groups'}


def _kd(real, fake, seed, interval):
  mean, std = kernel.kernel_distance(real.features, fake.features, seed=seed)
  ends, how = _kernel_interval(real, fake, mean, interval)
  return [_score('kd', mean, ends, how | {'subsets': 100, 'size': 1000},
                 {'subset_std': std})]


def _kd_full(real, fake, seed, interval):
  """Of all pairs instead of subsets: for fewer than 1,000 examples too."""
  value = kernel.full_kernel_distance(real.features, fake.features)
  return [_score('kd_full', value,
                 *_kernel_interval(real, fake, value, interval))]


def _prdc(real, fake, seed, interval):
  groups = _groups(len(fake.features))
  kept = np.stack([groups != i for i in range(-1, _GROUPS * interval)])
  return [_score(name, float(value), _prdc_interval(
      name, float(value), without, len(fake.features), len(real.features)),
                 {'k': 5})
          for name, (value, *without) in neighbours.manifolds(
              real.features, fake.features, kept).items()]


def _prdc_interval(name, value, without, fakes, reals):
  if name == 'precision':  # Of each fake by itself.
    return wilson(value, fakes)
  if not without or not math.isfinite(value):
    return _NONE
  low, high = _around(value, _error(without), _T)
  if name == 'density':
    return max(0.0, low), high
  # One fake decides on many reals: Wilson's interval of those held the truth 64
  # to 94 times of 100. But where no group matters, a jackknife is a point.
  ends = wilson(value, reals)
  return max(0.0, min(low, ends[0])), min(1.0, max(high, ends[1]))


def _authenticity(real, fake, seed, interval):
  value = neighbours.authenticity(real.features, fake.features)
  return [_score('authenticity', value, wilson(value, len(fake.features)))]


def _inception_score(real, fake, seed, interval):
  mean, std = classes.inception_score(fake.logits, seed=seed,
                                     splits=_GROUPS)
  # std has N in its denominator.
  error = std / math.sqrt(_GROUPS - 1)
  return [_score('is', mean, _around(mean, error, _T),
                 {'splits': _GROUPS, 'ddof': 0,
                  'interval': 'of the mean of the splits'},
                 {'split_std': std})]


def _classes(real, fake, seed, interval):
  def count(labels):
    return np.bincount(labels, minlength=real.logits.shape[1])

  labels = _labels(fake)
  reference, counts = count(real.logits.argmax(1)), count(labels)
  how = {'interval': _BOOTSTRAP}
  found = [_score('classes', float((counts > 0).sum()), found={
      'counts': counts.tolist(), 'real': reference.tolist()})]

  def divergence(labels):
    return classes.spread(count(labels), reference)[1]

  try:
    value, ends = divergence(labels), _NONE
  except ValueError as e:  # Infinite; the number of classes is valid.
    return [*found, Score('class_kl', reason=str(e), protocol=how)]
  if interval:
    ends = bootstrap(divergence, labels, seed=seed, resamples=_RESAMPLES)
  return [*found, _score('class_kl', value, ends, how)]


def _labels(fake):
  if not np.isfinite(fake.logits).all():
    raise ValueError(NOT_FINITE)
  return fake.logits.argmax(1)


def _class_accuracy(real, fake, seed, interval):
  value = float(np.mean(_labels(fake) == fake.labels))
  return [_score('class_accuracy', value, wilson(value, len(fake.labels)))]


def _ms_ssim(real, fake, seed, interval):
  mean, error = images.ms_ssim_diversity(fake.images, pairs=_PAIRS, seed=seed)
  return [_score('ms_ssim', mean, _around(mean, error, 1.96),
                 {'pairs': _PAIRS, 'images': len(fake.images),
                  'scales': images.scales(*fake.images.shape[1:3])})]


MEASURES = {
    'fd': _fd, 'fd_infinity': _fd_infinity, 'kd': _kd, 'kd_full': _kd_full,
    'prdc': _prdc, 'authenticity': _authenticity,
    'inception_score': _inception_score, 'classes': _classes,
    'class_accuracy': _class_accuracy, 'ms_ssim': _ms_ssim,
}
# Names of the scores of a measure, if not its own.
NAMES = {'prdc': ('precision', 'recall', 'density', 'coverage'),
         'inception_score': ('is',), 'classes': ('classes', 'class_kl')}
# Optional fields of `Features` that a measure needs.
NEEDS = {'inception_score': ('logits',), 'classes': ('logits',),
         'class_accuracy': ('logits', 'labels')}
# Use ALL training examples, and held-out ones for the floor.
WHOLE = ('authenticity',)


# Threads that share small matrices wait for each other, and beside other
# programs do little else: 200 Frechet distances of 192 features took 15 s on
# two busy cores, with one thread 0.7 s.
_one_thread = threadpool_limits.wrap(limits=1, user_api='blas')


@_one_thread
def bootstrap(score, fake, *, seed: int, resamples: int):
  """Percentile interval (low, high) of score(fake), 0 or more; NaN of NaN.

  Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 13.
  Resamples draw M of the M fakes with replacement. The bias of a score for
  finite M, such as the Frechet distance, is doubled in a resample, so the mean
  of the resamples is shifted onto the score. 1000 resamples are usual for the
  ends, 200 for the width.
  """
  total, value = len(fake), score(fake)
  found = np.array([
      score(fake[with_repetition(total, total, seed, _STREAM, i)])
      for i in range(resamples)])
  if not np.isfinite([value, *found]).all():
    return math.nan, math.nan
  # The levels as floats differ from 0.025 and 0.975 in the last bit.
  ends = np.quantile(found, [(1 - 0.95) / 2, (1 + 0.95) / 2])
  return tuple(np.maximum(ends - (found.mean() - value), 0.0).tolist())


@_one_thread
def jackknife(score, fake) -> float:
  """Standard error of score(fake), leaving out a tenth of the fakes each time.

  For scores of pairs, which a bootstrap's copies would bias.
  """
  groups = _groups(len(fake))
  return _error([score(fake[groups != group]) for group in range(_GROUPS)])


def _groups(total):
  # At random: of ten classes that come in turn, each would be a group.
  return permutation(total, _STREAM) % _GROUPS


def _error(without) -> float:
  """Of a score, by its values without each group."""
  return math.sqrt((_GROUPS - 1) * float(np.var(without)))


def wilson(share: float, count: int):
  """Wilson's interval (1927, JASA 22) of a share; (None, None) of NaN."""
  if not math.isfinite(share):
    return None, None
  z2 = 1.96 ** 2
  middle = (share + z2 / (2 * count)) / (1 + z2 / count)
  half = 1.96 / (1 + z2 / count) * math.sqrt(
      share * (1 - share) / count + z2 / (4 * count ** 2))
  # Rounding must not leave a share of 0 or 1 outside.
  return (min(max(middle - half, 0.0), share),
          max(min(middle + half, 1.0), share))
