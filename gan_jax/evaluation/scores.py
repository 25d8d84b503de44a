"""The evaluator `scores`: distances of generated from real examples."""

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np

from gan_jax import lookup
from gan_jax.evaluation import examples, measures
from gan_jax.evaluation.score import Score, order, short

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
    evaluate(sample) -> [Score]: see `gan_jax.evaluation`.

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

  @functools.cache
  def prepared():
    network = lookup.build(_ROOM, spec, source=source)
    rows = order(total, seed)
    read = functools.partial(examples.gather_cached, network, real)
    other = None
    if num_real + num_samples <= total:
      other = read(rows[num_real:num_real + num_samples])
    return network, read(rows[:num_real]), other

  @functools.cache
  def trained_on():
    """All training examples, and as many held-out ones as are scored."""
    read = functools.partial(examples.gather_cached, prepared()[0])
    kept = source.held_out
    return read(source, np.arange(len(source.images))), (
        read(kept, order(len(kept.images), seed)[:num_samples])
        if kept is not None and len(kept.images) >= num_samples else None)

  def evaluate(sample):
    network, first, other = prepared()
    fake = examples.gather(network, sample, num_samples)
    expected = first.images.shape[1:], first.images.dtype
    if (fake.images.shape[1:], fake.images.dtype) != expected:
      raise ValueError(f'samples {fake.images.dtype} '
                       f'{list(fake.images.shape[1:])} beside real examples '
                       f'{expected[1]} {list(expected[0])}')
    protocol = {
        'extractor': network.name, 'extractor_sha256': network.sha256,
        **{f'extractor_{k}': v for k, v in network.notes.items()},
        'num_real': num_real, 'num_fake': num_samples, 'reference': reference,
        'data': source.name, 'data_fingerprint': real.fingerprint,
        'seed': seed}
    found = []
    for metric in metrics:
      sides, how = (first, other), protocol
      if measures.MEASURES[metric].whole:
        sides = trained_on()
        how = how | {'reference': 'train', 'num_real': len(source.images),
                     'data_fingerprint': source.fingerprint}
      found += _score(metric, sides[0], fake, sides[1], how, seed)
    return found

  return evaluate


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
    floor = {} if other is None else {
        m.name: m.value for m in measure(real, other, seed, interval=False)}
  except ValueError as e:
    return [Score(f'{metric}_{tail}', reason=str(e), protocol=protocol)]
  if other is None:
    protocol['floor'] = 'too few real examples for a second draw'
  return [Score(f'{m.name}_{tail}', m.value, '', floor.get(m.name), m.low,
                m.high, protocol | m.protocol).checked() for m in found]


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
