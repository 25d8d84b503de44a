"""Trials of a search that one worker plays: populations, scores, pruning.

Every trial is a run folder beside the journal, WORKDIR/trial_0007 or, of
several seeds, WORKDIR/trial_0007-seed=1. Trials that differ in numbers alone,
with all their seeds, train together as a population.
"""

import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from gan_jax.base.errors import (
  ConfigError,
  NonFiniteError,
  StoppedError,
  first_line,
)
from gan_jax.base.files import read_rows, short_hash
from gan_jax.config import fields, population
from gan_jax.config.keys import SWITCHES
from gan_jax.metrics import low_is_better
from gan_jax.run import files, populations
from gan_jax.run.status import NONFINITE
from gan_jax.studies.search.plan import Plan, config_of
from gan_jax.studies.search.pruning import Curve, doomed
from gan_jax.studies.trials import quiet

_LOG = logging.getLogger(__name__)


def folders_of(folder: str, number: int, seeds: Sequence[int]) -> list[str]:
  """Run folders of a trial, one for each seed."""
  name = os.path.join(folder, f'trial_{number:04d}')
  return [f'{name}-seed={seed}' for seed in seeds] or [name]


def curves_of(study, plan: Plan) -> dict[int, Curve]:
  """`Curve`s of the trials of a study, failed ones aside."""
  sign = 1 if low_is_better(plan.score) else -1
  return {t.number: Curve(
      {step: sign * v for step, v in t.intermediate_values.items()
       if np.isfinite(v)}, t.user_attrs.get('program'),
      t.state.name == 'PRUNED')
      for t in study.get_trials(deepcopy=False) if t.state.name != 'FAIL'}


class Batch:
  """Trials that this worker has claimed."""

  def __init__(self, study: Any, plan: Plan, folder: str, trials: Sequence,
               prune: bool):
    """Takes the `Trial`s of optuna, which are running."""
    self.study, self.plan, self.folder = study, plan, folder
    self.prune, self.trials = prune, {t.number: t for t in trials}
    self.told, self.steps = set(), {}

  def play(self, stop) -> int:
    """Plays all, the trials of one program together; the exit status."""
    groups = {}
    for n, trial in self.trials.items():
      texts = self.plan.space.texts(trial.params)
      try:
        config = config_of(self.plan.given, texts)
      except ConfigError as e:
        self._fail([n], e.problems[0])
        continue
      trial.set_user_attr('program', program := short_hash(
          without_numbers(config, texts))[:12])
      groups.setdefault(program, {})[n] = config
    for group in groups.values():
      if status := stop.exit_status or self._play(group, stop):
        return status
    return 0

  def _play(self, group: Mapping[int, dict], stop) -> int:
    """Plays the trials of a group, {number: config}, as a population."""
    seeds = self.plan.space.seeds
    folders = {f: n for n in group for f in folders_of(self.folder, n, seeds)}
    try:
      found = population.load(together(
          list(group.values()), self.plan.space.axes, seeds))
      self.steps |= dict.fromkeys(group, found.members[0].train_steps)
      for n in group:
        self.trials[n].set_user_attr('train_steps', self.steps[n])
        self._catch_up(n)
      _LOG.info('trials %s: %d runs of %d steps', ', '.join(map(str, group)),
                len(folders), found.members[0].train_steps)
      with quiet():
        status = populations.train(found, '', folders=list(folders), stopping=(
            lambda step, rows: self._stopping(step, rows, folders)))
      if status:
        return status
    except (NonFiniteError, StoppedError):
      pass  # The files say of which trial.
    except (ConfigError, jax.errors.JaxRuntimeError) as e:
      # As numbers that a component takes as no array, or for want of memory.
      if len(group) > 1:
        return next((status for n in group if n not in self.told and (
            status := stop.exit_status or self._play({n: group[n]}, stop))), 0)
      self._fail(group, e.problems[0] if isinstance(e, ConfigError)
                 else first_line(e))
    for n in group.keys() - self.told:
      self._tell(n)
    return 0

  def _stopping(self, step, rows, folders) -> dict[str, str]:
    """Reports scores of a step; which runs stop there, a `train.Stopping`."""
    for n in {folders[folder] for folder in rows} - self.told:
      self._catch_up(n, {
          folder: {step: row.get(f'eval/{self.plan.score}')}
          for folder, row in rows.items()})
    playing = {folders[folder] for folder in rows} - self.told
    if self.prune and playing:
      for n in doomed(curves_of(self.study, self.plan), playing, step,
                      max(self.steps[n] for n in playing)):
        self._prune(n, step)
    return {folder: f'trial {n} is stopped early' for folder, n in
            folders.items() if n in self.told and folder in rows}

  def _catch_up(self, n, rows: Mapping[str, dict] = {}) -> None:  # noqa: B006
    """Reports what the folders say, and `rows` that are still being written.

    The score of a trial at a step is the mean over its seeds.
    """
    trial = self.trials[n]
    known = self.study.get_trials(deepcopy=False)[n].intermediate_values
    curves = [scores(folder, self.plan.score) | rows.get(folder, {})
              for folder in folders_of(self.folder, n, self.plan.space.seeds)]
    for step in sorted(set.intersection(*map(set, curves)) - set(known)):
      if (value := _mean([curve[step] for curve in curves])) is not None:
        trial.report(value, step)

  def _prune(self, n, step) -> None:
    from optuna.trial import TrialState
    self.told.add(n)
    self.study.tell(n, state=TrialState.PRUNED)
    _LOG.info('trial %d is stopped at step %d of %d: at two scores in a row it '
              'was among the worst', n, step, self.steps[n])

  def _fail(self, numbers, reason) -> None:
    from optuna.trial import TrialState
    for n in numbers:
      self.told.add(n)
      self.trials[n].set_user_attr('reason', str(reason))
      self.study.tell(n, state=TrialState.FAIL)
      _LOG.warning('trial %d has failed: %s', n, reason)

  def _tell(self, n) -> None:
    """Tells the study how a trial ended, by its folders."""
    self._catch_up(n)
    homes = folders_of(self.folder, n, self.plan.space.seeds)
    values = [scores(home, self.plan.score).get(self.steps[n])
              for home in homes]
    if (value := _mean(values)) is None:
      self._fail([n], next(
          _why(home) for home, v in zip(homes, values, strict=True)
          if _mean([v]) is None))
      return
    self.told.add(n)
    self.trials[n].set_user_attr('values', values)
    self.study.tell(n, value)
    best = self.study.best_trial
    _LOG.info('trial %d: %s %.4g, the best so far: trial %d, %.4g', n,
              self.plan.score, value, best.number, best.value)


def without_numbers(config: dict, keys) -> dict:
  """A config without the numbers by which its population may differ."""
  for key in keys:
    if _is_number(config, key):
      value = fields.at(config, key)
      config = fields.put(config, key, bool(value) if key in SWITCHES else None)
  return config


def together(configs: Sequence[dict], keys, seeds: Sequence[int]) -> dict:
  """The config of a population: each config with each seed.

  The configs are of one program, see `without_numbers`, and may differ by
  `keys`. `seeds`: () for that of the configs.
  """
  one, seeds = configs[0], tuple(seeds or (configs[0]['seed'],))
  if len(configs) * len(seeds) == 1:
    return one | {'seed': seeds[0]}
  for key in keys:
    if _is_number(one, key):
      one = fields.put(one, key, tuple(
          float(fields.at(config, key)) for config in configs for _ in seeds))
  return one | {'seed': seeds * len(configs)}


def _is_number(config, key):
  value = fields.at(config, key)
  return (isinstance(value, (int, float)) and not isinstance(value, bool)
          and population.may_differ(config, key))


def scores(folder: str, name: str) -> dict[int, float | None]:
  """{step: value} of a score of a run."""
  return {row['step']: row['value'] for row in read_rows(
      os.path.join(folder, 'scores.jsonl')) if row['name'] == name}


def _mean(values) -> float | None:
  """None unless all are finite."""
  if any(v is None or not np.isfinite(v) for v in values):
    return None
  return float(np.mean(values))


def _why(folder) -> str:
  if found := files.read_json(folder, NONFINITE):
    return f'step {found["step"]} is not finite'
  return f'no score at the last step, see {folder}'

