"""The language of a search space, which is that of experiments/sweep.sh.

  key=a,b,c             one of these values of any key of a config
  :loss=a,b             what stands behind the colon of --config
  key=1..5              a number of a range, whole between whole numbers
  key=1e-5..1e-3:log    log-uniform; real numbers have six digits
  seed=0,1,2            every trial with each of these seeds, never drawn

Its help is that script's; here a range needs no --random.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gan_jax.base.errors import RequestError

_KEY = re.compile(r':?[A-Za-z_][\]A-Za-z0-9_.[]*=')
_NUMBER = r'(-?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)'
_RANGE = re.compile(rf'{_NUMBER}\.\.{_NUMBER}(:log)?')


class Axis(NamedTuple):
  """One key and its values: a choice of texts, or a range of numbers.

  key: as in the config, ':loss' for what stands behind the colon.
  values: texts, as they stand behind --config.KEY=; () of a range.
  low, high: both ends of a range belong to it.
  log: whether the logarithm is uniform.
  whole: whether its numbers are whole.
  """

  key: str
  values: tuple[str, ...] = ()
  low: float = 0.0
  high: float = 0.0
  log: bool = False
  whole: bool = False

  @property
  def ends(self) -> tuple[str, ...]:
    """All texts of a choice, both ends of a range."""
    return self.values or (self.text(self.low), self.text(self.high))

  def text(self, value) -> str:
    """A value as it stands behind --config.KEY=."""
    if self.values:
      return value
    return f'{value:d}' if self.whole else f'{value:.6g}'

  def suggest(self, trial) -> None:
    """Has optuna draw the value of a trial, unless it has one already."""
    if self.values:
      trial.suggest_categorical(self.key, self.values)
    else:
      draw = trial.suggest_int if self.whole else trial.suggest_float
      draw(self.key, self.low, self.high, log=self.log)


class Space(NamedTuple):
  """Axes by key, and the seeds of every trial, () for that of the config."""

  axes: dict[str, Axis]
  seeds: tuple[int, ...]

  def texts(self, params: Mapping) -> dict[str, str]:
    """{key: text} of a point, in the order of the axes.

    Of a trial that another worker is just drawing, the keys that it has so far.
    """
    return {key: axis.text(params[key]) for key, axis in self.axes.items()
            if key in params}


def parse(arguments: Sequence[str]) -> Space:
  """Reads a space from the arguments of a command line.

  Raises:
    RequestError: with all mistakes.
  """
  axes, seeds, problems = {}, (), []
  for argument in arguments:
    key, _, values = argument.partition('=')
    try:
      if not _KEY.match(argument):
        raise ValueError('is neither --flag=value nor key=values')
      if key in axes or key == 'seed' and seeds:
        raise ValueError(f'{key} is given twice')
      if key == 'population':
        raise ValueError('give --config.population=N, the runs that train at '
                         'once')
      if key == 'seed':
        seeds = _seeds(values)
      else:
        axes[key] = _axis(key, values)
    except ValueError as e:
      problems.append(f'{argument}: {e}')
  if not axes and not problems:
    problems.append('nothing to search: give key=values, for example '
                    'gen_optimizer.learning_rate=1e-5..1e-3:log')
  if problems:
    raise RequestError('\n'.join(problems))
  return Space(axes, seeds)


def arguments(given: Sequence[str], texts: Mapping[str, str]) -> list[str]:
  """The flags of a point {key: value}: --config=... with what is behind it.

  And overrides; those of `given` are of all points.
  """
  config, *overrides = given
  for key, value in texts.items():
    if key.startswith(':'):
      config += f'{"," if ":" in config else ":"}{key[1:]}={value}'
    else:
      overrides.append(f'--config.{key}={value}')
  return [config, *overrides]


def _seeds(text):
  values = split(text)
  if not all(value.isdigit() for value in values):
    raise ValueError('must be a list of whole numbers, as seed=0,1,2: every '
                     'trial is played with each of them')
  if max(map(int, values)) >= 2**32:
    raise ValueError('must be below 2**32')
  if len(set(values)) < len(values):
    raise ValueError('has a seed twice')
  return tuple(map(int, values))


def _axis(key, text) -> Axis:
  if found := _RANGE.fullmatch(text):
    whole = all(re.fullmatch(r'-?[0-9]+', end) for end in found.groups()[:2])
    low, high = map(int if whole else float, found.groups()[:2])
    if high <= low or found[3] and low <= 0:
      raise ValueError('the range is empty, or its log begins below 0 or at it')
    return Axis(key, (), low, high, bool(found[3]), whole)
  if re.search(r'[0-9]\.\.[-.0-9]', text):
    raise ValueError('no range: give two numbers, as 1..5 or 0.1..5:log')
  return Axis(key, tuple(dict.fromkeys(split(text))))


def split(text: str) -> list[str]:
  """'a,(1,2),b' -> ['a', '(1,2)', 'b']: at the commas outside of brackets.

  Raises:
    ValueError: brackets that do not match.
  """
  words, depth = [''], 0
  for character in text:
    depth += (character in '([{') - (character in ')]}')
    if character == ',' and not depth:
      words.append('')
    else:
      words[-1] += character
  if depth:
    raise ValueError('brackets do not match')
  return words
