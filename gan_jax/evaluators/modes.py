"""The evaluators `mode_coverage` and `stacked_coverage`.

Srivastava et al. 2017 (VEEGAN), https://arxiv.org/abs/1705.07761, section 4.1;
Metz et al. 2017, https://arxiv.org/abs/1611.02163.
"""

import functools
from typing import Any

import numpy as np

from gan_jax import extractors
from gan_jax.data import load as data
from gan_jax.evaluators.score import Score, short
from gan_jax.metrics.classes import spread

_CHUNK = 2000  # images at a time


def mode_coverage(*, num_samples: int = 2500, source: Any):
  """Modes captured of `ring` or `grid`, and the share of good samples.

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
  std = float(source.report['std'])

  def captured(points):
    return modes_captured(points, source.report['centres'], std)

  def evaluate(sample):
    found = captured(sample(0, num_samples)[0])
    floors = (None, None)
    if num_samples <= len(source.images):
      floors = captured(source.images[:num_samples])
    how = {'num_fake': num_samples, 'data': source.name, 'std': std,
           'data_fingerprint': source.fingerprint}
    return [Score(f'{name}_{short(num_samples)}', float(value), floor=floor,
                  protocol=how | {'metric': name})
            for name, value, floor in zip(('modes', 'high_quality'), found,
                                          floors, strict=True)]

  return evaluate


def modes_captured(points, centres, std: float) -> tuple[int, float]:
  """How many Gaussians have a sample, and how many samples are near one.

  A sample is of high quality within 3 std of the nearest centre; a mode is
  captured by one such sample. Of the mixture itself 98.889 % are (in 2-D,
  1 - exp(-9 / 2)).

  Args:
    points: [N, D].
    centres: [K, D].
    std: of each Gaussian, along each axis.

  Returns:
    (modes captured, 0..K; share of high quality, 0..1). Points that are not
    finite are of low quality.
  """
  points, centres = np.asarray(points, np.float64), np.asarray(centres)
  distance = np.linalg.norm(points[:, None] - centres[None], axis=-1)
  near = distance.min(axis=1) <= 3 * std  # False for NaN.
  found = np.unique(distance.argmin(axis=1)[near])
  return len(found), float(near.mean())


def stacked_coverage(*, num_samples: int = 26000, digits: str = 'mnist10k',
                     source: Any):
  """Modes of stacked digits, 1,000 triples, as a classifier sees them.

  The floors are those of real triples. See `stacked_modes` for what to look at.

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

  def count(read):
    """Scores of the images of read(start, stop), a digit in each channel."""
    labels = [[network().extract(np.ascontiguousarray(images[..., [c]])
                                 )[1].argmax(1) for c in range(3)]
              for images in (np.asarray(read(a, min(a + _CHUNK, num_samples)))
                             for a in range(0, num_samples, _CHUNK))]
    return stacked_modes(np.concatenate(labels, axis=1).T)

  @functools.cache
  def floors():
    if num_samples > len(source.images):
      return {}
    return count(lambda a, b: source.images[a:b])

  def evaluate(sample):
    how = {'num_fake': num_samples, 'data': source.name,
           'data_fingerprint': source.fingerprint,
           'extractor_sha256': network().sha256,
           'extractor_accuracy': network().notes.get('accuracy')}
    return [Score(f'{name}_{short(num_samples)}', float(value),
                  floor=floors().get(name), protocol=how | {'metric': name})
            for name, value in count(lambda a, b: sample(a, b)[0]).items()]

  return evaluate


def stacked_modes(labels, *, classes: int = 10) -> dict[str, float]:
  """Modes of stacked digits: one class in each channel, all combinations.

  Two traps. A mode that is hit need not have been generated: 10 modes through a
  classifier of 99 % accuracy per channel count as 236, so look at `hit_five`
  and `effective`, and at the same scores of real images. And the divergence
  does not reach 0: of 26,000 uniform samples it is 0.0194 +- 0.0009,
  (K ** C - 1) / 2 N.

  Args:
    labels: predicted class of each channel, integers [N, C] in 0 .. K - 1.
    classes: K.

  Returns:
    {'hit': modes with an example, 'hit_five': with 5 or more, 'divergence':
    KL(examples || uniform) in nats, 'effective': exp(entropy), 1 .. K ** C}.
  """
  labels = np.asarray(labels)
  modes = classes ** labels.shape[1]
  powers = classes ** np.arange(labels.shape[1])
  counts = np.bincount(labels @ powers, minlength=modes)
  hit, divergence, effective = spread(counts, np.ones(modes))
  return {'hit': hit, 'hit_five': int((counts >= 5).sum()),
          'divergence': divergence, 'effective': effective}
