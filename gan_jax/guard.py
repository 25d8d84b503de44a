"""What a run does about its health: warn, stop, or go back and try again.

What the watchdog finds is logged and kept in report.md. A rollback restores
the newest checkpoint and plays on with other batches and other noise, whose
seed is a function of the config's seed and the number of the attempt; it is
entered in rollbacks.jsonl first, so that a run that is resumed plays the same.
"""

import contextlib
import json
import logging
import os

import numpy as np

from gan_jax.experiment import Experiment
from gan_jax.feed import indices
from gan_jax.watchdog import Finding, Watchdog
from gan_jax.writers import try_write_file, write_file

_LOG = logging.getLogger(__name__)
_ATTEMPT = 2**31 - 4  # keeps the seeds of attempts apart from those of epochs


class NonFiniteError(RuntimeError):
  """A loss, gradient or weight is infinite or not a number."""


class StoppedError(RuntimeError):
  """The watchdog has ended the run."""


class RollBack(Exception):
  """The run goes on from its newest checkpoint."""

  def __init__(self, finding: Finding):
    super().__init__(finding.text)
    self.finding = finding


class Guard:
  """The watchdog of one run, and what the config wants done.

  attempt: rollbacks so far, 0 in a run that has had none.
  verdict: why the run must stop, '' while it need not.
  """

  def __init__(self, experiment: Experiment, folder, levels, rows, start):
    """Goes on from what the folder says of the run before step `start`.

    Args:
      experiment: what is run.
      folder: the working directory.
      levels: of `evaluators.equilibrium`.
      rows: of scalars.jsonl, up to `start`.
      start: step of the checkpoint that the run goes on from.
    """
    self._run, self._folder, self._levels = experiment, folder, levels
    self._policy = experiment.config['watchdog']
    self._record = self._read()
    if self._forget(start):
      self._write_record()
    self.verdict, self._rows = '', []
    self._replay(rows)
    if self._held() and not self._may_go_back():
      self._stop(start)

  @property
  def attempt(self) -> int:
    """Rollbacks so far."""
    return len(self._record)

  @property
  def seed(self) -> int:
    """Of everything random from here on."""
    seed = self._run.config['seed']
    if not self.attempt:
      return seed
    return int(np.random.SeedSequence(
        seed, spawn_key=(_ATTEMPT, self.attempt)).generate_state(1)[0])

  @property
  def experiment(self) -> Experiment:
    """What is run, with the batches of this attempt."""
    if not self.attempt:
      return self._run
    return self._run._replace(batches=self._run.batches.reseeded(self.seed))

  def look(self, step: int, row) -> None:
    """Looks at a logged row.

    Raises:
      RollBack: the policy is to go back, and it may once more.
    """
    found = self._see({'step': step, **row})
    for finding in found:
      _LOG.warning('watchdog: step %d: %s. %s', step, finding.text,
                   finding.advice)
    if found:
      self.write_report()
    if self._held() and not self.verdict:
      if self._may_go_back():
        raise RollBack(self._held()[0])
      self._stop(step)

  def refuse(self, step: int, bad, newest: int) -> None:
    """Ends the run, or goes back, at scalars {name: [K]} that are not finite.

    Args:
      step: that the call ended at.
      bad: the scalars.
      newest: step of the newest checkpoint.

    Raises:
      NonFiniteError, RollBack: always one of them.
    """
    per_call = self._run.config['steps_per_call']
    first = min(int(np.flatnonzero(~np.isfinite(v))[0]) for v in bad.values())
    at = step - per_call + first
    found = sorted(k for k, v in bad.items() if not np.isfinite(v[first]))
    batch = indices(self.experiment, step - per_call)[first]
    path = self._path('nonfinite.json')
    try_write_file(path, json.dumps({
        'step': at, 'seed': self.seed, 'scalars': found,
        'batch_indices': batch.tolist()}, indent=1).encode())
    finding = Finding('non-finite', at, f'{", ".join(found)} not finite',
                      'Try, in a new --workdir, a lower learning rate, '
                      "max_grad_norm=1, a penalty, or dtype='float32'")
    self.go_back(finding)
    raise NonFiniteError(
        f'step {at}: {finding.text}. {finding.advice}. The batch is named in '
        f'{path}. The newest checkpoint is of step {newest}')

  def go_back(self, finding: Finding) -> None:
    """Goes back, if it may, from numbers that are not finite.

    Raises:
      RollBack: it may.
    """
    self._found.append(finding)
    self.write_report()
    if self._may_go_back():
      raise RollBack(finding)

  def roll_back(self, fault: RollBack, restored: int) -> None:
    """Enters a rollback to step `restored` in the record of the run."""
    finding = fault.finding
    self._forget(restored)
    self._record.append({'attempt': self.attempt + 1, 'restored': restored,
                         **finding._asdict()})
    self._write_record()
    with contextlib.suppress(FileNotFoundError):
      os.remove(self._path('nonfinite.json'))  # It is overcome.
    _LOG.warning('watchdog: step %d: %s; back to step %d, attempt %d of %d',
                 finding.step, finding.text, restored, self.attempt,
                 self._policy['max_rollbacks'])
    self._replay([row for row in self._rows if row['step'] <= restored])
    self.write_report()

  def write_report(self) -> None:
    """report.md: what was found so far."""
    last = self._rows[-1]['step'] if self._rows else 0
    try_write_file(self._path('report.md'), report(
        self._found, self._record, last).encode())

  def _held(self):
    """What holds now, and the policy is to do something about."""
    if self._policy['policy'] == 'warn':
      return []
    return list(self._watchdog.holding.values())

  def _stop(self, step):
    self.verdict = (
        f'step {step}: the watchdog stopped the run: '
        + '; '.join(f'{f.text}. {f.advice}' for f in self._held())
        + f'. See {self._path("report.md")}; '
        f'--config.watchdog.policy=warn --workdir={self._folder} goes on')

  def _forget(self, start):
    """Forgets rollbacks to after `start`, to before which the run fell back."""
    count = len(self._record)
    self._record = [e for e in self._record if e['restored'] <= start]
    return len(self._record) < count

  def _write_record(self):
    write_file(self._path('rollbacks.jsonl'), ''.join(
        json.dumps(entry) + '\n' for entry in self._record).encode())

  def _may_go_back(self):
    return (self._policy['policy'] == 'rollback'
            and self.attempt < self._policy['max_rollbacks'])

  def _replay(self, rows):
    """Findings are a function of the rows and of the record alone."""
    self._rows, self._found = [], []
    self._watchdog = self._fresh(0, {})
    for row in rows:
      self._see(row)

  def _see(self, row):
    # A look back must not reach beyond a rollback: it would find it again.
    since = max([entry['restored'] for entry in self._record
                 if entry['restored'] < row['step']], default=0)
    if since != self._watchdog.since:
      self._watchdog = self._fresh(since, self._watchdog.highest)
    self._rows.append(row)
    found = self._watchdog.see(row)
    self._found += found
    return found

  def _fresh(self, since, highest):
    return Watchdog(self._levels, self._run.train_steps, since=since,
                    highest=highest)

  def _read(self):
    try:
      with open(self._path('rollbacks.jsonl')) as file:
        return [json.loads(line) for line in file]
    except FileNotFoundError:
      return []

  def _path(self, name):
    return os.path.join(self._folder, name)


def report(found, record, last: int) -> str:
  """A page for people.

  Args:
    found: the findings, in their order.
    record: rollbacks, dicts of a finding and of attempt and restored.
    last: step of the last row.
  """
  lines = ['# What the watchdog found', '']
  if not found and not record:
    return '\n'.join([*lines, f'Nothing, up to step {last:,}.', ''])
  lines += [f'Up to step {last:,}. A row says when something began to hold.',
            '', '| step | finding | numbers | what to try |',
            '|---|---|---|---|']
  rows = [(f.step, f.name, f.text, f.advice) for f in found]
  rows += [(e['step'], f'{e["name"]}: rolled back to step {e["restored"]:,}, '
            f'attempt {e["attempt"]}', e['text'], e['advice']) for e in record]
  lines += [f'| {step:,} | {name} | {text.partition(": ")[2] or text} | '
            f'{advice} |'
            for step, name, text, advice in sorted(rows, key=lambda r: r[0])]
  return '\n'.join([*lines, ''])
