"""The evaluators `mode_coverage` and `stacked_coverage`."""

import functools
from typing import Any

import numpy as np

from gan_jax import extractors
from gan_jax.data import load as data
from gan_jax.evaluators.score import Score, short
from gan_jax.metrics import coverage


def mode_coverage(*, num_samples: int = 2500, source: Any):
  """Modes captured of `ring` or `grid`.

  Args:
    num_samples: points; 2,500 in the literature.
    source: a data set whose report holds its 'centres' and 'std'.

  Returns:
    evaluate(sample) -> [modes, 0 .. number of modes; high_quality, 0 .. 1].

  Raises:
    ValueError: a data set without known modes, no samples.
  """
  if 'centres' not in source.report:
    raise ValueError(f'{source.name} has no known modes; they are known of the '
                     'data sets ring and grid')
  if num_samples < 1:
    raise ValueError(f'num_samples={num_samples}: must be 1 or more')
  centres, std = source.report['centres'], source.report['std']

  def evaluate(sample):
    captured = functools.partial(coverage.modes_captured, centres=centres,
                                 std=std)
    found = captured(sample(0, num_samples)[0])
    real = captured(np.asarray(source.images[:num_samples])) if (
        num_samples <= len(source.images)) else (None, None)
    return [Score(f'{name}_{short(num_samples)}', float(value),
                  floor=floor, protocol={
                      'metric': name, 'num_fake': num_samples,
                      'data': source.name, 'std': float(std),
                      'data_fingerprint': source.fingerprint})
            for name, value, floor in zip(('modes', 'high_quality'), found,
                                          real, strict=True)]

  return evaluate


def stacked_coverage(*, num_samples: int = 26000, digits: str = 'mnist10k',
                     source: Any):
  """Modes of stacked digits: 1,000 triples, told by a classifier of digits.

  The floors are those of real triples. A classifier errs on one digit in a
  hundred: ten true modes are counted as more than 200 with one hit or more,
  so read hit_five and effective, exp(entropy), beside it.

  Args:
    num_samples: images; 26,000 in the literature.
    digits: data set of single digits that the classifier is trained on.
    source: of images [H, W, 3].

  Raises:
    ValueError: images of another number of channels.
  """
  if tuple(source.images.shape[3:]) != (3,):
    raise ValueError(f'{source.name}: images {list(source.images.shape[1:])}, '
                     'not three digits in the channels; use '
                     'data=stacked_mnist')

  @functools.cache
  def network():
    return extractors.classifier(source=data.load({'name': digits}))

  def labels(images):
    """Of each channel, int [N, 3]."""
    return np.stack([network().extract(np.ascontiguousarray(images[..., [c]])
                                       )[1].argmax(1) for c in range(3)], 1)

  def count(read):
    found = [labels(np.asarray(read(a, min(a + 2000, num_samples))))
             for a in range(0, num_samples, 2000)]
    return coverage.stacked_modes(np.concatenate(found))._asdict()

  @functools.cache
  def real():
    if num_samples > len(source.images):
      return {}
    return count(lambda a, b: source.images[a:b])

  def evaluate(sample):
    how = {'num_fake': num_samples, 'data': source.name,
           'data_fingerprint': source.fingerprint,
           'extractor_sha256': network().sha256,
           'extractor_accuracy': network().notes.get('accuracy')}
    return [Score(f'{name}_{short(num_samples)}', float(value),
                  floor=real().get(name), protocol=how | {'metric': name})
            for name, value in count(lambda a, b: sample(a, b)[0]).items()]

  return evaluate
