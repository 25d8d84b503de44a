"""What a search is: its space, checked, and the config of each point."""

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gan_jax.base import lookup
from gan_jax.base.errors import ConfigError, Problem
from gan_jax.config import fields, overrides, population
from gan_jax.config.keys import KEYS
from gan_jax.run.changes import RESUMABLE
from gan_jax.studies.search.space import Space, arguments


class Plan(NamedTuple):
  """What all workers of a search agree on.

  given: --config=... and its overrides, without the population.
  space: of the trials.
  config: of the first point of the space, plain.
  score: by which trials are compared.
  train_steps: of the first point.
  scores: all that the evaluators name.
  """

  given: list[str]
  space: Space
  config: dict
  score: str
  train_steps: int
  scores: tuple[str, ...] = ()

  def record(self) -> dict:
    """As JSON: what may not change while a study goes on, with users' code."""
    aside = set(RESUMABLE) - {'train_steps', 'eval_every', 'evaluators'}
    texts = [v for v in fields.flat(self.config).values() if isinstance(
        v, str)] + [v for axis in self.space.axes.values() for v in axis.values]
    return json.loads(json.dumps({
        'code': lookup.sources(texts),
        'space': {key: axis._asdict() for key, axis in self.space.axes.items()},
        'seeds': self.space.seeds, 'score': self.score,
        'config': {k: v for k, v in self.config.items() if k not in aside}}))


def make(given: Sequence[str], space: Space, *, whole: bool = True) -> Plan:
  """Checks the first point of a space or, axis by axis, the `whole` of it.

  Other values of an axis are tried with the first ones of all others; what
  does not go together is found when its trial begins. `given`: --config=... and
  its overrides. `whole`: False for a space that has been checked.

  Raises:
    ConfigError: of a point, with all problems.
    DataError: as `population.load`.
  """
  first = {key: axis.ends[0] for key, axis in space.axes.items()}
  try:
    plan = _point(given, space, first, '')
  except ConfigError as e:
    raise ConfigError([
        _as_given(p, p.path, first[p.path]) if p.path in first else p
        for p in e.problems]) from e
  problems = []
  for key, axis in space.axes.items():
    for text in axis.ends[1:] if whole else ():
      try:
        _point(given, space, first | {key: text}, plan.score)
      except ConfigError as e:
        problems += [_as_given(p, key, text) for p in e.problems]
  if problems:
    raise ConfigError(problems)
  return plan


def _as_given(problem, key, text) -> Problem:
  """A problem of a point, at the value of the axis that brings it."""
  said = problem.rule if problem.path == key else (
      f'{"config." * bool(problem.path)}{problem}')
  return Problem('', None, f'{key}={text}: {said}')


def config_of(given: Sequence[str], texts: Mapping[str, str]) -> dict:
  """The config of a point, plain, as of a run of its own.

  Raises:
    ConfigError: it cannot be read.
  """
  name, *settings = arguments(given, texts)
  config, _, problems = overrides.read(name.partition('=')[2], settings)
  if problems:
    for text in map('='.join, texts.items()):  # as given, without the flag
      problems = [p.replace(f'--config.{text}', text) for p in problems]
    raise ConfigError([Problem('', None, problem) for problem in problems])
  config = fields.plain(config) | {'population': 1}
  if unknown := [key for key in config if key not in KEYS]:
    raise ConfigError([Problem(key, config[key], 'no such key' + lookup.near(
        key, KEYS)) for key in unknown])
  return config


def _point(given, space, texts, known) -> Plan:
  config = config_of(given, texts)
  one = population.load(config).alone(
      'a trial is one run: give key=a,b without --config')
  names = [name for evaluate in one.evaluators
           for name in getattr(evaluate, 'names', None) or ()]
  score = config['best_metric'] or [*names, ''][0]
  problem = None
  if not config['evaluators']:
    problem = Problem('evaluators', (), 'nothing to compare trials by: append '
                      ':evaluator=scores to the name of the config')
  elif not one.eval_every:
    problem = Problem('eval_every', config['eval_every'], 'no trial is scored: '
                      "'100%' scores it at its end, '10%' ten times")
  elif not score:
    problem = Problem('best_metric', '', 'give the score to compare trials by: '
                      'the evaluators name none')
  elif known and score != known:
    problem = Problem('best_metric', score, f'others are scored by {known}: '
                      'trials compare by one score alone')
  if problem:
    raise ConfigError([problem])
  return Plan(list(given), space, config, score, one.train_steps, tuple(names))
