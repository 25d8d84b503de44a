"""`Score`: a number with its evaluation settings."""

import collections
import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from gan_jax.metrics.arrays import permutation
from gan_jax.pictures import to_uint8

# Keeps the draw of real examples apart from others made from a run's seed.
_STREAM = 170608500
NOT_FINITE = 'not finite: features or samples are not'


def scores_of(made) -> list['Score']:
  """What an evaluator returned, as a list.

  Raises:
    ValueError: something else than scores, or a value that is no number.
  """
  # Of a Score alone, which is a tuple, these are its fields.
  scores = [*made] if isinstance(made, Iterable) else [made]
  if not all(isinstance(score, Score) for score in scores):
    raise ValueError('an evaluator must return a list of gan_jax.evaluators.'
                     f'score.Score(name, value), not {type(made).__name__}')
  for score in scores:
    for number in (score.value, score.floor, score.low, score.high):
      if number is not None and np.ndim(number):
        raise ValueError(f'score {score.name!r}: a number is needed, not an '
                         f'array {list(np.shape(number))}')
  return scores


class Score(NamedTuple):
  """One number, or the reason why there is none.

  name: metric, extractor, number of samples and reference, so that two scores
    of one name compare: 'fd_classifier_2k_train'.
  value: None if it cannot be computed.
  reason: why there is no value.
  floor: the same score of as many real images instead of generated ones, one
    draw: about what a perfect generator has.
  low, high: a 95 % interval for the sampling error of the generated examples,
    or of real ones whose mean it is; not over training seeds.
  protocol: all evaluation settings: scores compare only if these are identical.
  found: further results, such as standard deviations and counts.
  """

  name: str
  value: float | None = None
  reason: str = ''
  floor: float | None = None
  low: float | None = None
  high: float | None = None
  protocol: dict = {}
  found: dict = {}

  def checked(self) -> 'Score':
    """The same as plain JSON: None, and a reason, for non-finite numbers."""
    value, floor, low, high = (
        None if number is None or not math.isfinite(number) else float(number)
        for number in (self.value, self.floor, self.low, self.high))
    reason = self.reason
    if value is None:
      low = high = None
      reason = reason or (NOT_FINITE if self.value is not None else '')
    return Score(self.name, value, reason, floor, low, high,
                 _plain(self.protocol), _plain(self.found))

  def scalars(self) -> dict[str, float | None]:
    """{name: value, name_floor: floor}, for curves; a floor only if any."""
    found = {self.name: self.value}
    return found if self.floor is None else found | {
        f'{self.name}_floor': self.floor}


class AsBytes:
  """Float images [N, H, W, C] in [-1, 1] as uint8, row by row as they are read.

  Networks that look at images take bytes: real and generated ones are rounded
  alike.
  """

  def __init__(self, images):
    self.images, self.dtype = images, np.dtype(np.uint8)
    self.shape = tuple(images.shape)
    self.nbytes = math.prod(self.shape)

  def __len__(self):
    return self.shape[0]

  def __getitem__(self, index):
    return to_uint8(self.images[index])


def as_bytes(images):
  """Float images as `AsBytes`; other examples as they are."""
  floats = len(images.shape) == 4 and images.dtype != np.uint8
  return AsBytes(images) if floats else images


def unseen(source):
  """(examples, 'held_out'), or (those of the training, 'train') without any."""
  return ((source, 'train') if source.held_out is None
          else (source.held_out, 'held_out'))


def source_as_bytes(source):
  """A `data.prepare.Source`, its held-out part too, by `as_bytes`."""
  return source and source._replace(images=as_bytes(source.images),
                                    held_out=source_as_bytes(source.held_out))


def table(rows) -> str:
  """Formats (step, Score)s, each reason for no value or no floor once."""
  line = '{:>8}  {:40} {:>10} {:>21} {:>10}'.format
  lines = [line('step', 'score', 'value', '95 % interval', 'floor')]
  reasons = collections.Counter((s.name, s.reason) for _, s in rows
                                if s.value is None)
  for step, s in rows:
    if s.value is None:
      if count := reasons.pop((s.name, s.reason), 0):
        more = f' (and at {count - 1} more)' * (count > 1)
        lines.append(f'{step:8}  {s.name:40} {"null":>10}  {s.reason}{more}')
      continue
    interval = '' if s.low is None else f'{s.low:.4g} .. {s.high:.4g}'
    floor = '' if s.floor is None else f'{s.floor:.4g}'
    lines.append(line(step, s.name, f'{s.value:.4g}', interval, floor))
  whys = {s.protocol.get('floor', '') for _, s in rows
          if s.value is not None and s.floor is None}
  lines += [f'{"":8}  no floor: {why}' for why in sorted(whys - {''})]
  return '\n'.join(lines)


def _plain(value):
  """As JSON: None for non-finite numbers, text for unknown types."""
  if isinstance(value, Mapping):
    return {str(key): _plain(part) for key, part in value.items()}
  if isinstance(value, np.ndarray | np.generic):
    value = value.tolist()
  if isinstance(value, list | tuple):
    return [_plain(part) for part in value]
  if isinstance(value, float) and not math.isfinite(value):
    return None
  return value if isinstance(value, str | int | float | None) else str(value)


def check_counts(least: int = 1, **counts: int) -> None:
  """ValueError for arguments of an evaluator that are below `least`."""
  for name, count in counts.items():
    if count < least:
      raise ValueError(f'{name}={count}: must be {least} or more')


def short(count: int) -> str:
  """2000 -> '2k', 1500 -> '1500'."""
  return str(count) if count % 1000 else f'{count // 1000}k'


def order(total: int, seed: int) -> np.ndarray:
  """A seeded permutation of real examples; the first are the reference."""
  return permutation(total, seed, _STREAM)
