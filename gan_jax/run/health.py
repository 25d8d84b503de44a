"""Monitoring: diagnostics, and what is done about findings.

`Diagnoser` measures the state once per logged row; `detectors` look at the
rows; `Guard` applies the policy of the config: warn, stop or roll back.
"""

import contextlib
import json
import logging
import os
import re
import shlex

import jax
import numpy as np
import optax

from gan_jax import parallel
from gan_jax.base.errors import NonFiniteError
from gan_jax.base.files import read_rows, try_write_file, write_file
from gan_jax.config.experiment import Experiment
from gan_jax.config.population import Population
from gan_jax.data.pipeline import Batches
from gan_jax.game.diagnosis import Examples, diagnose
from gan_jax.game.state import MEMBERS
from gan_jax.game.step import step_of
from gan_jax.run.detectors import WINDOW, Finding, Watchdog
from gan_jax.run.loader import examples, indices, reseeded
from gan_jax.run.status import NONFINITE

_LOG = logging.getLogger(__name__)
_MOST = 64  # packs in a batch of diagnostics
# Random streams, distinct from init, evaluators and epochs.
_KEY, _ATTEMPT = 2**31 - 3, 2**31 - 4


class Diagnoser:
  """Computes diagnostics once per logged row, asynchronously.

  Each step uses a batch of training and of held-out examples that is chosen by
  (seed, step): a resumed run logs the same.
  """

  def __init__(self, experiment: Experiment, mesh,
               population: Population | None = None):
    """Measures one run, or all members of a population at once."""
    self._range = experiment.config['image_range']
    self._game = population.game if population else lambda _: experiment.game
    self._numbers = population.numbers if population else None
    members = population.members if population else [experiment]
    self._sources = [_batches(each) for each in members]
    self._measure = parallel.everywhere(
        self._pure, mesh, MEMBERS if population else None)

  def start(self, state, step: int, seed):
    """Dispatches `game.diagnosis` of a state: {name: float32 []}.

    Of a population, the stacked state and seeds [M]: {name: [M]}.
    """
    parts = [[_read(source, batches(step, 1)[0]) for source, batches in each]
             for each in self._sources]
    seed = np.asarray(seed, np.uint32)
    step = np.full(seed.shape, step, np.uint32)
    if self._numbers is None:
      return self._measure(state, parts[0], seed, step, {})
    return self._measure(state, jax.tree.map(lambda *x: np.stack(x), *parts),
                         seed, step, self._numbers)

  def _pure(self, state, parts, seed, step, numbers):
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), _KEY),
                             step)
    real, held_out = (*(part._replace(
        image=parallel.scale(part.image, self._range))
                        for part in parts), None)[:2]
    return diagnose(self._game(numbers), state, real, held_out, key,
                    image_range=self._range)


def _batches(experiment):
  """Training and held-out source of a run, each with its batches."""
  config, found = experiment.config, []
  # Replicated on every device, so kept small.
  batch = min(config['batch_size'], _MOST * config['packing'])
  for source in filter(None, (experiment.source, experiment.source.held_out)):
    count = len(source.images)
    found.append((source, Batches(count, batch, config['seed'],
                                  repeat=-(-batch // count))))
  return found


def _read(source, rows):
  return Examples(np.asarray(source.images[rows]), source.labels[rows])


class RollBack(Exception):
  """Raised to resume from the newest checkpoint; args: the `Finding`."""


class Guard:
  """Watches one run and applies the config's watchdog.policy.

  verdict: why the run must stop, '' if it need not.
  """

  def __init__(self, experiment: Experiment, folder, levels, rows, start: int):
    """Restores the findings before step `start` from the run folder.

    levels: of `evaluator.equilibrium`; rows: of scalars.jsonl, up to `start`.
    """
    self._run, self._folder, self._levels = experiment, folder, levels
    self._policy, self.verdict = experiment.config['watchdog'], ''
    self._record = read_rows(self._path('rollbacks.jsonl'))
    # Drops rollbacks after the restored step.
    self._keep([e for e in self._record if e['restored'] <= start])
    self._replay(rows)
    if self._held() and not self._may_go_back():
      self._stop(start)

  @property
  def seed(self) -> int:
    """Current seed, changed by each rollback."""
    seed, attempt = self._run.config['seed'], len(self._record)
    return int(np.random.SeedSequence(seed, spawn_key=(
        _ATTEMPT, attempt)).generate_state(1)[0]) if attempt else seed

  @property
  def findings(self) -> str:
    """The findings so far, in a few words."""
    found = [f'{f.name} (step {f.step:,})' for f in self._found] + [
        f'rolled back to step {entry["restored"]:,}' for entry in self._record]
    return '; '.join(filter(None, (
        ', '.join(found) + ', see report.md' if found else 'no findings',
        self._unseen)))

  def look(self, step: int, row) -> None:
    """Checks a logged row; raises RollBack if the policy says so."""
    self._last = step
    found = self._watchdog.see({'step': step, **row})
    self._found += found
    for finding in found:
      _LOG.warning('watchdog: step %d: %s. %s', step, finding.text,
                   finding.advice)
    if found:
      self.write_report()
    if self._held() and not self.verdict:
      if self._may_go_back():
        raise RollBack(self._held()[0])
      self._stop(step)

  def refuse(self, start: int, bad, newest: int) -> None:
    """Stops or rolls back on scalars `bad`, {name: [K]}, that are not finite.

    `start` is the first step of their call, `newest` that of the newest
    checkpoint.

    Raises:
      NonFiniteError, RollBack: always one of them.
    """
    first = min(int(np.flatnonzero(~np.isfinite(v))[0]) for v in bad.values())
    at = start + first
    found = sorted(k for k, v in bad.items() if not np.isfinite(v[first]))
    advice = at == 0 and _origin(reseeded(self._run, self.seed)) or (
        'Try, in a new --workdir, a lower learning rate, max_grad_norm=1, a '
        "penalty, or dtype='float32'")
    finding = Finding('non-finite', at, f'{", ".join(found)} not finite',
                      advice)
    path = self._go_back(finding, at, found)
    raise NonFiniteError(
        f'step {at}: {finding.text}. {advice}. The batch is named in {path}. '
        f'The newest checkpoint is of step {newest}')

  def refuse_state(self, step: int, error: Exception) -> None:
    """As `refuse`, for the state after `step`; raises RollBack or the error."""
    # Losses precede the update: the last step is the cause.
    self._go_back(Finding('non-finite', step, str(error), ''), step - 1,
                  ['state'])
    raise error

  def roll_back(self, finding: Finding, restored: int, rows) -> None:
    """Records a rollback to step `restored`; `rows` are those up to it."""
    before = [e for e in self._record if e['restored'] <= restored]
    self._keep([*before, {'attempt': len(before) + 1, 'restored': restored,
                          **finding._asdict()}])
    with contextlib.suppress(FileNotFoundError):
      os.remove(self._path(NONFINITE))  # Obsolete.
    _LOG.warning('watchdog: step %d: %s; back to step %d, attempt %d of %d',
                 finding.step, finding.text, restored, len(self._record),
                 self._policy['max_rollbacks'])
    self._replay(rows)
    self.write_report()

  def write_report(self) -> None:
    """Writes report.md."""
    try_write_file(self._path('report.md'), report(
        self._found, self._record, self._last, self._unseen).encode())

  @property
  def _unseen(self):
    """What could not be looked for, and how it can be; ''."""
    return unseen(self._watchdog.ready, bool(
        self._run.game.disc and self._run.source.held_out is None))

  def _held(self):
    return [] if self._policy['policy'] == 'warn' else list(
        self._watchdog.holding.values())

  def _may_go_back(self):
    return (self._policy['policy'] == 'rollback'
            and len(self._record) < self._policy['max_rollbacks'])

  def _stop(self, step):
    self.verdict = (
        f'step {step}: the watchdog stopped the run: '
        + '; '.join(f'{f.text}. {f.advice}' for f in self._held())
        + f'. See {self._path("report.md")}; '
        '--config.watchdog.policy=warn '
        f'--workdir={shlex.quote(str(self._folder))} continues')

  def _go_back(self, finding, at, names):
    """Rolls back, or returns the file that names step and batch."""
    path = self._path(NONFINITE)
    batch = indices(reseeded(self._run, self.seed), at, 1)[0]
    try_write_file(path, json.dumps({
        'step': at, 'seed': self.seed, 'scalars': names,
        'batch_indices': batch.tolist()}, indent=1).encode())
    self._found.append(finding)
    self.write_report()
    if self._may_go_back():
      raise RollBack(finding)
    return path

  def _keep(self, record):
    if record != self._record:
      self._record = record
      write_file(self._path('rollbacks.jsonl'), ''.join(
          json.dumps(entry) + '\n' for entry in record).encode())

  def _replay(self, rows):
    """Recomputes the findings from the rows and the rollbacks."""
    # They are not kept: a million rows take gigabytes.
    self._last = rows[-1]['step'] if rows else 0
    self._watchdog = Watchdog(
        self._levels, self._run.train_steps,
        restored=[entry['restored'] for entry in self._record])
    self._found = [found for row in rows for found in self._watchdog.see(row)]

  def _path(self, name):
    return os.path.join(self._folder, name)


def _origin(experiment) -> str:
  """Finds the first non-finite quantity at step 0; '' if there is none."""
  config = experiment.config
  scalars = _first_step(experiment, experiment.game.penalties)
  places = {  # In the order in which they are computed.
      'logits/real': f'discriminator {config["discriminator"]["name"]}',
      'logits/fake': f'the images of generator {config["generator"]["name"]}',
      'loss/': f'loss {config["loss"]["name"]}, of finite logits',
      'penalty/': 'a penalty', 'grad_norm/': ''}
  for place, words in places.items():
    for name, value in scalars.items():
      if name.startswith(place) and not np.isfinite(value).all():
        words = words or (
            'the gradients, of finite values, of ' + ' and '.join(
                _culprits(experiment, name))
            + ': those of a square root or a norm are not finite at 0')
        return ('This happens before any update, so the learning rate is not '
                f'the cause. Look at {words}: of all values of the step, '
                f'{name} is the first that is not finite')
  return ''


def _culprits(experiment, name) -> list[str]:
  """The loss, or the penalties, by which the scalar `name` is not finite."""
  penalties = experiment.game.penalties
  off = [term._replace(fn=term.parts._replace(disc=None, gen=None))
         for term in penalties]

  def is_finite(terms):
    return np.isfinite(_first_step(experiment, terms)[name]).all()

  if not is_finite(off):
    return [experiment.config['loss']['name']]
  # Each by itself; together, if it takes several.
  return [term.name for i, term in enumerate(penalties)
          if len(off) == 1 or not is_finite([*off[:i], term, *off[i + 1:]])
          ] or [term.name for term in penalties]


def _first_step(experiment, penalties) -> dict:
  """Scalars of step 0, with these penalties and without an update."""
  config, zero = experiment.config, optax.set_to_zero()
  game = experiment.game._replace(gen_optimizer=zero, disc_optimizer=zero,
                                  penalties=tuple(penalties))
  state, mesh = experiment.init(), parallel.own_mesh()
  state = state.replace(gen=state.gen.replace(opt_state=zero.init(None)),
                        disc=state.disc.replace(opt_state=zero.init(None)))
  runner = parallel.make_runner(
      step_of(game, 'alternating'), mesh, seed=config['seed'],
      image_range=config['image_range'])
  return runner(parallel.copy(parallel.replicate(state, mesh)), None,
                examples(experiment.source, indices(experiment, 0, 1)))[1]


def unseen(ready: bool, all_learnt: bool) -> str:
  """What was not looked for, '' if all was.

  ready: as of `Watchdog`. all_learnt: whether there is a discriminator, and
  nothing is held out from it.
  """
  if not ready:
    return (f'most was not looked for yet: that takes {WINDOW} logged rows and '
            'a tenth of the steps; a smaller --config.log_every logs more')
  return ('overfitting was not looked for: no examples are held out, as '
          '--config.data.holdout=0.1 does in a new run') * all_learnt


def report(found, record, last: int, unseen: str = '') -> str:
  """Markdown report of findings and rollbacks up to the step `last`.

  unseen: what could not be looked for.
  """
  lines = ['# What the watchdog found', '']
  if unseen:
    lines += [f'{unseen[0].upper()}{unseen[1:]}.', '']
  if not found and not record:
    return '\n'.join([*lines, f'Nothing, up to step {last:,}.', ''])
  lines += [f'Up to step {last:,}. Each row gives the first step of a finding.',
            '', '| step | finding | numbers | what to try |',
            '|---|---|---|---|']
  rows = [(f.step, f.name, f.text, f.advice) for f in found]
  rows += [(e['step'], f'{e["name"]}: rolled back to step {e["restored"]:,}, '
            f'attempt {e["attempt"]}', e['text'], e['advice']) for e in record]
  return '\n'.join([*lines, *(
      f'| {step:,} | {name} | {text.partition(": ")[2] or text} | {advice} |'
      for step, name, text, advice in sorted(rows, key=lambda r: r[0])), ''])


def read_report(path) -> list[tuple[str, str, str, str]]:
  """Rows (step, finding, numbers, advice) of a file that `report` wrote."""
  try:
    with open(path, encoding='utf-8', errors='replace') as file:
      lines = file.read().splitlines()
  except OSError:
    return []
  rows = [line[2:-2].split(' | ') for line in lines
          if re.match(r'\| [\d,]+ \| ', line)]
  return [(row[0], row[1], ' | '.join(row[2:-1]), row[-1])
          for row in rows if len(row) > 3]
