"""Evaluators of modes, likelihood and classification."""

import functools
from typing import Any

import jax
import numpy as np

from gan_jax import extractors
from gan_jax.data import load as data
from gan_jax.data import values
from gan_jax.data.prepare import make_source
from gan_jax.evaluators.measures import wilson
from gan_jax.evaluators.score import (
  Score,
  as_bytes,
  check_counts,
  order,
  short,
  source_as_bytes,
  unseen,
)
from gan_jax.extractors import cnn
from gan_jax.metrics.arrays import finite, with_repetition
from gan_jax.metrics.classes import spread
from gan_jax.metrics.intervals import student
from gan_jax.metrics.neighbours import blocks, centre_of, squared_distances

_CHUNK = 2000  # images at a time
# Standard deviations of Parzen windows: the paper's grid.
SIGMAS = tuple(np.logspace(-1.0, 0.0, 10).tolist())
# Keeps the draw of real points apart from others.
_STREAM = 170507761
_ROWS = 256  # images beside all samples: 20 MB for 10,000


def mode_coverage(*, num_samples: int = 2500, source: Any):
  """Modes captured of `ring` or `grid`, good samples, reverse KL, overlap.

  Srivastava et al. 2017 (VEEGAN), https://arxiv.org/abs/1705.07761, sec. 5.1;
  the third number of Lin et al. 2018 (PacGAN), arXiv:1712.04086. See
  `modes_captured`. The floors are those of real points drawn with repetition:
  in the data the modes are equally frequent, in samples they are not.

  Args:
    num_samples: points; 2,500 in the literature.
    source: a data set whose report holds its 'centres' and 'std'.

  Raises:
    ValueError: a data set without known modes, no samples.
  """
  if 'centres' not in source.report:
    raise ValueError(f'{source.name} has no known modes; the data sets ring '
                     'and grid have')
  check_counts(num_samples=num_samples)
  centres, std = source.report['centres'], float(source.report['std'])
  names = [f'{name}_{short(num_samples)}'
           for name in ('modes', 'high_quality', 'divergence', 'overlap')]

  def evaluate(sample):
    found = modes_captured(sample(0, num_samples)[0], centres, std)
    total = len(source.images)
    floors = ((None,) * 4 if num_samples > total else modes_captured(
        source.images[with_repetition(total, num_samples, _STREAM)], centres,
        std))
    how = {'num_fake': num_samples, 'data': source.name, 'std': std,
           'data_fingerprint': source.fingerprint}
    return [Score(name, value, floor=floor, protocol=how | {
        'metric': name.rpartition('_')[0]},
        reason='' if value is not None else 'no sample is near a mode')
            for name, value, floor in zip(names, found, floors, strict=True)]

  evaluate.names = names
  return evaluate


def modes_captured(points, centres, std: float):
  """Modes of points [N, D] by the nearest of K centres [K, D], as PacGAN does.

  A sample within 3 std of the nearest centre is of high quality; one captures a
  mode. Of the mixture itself 98.889 % are (in 2-D, 1 - exp(-9 / 2)).

  Returns:
    (modes captured, 0..K; share of high quality; the reverse KL, of the high
    quality samples over the modes to uniform, in nats, 0..log K, None without
    any; the overlap). Of N samples of the mixture itself the KL is about
    (K - 1) / 2 N. The overlap falls with lost modes and with bad samples: the
    sum over the modes of min(share of high quality samples there, 1 / K), which
    is 1 - the total variation to K equal modes without bad samples.
  """
  points, centres = np.asarray(points, np.float64), np.asarray(centres)
  distance = np.linalg.norm(points[:, None] - centres[None], axis=-1)
  near = distance.min(axis=1) <= 3 * std  # False for NaN.
  counts = np.bincount(distance.argmin(axis=1)[near], minlength=len(centres))
  if not near.any():
    return 0.0, 0.0, None, 0.0
  modes, divergence, _ = spread(counts, np.ones(len(centres)))
  overlap = np.minimum(counts / len(points), 1 / len(centres)).sum()
  return float(modes), float(near.mean()), divergence, float(overlap)


def stacked_coverage(*, num_samples: int = 26000, digits: str = 'mnist10k',
                     bare: bool = False, source: Any):
  """Modes of stacked digits, 1,000 triples, as a classifier sees them.

  Metz et al. 2017, https://arxiv.org/abs/1611.02163; Srivastava et al. 2017.
  The floors are those of real triples. See `stacked_modes`.

  Args:
    num_samples: images; 26,000 in the literature.
    digits: data set of single digits that the classifier is trained on, in the
      size of `source`.
    bare: without floors, which take half of the time.
    source: of images [H, W, 3].

  Raises:
    ValueError: images of another number of channels.
  """
  if tuple(source.images.shape[3:]) != (3,):
    raise ValueError(f'{source.name}: images {list(source.images.shape[1:])}, '
                     'not three digits in the channels; use '
                     'data=stacked_mnist')
  check_counts(num_samples=num_samples)

  @functools.cache
  def network():
    return extractors.classifier(source=data.load(
        {'name': digits, 'resize': source.images.shape[1:3]}))

  def count(read):
    """Scores of the images of read(start, stop), a digit in each channel."""
    labels = [[network().extract(np.ascontiguousarray(images[..., [c]])
                                 )[1].argmax(1) for c in range(3)]
              for images in (np.asarray(read(a, min(a + _CHUNK, num_samples)))
                             for a in range(0, num_samples, _CHUNK))]
    return stacked_modes(np.concatenate(labels, axis=1).T)

  @functools.cache
  def floors():
    return ({} if bare or num_samples > len(source.images) else
            count(lambda a, b: source.images[a:b]))

  def evaluate(sample):
    how = {'num_fake': num_samples, 'data': source.name,
           'data_fingerprint': source.fingerprint,
           'extractor_sha256': network().sha256,
           'extractor_accuracy': network().notes.get('accuracy')}
    return [Score(f'{name}_{short(num_samples)}', float(value),
                  floor=floors().get(name), protocol=how | {'metric': name})
            for name, value in count(lambda a, b: sample(a, b)[0]).items()]

  evaluate.names = [f'{name}_{short(num_samples)}' for name in (
      'hit', 'hit_five', 'divergence', 'effective')]
  return evaluate


def stacked_modes(labels, *, classes: int = 10) -> dict[str, float]:
  """Modes of stacked digits: one class in each channel, all combinations.

  A mode that is hit need not have been generated: 10 modes through a classifier
  of 99 % accuracy per channel count as 236, so look at `hit_five` and
  `effective`, and at real images. The divergence does not reach 0: of 26,000
  uniform samples it is 0.0194 +- 0.0009, (K ** C - 1) / 2 N for K classes and
  labels [N, C].

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


def parzen(*, num_samples: int = 10000, num_test: int = 1000,
           num_validation: int = 1000, source: Any, seed: int):
  """Parzen-window log-likelihood of real examples, to compare with old papers.

  Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661, sec. 5: the density
  of a test image under a Gaussian of std sigma around each of M samples,

    log p(x) = logsumexp_j(-|x - s_j|^2 / 2 sigma^2) - log M
               - D log(sigma sqrt(2 pi)),

  with the best sigma for validation images. It ranks models badly (Theis et al.
  2016, https://arxiv.org/abs/1511.01844) and depends on the scale of the
  pixels, [0, 1] as theirs. They have M = 10,000. Test and validation examples
  are held-out ones if there are any.

  Args:
    num_samples: generated examples.
    num_test: real examples whose likelihood it is.
    num_validation: others, for the width of the window.
    source: a `data.prepare.Source`.
    seed: of the draw of real examples.

  Returns:
    evaluate(sample) -> [parzen]; its interval is Student's over the real
    examples, its floor that of as many training examples in place of the
    generated ones.

  Raises:
    ValueError: fewer real examples than requested, or a count below 1.
  """
  check_counts(num_samples=num_samples, num_test=num_test,
               num_validation=num_validation)
  real, side = unseen(source)
  needed = num_test + num_validation
  if needed > len(real.images):
    raise ValueError(f'num_test={num_test}: with num_validation='
                     f'{num_validation} it takes {needed} examples, and '
                     f'{source.name} has {len(real.images)} in {side!r}')
  rows = order(len(real.images), seed)

  def score(samples):
    return mean_likelihood(real.images[rows[:num_test]],
                           real.images[rows[num_test:needed]], samples)

  @functools.cache
  def floor():
    rest = (rows[needed:] if side == 'train' else
            order(len(source.images), seed))[:num_samples]
    return None if len(rest) < num_samples else score(source.images[rest])[0]

  name = f'parzen_{short(num_samples)}_{side}'

  def evaluate(sample):
    mean, error, sigma = score(sample(0, num_samples)[0])
    # The error has N in its denominator. One example has no interval.
    half = num_test > 1 and error * student(num_test - 1) * np.sqrt(
        num_test / (num_test - 1))
    return [Score(
        name, mean, floor=floor(), low=mean - half if half else None,
        high=mean + half if half else None,
        found={'sigma': sigma}, protocol={
            'metric': 'parzen', 'num_fake': num_samples, 'num_test': num_test,
            'num_validation': num_validation, 'reference': side,
            'data': source.name, 'seed': seed,
            'data_fingerprint': real.fingerprint})]

  evaluate.names = [name]
  return evaluate


def mean_likelihood(test, validation, samples) -> tuple[float, float, float]:
  """Mean log-likelihood of test images, its standard error, and sigma.

  Of [N, ...] under samples [M, ...], with the best sigma for validation images
  [V, ...], all as a data set stores them: see `values.unit`. The error is std
  (ddof=0) / sqrt(N), as in the paper's program. NaN for non-finite pixels.
  """
  test, validation, samples = (values.unit(x).reshape(len(x), -1)
                               for x in (test, validation, samples))
  if not finite(test, validation, samples):
    return (float('nan'),) * 3
  tried = log_likelihoods(validation, samples, SIGMAS).mean(0)
  sigma = SIGMAS[tried.argmax()]
  found = log_likelihoods(test, samples, (sigma,))[:, 0]
  return float(found.mean()), float(found.std() / np.sqrt(len(found))), sigma


def log_likelihoods(images, samples, sigmas) -> np.ndarray:
  """Log-density of each image for each sigma: [N, S] of [N, D] and [M, D]."""
  sigmas = np.asarray(sigmas, np.float64)
  with jax.enable_x64(True):
    centre = centre_of(samples)
    found = [np.asarray(_log_sums(x, samples, centre, sigmas))
             for x, _ in blocks(images, _ROWS)]
  return (np.concatenate(found) - np.log(len(samples))
          - images.shape[1] * np.log(sigmas * np.sqrt(2 * np.pi)))


@jax.jit
def _log_sums(x, samples, centre, sigmas):
  squares, _ = squared_distances(x, samples, centre)
  # One sigma at a time: [S, N, M] would be large.
  return jax.lax.map(
      lambda s: jax.nn.logsumexp(-0.5 * squares / s**2, axis=1), sigmas).T


def classification_accuracy(*, num_samples: int = 10000, source: Any):
  """Accuracy on real images of a classifier trained on generated ones.

  Ravuri & Vinyals 2019, https://arxiv.org/abs/1905.10887. The network is the
  extractor `classifier`, trained anew for each score: minutes. It is tested on
  the held-out images if there are any, else on the training images.

  Args:
    num_samples: generated images.
    source: a data set with labels.

  Returns:
    evaluate(sample) -> [classification_accuracy], without a floor; the protocol
    has the 'real_accuracy' of the network trained on nine tenths of the real
    images, on the last tenth.

  Raises:
    ValueError: data that no classifier can learn, see `cnn.unsuited`.
  """
  if why := cnn.unsuited(source):
    raise ValueError(why)
  check_counts(cnn.FEWEST, num_samples=num_samples)
  source = source_as_bytes(source)
  real, side = unseen(source)
  name = f'classification_accuracy_{short(num_samples)}_{side}'
  how = {'metric': 'classification_accuracy', 'num_fake': num_samples,
         'num_real': len(real.images), 'reference': side, 'data': source.name,
         'data_fingerprint': real.fingerprint}

  @functools.cache
  def real_accuracy():
    return extractors.classifier(source=source).notes['accuracy']

  def evaluate(sample):
    images, labels = sample(0, num_samples)
    if labels is None:
      return [Score(name, reason='the generator has no classes', protocol=how)]
    network = cnn.trained(make_source(
        np.asarray(as_bytes(images)[:]), labels, source.num_classes,
        name='generated'))
    labels = network.extract(real.images)[1].argmax(1)
    return [Score(name, float(np.mean(labels == real.labels)),
                  protocol=how | {'real_accuracy': real_accuracy()},
                  found={'trained_sha256': network.sha256})]

  evaluate.names = [name]
  return evaluate


def classification_error(*, source: Any):
  """Share of held-out examples whose class the discriminator mistakes.

  By the class logits of the term `semi_supervised`, `acgan`, `tac_gan`,
  `adc_gan` or `multi_hinge`: the test error of Salimans et al. 2016,
  https://arxiv.org/abs/1606.03498, section 6.

  Args:
    source: a data set with labels, of which some examples are held out.

  Returns:
    evaluate(sample, classify) -> [classification_error], in [0, 1], without a
    floor; its interval, Wilson's of 95 %, is for the draw of the held-out
    examples, not over seeds or choices of labels.

  Raises:
    ValueError: no labels, or nothing held out.
  """
  if source.num_classes < 2:
    raise ValueError(f'{source.name} has no classes to tell; use data with '
                     'labels')
  if source.held_out is None:
    raise ValueError('the error on examples that were learnt says little; use '
                     'data.holdout=0.2')
  test = source.held_out
  name = f'classification_error_{short(len(test.labels))}_held_out'
  how = {'metric': 'classification_error', 'num_real': len(test.labels),
         'reference': 'held_out', 'data': source.name,
         'data_fingerprint': test.fingerprint, 'interval': "Wilson's"}

  def evaluate(sample, classify):
    del sample
    if classify is None:
      return [Score(name, protocol=how, reason='no term has the discriminator '
                    'tell classes; use penalty=semi_supervised')]
    logits = classify(test.images)
    if not np.isfinite(logits).all():
      return [Score(name, float('nan'), protocol=how)]
    wrong = int(np.sum(logits.argmax(1) != test.labels))
    share = wrong / len(test.labels)
    low, high = wilson(share, len(test.labels))
    return [Score(name, share, low=low, high=high, protocol=how,
                  found={'wrong': wrong})]

  evaluate.names = [name]
  return evaluate
