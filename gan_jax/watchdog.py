"""Names what goes wrong in a game, from its logged rows alone.

Pure logic: what is found is a function of the rows in their order, so that a
run that is resumed, or looked at afterwards, finds the same.
"""

from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from gan_jax.detectors import (
    COUNTED,
    DETECTORS,
    LONG,
    TRACKED,
    WINDOW,
    View,
    scores,
)
from gan_jax.lookup import Problem, near

POLICIES = ('warn', 'stop', 'rollback')

# Of train_steps: before, all games look ill. Generators start with one grey
# for all z, and discriminators tell that from digits without an error.
WARM_UP = 0.1


class Finding(NamedTuple):
  """What holds since `step`: its name, what was seen, what to try."""

  name: str
  step: int
  text: str
  advice: str


class Watchdog:
  """Sees row after row.

  holding: {name: Finding} of what was found and has not been absent from
    WINDOW rows in a row since.
  highest: as in `View`.
  """

  def __init__(self, levels: Mapping[str, float], train_steps: int, *,
               since: int = 0, highest: Mapping[str, float] | None = None):
    """See `View` for levels and highest; since: the rows are of later steps."""
    self.since, self.holding = since, {}
    self._levels, self._steps = levels, train_steps
    self._rows, self._absent = deque(maxlen=LONG), {}
    self._scores = {}
    self.highest = dict(highest or {})

  def see(self, row: Mapping[str, Any]) -> list[Finding]:
    """What is found in a row, with 'step', that did not hold before it."""
    self._rows.append(row)
    for name, value in row.items():
      if name.startswith('eval/'):
        self._scores.pop(name, None)
        if value is not None and np.isfinite(value):
          self._scores[name] = value
    view = View(list(self._rows), self._levels, self.highest,
                row['step'] / self._steps, self._scores)
    self._remember(view)
    ready = view.progress > WARM_UP and len(self._rows) >= WINDOW
    new = []
    for name, detector in DETECTORS.items():
      said = detector(view) if ready or name == 'non-finite' else None
      if said and name not in self.holding:
        new.append(Finding(name, row['step'], *said))
        self.holding[name] = new[-1]
      self._absent[name] = 0 if said else self._absent.get(name, 0) + 1
      if self._absent[name] >= WINDOW:
        self.holding.pop(name, None)
    return new

  def _remember(self, view):
    values = dict(scores(view, *COUNTED)) | {k: view.median(k) for k in TRACKED}
    for name, value in values.items():
      self.highest[name] = np.fmax(value, self.highest.get(name, np.nan))


def check(spec: Any) -> list[Problem]:
  """All that is wrong with `config.watchdog`."""
  if not isinstance(spec, Mapping):
    return [Problem('watchdog', spec, 'must be dict(policy=, max_rollbacks=)')]
  rules = {
      'policy': (lambda v: v in POLICIES, f'must be one of {POLICIES}'),
      'max_rollbacks': (lambda v: type(v) is int and v >= 0,
                        'must be an int >= 0')}
  problems = [Problem(f'watchdog.{key}', value, 'no such key' + near(
      key, rules))
              for key, value in spec.items() if key not in rules]
  for key, (holds, rule) in rules.items():
    if key not in spec:
      problems.append(Problem(f'watchdog.{key}', 'absent', 'is missing'))
    elif not holds(spec[key]):
      problems.append(Problem(f'watchdog.{key}', spec[key], rule))
  return problems
