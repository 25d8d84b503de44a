"""Monitoring: diagnostics, failure detectors, policy.

`Diagnoser` measures the state once per logged row, detectors look at the rows
for failures of GANs, `Watchdog` tracks what they find, and `Guard` applies the
policy of the config: warn, stop or roll back. The thresholds come from
experiments/watchdog.
"""

import contextlib
import json
import logging
import math
import os
import re
from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from gan_jax import parallel
from gan_jax.base.errors import NonFiniteError
from gan_jax.base.files import read_rows, try_write_file, write_file
from gan_jax.config.experiment import Experiment
from gan_jax.data.pipeline import Batches
from gan_jax.game.diagnosis import Examples, diagnose
from gan_jax.game.step import train_step
from gan_jax.run.loader import examples, indices, reseeded

_LOG = logging.getLogger(__name__)
_MOST = 64  # packs in a batch of diagnostics
# Random streams, distinct from init, evaluators and epochs.
_KEY, _ATTEMPT = 2**31 - 3, 2**31 - 4


class Diagnoser:
  """Computes diagnostics once per logged row, asynchronously.

  Each step uses a batch of training and of held-out examples that is chosen by
  (seed, step): a resumed run logs the same.
  """

  def __init__(self, experiment: Experiment, mesh):
    config = experiment.config
    self._game, self._range = experiment.game, config['image_range']
    # Replicated on every device, so kept small.
    batch = min(config['batch_size'], _MOST * config['packing'])
    self._sources = []
    for source in filter(None, (experiment.source, experiment.source.held_out)):
      count = len(source.images)
      self._sources.append((source, Batches(count, batch, config['seed'],
                                            repeat=-(-batch // count))))
    self._measure = parallel.everywhere(self._pure, mesh)

  def start(self, state, step: int, seed: int):
    """Dispatches `game.diagnosis` of a state: {name: float32 []}."""
    parts = []
    for source, batches in self._sources:
      rows = batches(step, 1)[0]
      parts.append(Examples(np.asarray(source.images[rows]),
                            source.labels[rows]))
    return self._measure(state, parts, np.uint32(seed), np.uint32(step))

  def _pure(self, state, parts, seed, step):
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), _KEY),
                             step)
    real, held_out = (*(part._replace(
        image=parallel.scale(part.image, self._range),
        label=part.label.astype(jnp.int32)) for part in parts), None)[:2]
    return diagnose(self._game, state, real, held_out, key,
                    image_range=self._range)


# Rows that detectors average over.
WINDOW = 10
# Share of train_steps before which nothing is reported: at first G makes one
# grey image, and D makes no mistakes.
WARM_UP = 0.1
# G's gradient norm relative to the highest median of the run: above 1/30 in
# healthy runs; below VANISHED training stalls. For a gradient that was small
# from the start: below FADED, and the update ratio below STILL.
VANISHED, FADED, STILL = 1e-3, 0.1, 1e-5
# AUC above SATURATED, and D(G(z)) below UNBELIEVED or D's loss below LOW_LOSS
# of its equilibrium: early in training G learns from a D of high AUC.
SATURATED, UNBELIEVED, LOW_LOSS = 0.999, 0.02, 0.05
# (D(x) - D(held-out)) / (D(x) - D(G(z))): 0 without overfitting, 1 if D scores
# held-out images like generated ones (r_v of Karras et al. 2020,
# arXiv:2006.06676, eq. 1).
OVERFITTED = 0.5
# Mean distance within a generated batch relative to a real one. One class alone
# has 0.7: only a total collapse is detected, the scores tell of lost classes.
# MLPs start at a third: before the share YOUNG of the steps, it must also have
# FALLEN below half of its highest.
COLLAPSED, FALLEN, YOUNG = 0.25, 0.5, 0.3
# A score that counts classes or modes, relative to its highest so far, and
# after YOUNG to real examples.
LOST = 0.5
# Authenticity relative to that of held-out real examples: its floor, or UNSEEN.
COPIED, UNSEEN = 0.5, 0.7
# Oscillation: how often, in LONG rows, D's AUC goes from above WINNING to
# below LOSING or back. Its noise in a batch of 32 is 0.07.
LONG, SWINGS, WINNING, LOSING = 40, 6, 0.9, 0.6
COUNTED = ('classes', 'modes', 'hit', 'effective')  # scores
TRACKED = ('grad_norm/gen', 'pairwise/fake')


class History(NamedTuple):
  """Input of a detector.

  rows: the newest, at most `LONG`; the last one is new.
  levels: at the equilibrium, of `evaluator.equilibrium`.
  highest: {scalar: maximum so far}, of the scores COUNTED and of the medians
    over WINDOW rows of TRACKED.
  progress: share of train_steps done.
  scores: {'eval/...': newest value}, floors too.
  """

  rows: list
  levels: Mapping[str, float]
  highest: Mapping[str, float]
  progress: float
  scores: Mapping[str, float]

  def values(self, name: str, count: int = WINDOW) -> np.ndarray:
    """Finite values of a scalar in the last `count` rows, float64."""
    found = np.asarray([row[name] for row in self.rows[-count:]
                        if row.get(name) is not None], np.float64)
    return found[np.isfinite(found)]

  def median(self, name: str) -> float:
    """Median over the last WINDOW rows, NaN if fewer than half have it."""
    found = self.values(name)
    return float(np.median(found)) if 2 * len(found) >= WINDOW else np.nan

  def scores_of(self, *metrics: str) -> list[tuple[str, float]]:
    """(name, newest value) of the scores of these metrics."""
    return [(k, v) for k, v in self.scores.items()
            if k.startswith(tuple(f'eval/{metric}_' for metric in metrics))
            and not k.endswith('_floor')]


# Detectors: History -> (what was seen, what to try), or None.


def vanishing(history: History):
  """The generator's gradient is near zero."""
  now = history.median('grad_norm/gen')
  highest = history.highest.get('grad_norm/gen', np.nan)
  ratio = history.median('update_ratio/gen')
  if now <= VANISHED * highest or now <= FADED * highest and ratio <= STILL:
    return (f'generator gradient vanishing: its norm is {now:.3g}, the highest '
            f'was {highest:.3g}, update to weight {ratio:.3g}',
            'Try loss non_saturating or wasserstein, fewer disc_steps, or a '
            'smaller learning rate for D')


def saturated(history: History):
  """D makes no mistakes; not for critics, whose loss has no bound."""
  auc, level = history.median('auc'), history.levels.get('loss/disc', 0.0)
  real, fake = history.median('prob/real'), history.median('prob/fake')
  if level > 0.0 and auc >= SATURATED and (
      fake < UNBELIEVED or history.median('loss/disc') < LOW_LOSS * level):
    return (f'discriminator saturated: it ranks {100 * auc:.2f} % of the pairs '
            f'of a real and a generated image rightly, D(x) {real:.3g}, '
            f'D(G(z)) {fake:.3g}',
            'Try fewer disc_steps, a smaller learning rate for D, a penalty '
            '(r1) or augment instance_noise')


def overfitting(history: History):
  """D is much higher on training images than on held-out ones."""
  gap, held, fake = map(history.values, (
      'gap/logits', 'logits/held_out', 'logits/fake'))
  if min(map(len, (gap, held, fake))) < WINDOW:
    return None
  whole = gap.mean() + held.mean() - fake.mean()
  noise = gap.std(ddof=1) / np.sqrt(len(gap))
  share = gap.mean() / whole if whole > 0 else 0.0
  if share >= OVERFITTED and gap.mean() > 3.0 * noise:
    return (f'discriminator overfitting: held-out images lie {100 * share:.0f} '
            f'% of the way from the training images to the generated ones, D '
            f'is {gap.mean():.3g} lower on them',
            'Try more data, augment ada or diffaugment, a smaller D, or end '
            'training here')


def collapse(history: History):
  """Generated examples are too similar."""
  advice = ('Try a smaller learning rate, minibatch std, packing, '
            'unrolled_steps, or loss relativistic with r1+r2')
  fake, real = history.median('pairwise/fake'), history.median('pairwise/real')
  fallen = fake < FALLEN * history.highest.get('pairwise/fake', np.nan)
  if fake < COLLAPSED * real and (fallen or history.progress > YOUNG):
    return (f'mode collapse: two images of a generated batch are {fake:.3g} '
            f'apart, of a real one {real:.3g}', advice)
  for name, value in history.scores_of(*COUNTED):
    real = history.scores.get(f'{name}_floor', math.nan)
    if value < LOST * history.highest[name] or (
        history.progress > YOUNG and value < LOST * real):
      floor = '' if math.isnan(real) else f', of real examples {real:.3g}'
      return (f'mode collapse: {name} is {value:.3g}, the highest was '
              f'{history.highest[name]:.3g}{floor}', advice)


def memorisation(history: History):
  """Samples are near copies of training examples, by `authenticity`."""
  for name, value in history.scores_of('authenticity'):
    unseen = history.scores.get(f'{name}_floor') or UNSEEN
    if value < COPIED * unseen:
      return (f'memorisation: {name} is {value:.3g}, of unseen real images '
              f'{unseen:.3g}: the other samples are near copies of training '
              'images',
              'Try more data, augment ada, or a checkpoint from before')


def oscillation(history: History):
  """D's AUC oscillates."""
  swings, last, aucs = 0, None, history.values('auc', LONG)
  for value in aucs:
    now = 'won' if value > WINNING else 'lost' if value < LOSING else last
    swings += last is not None and now != last
    last = now
  if swings >= SWINGS:
    return (f'oscillation: D went {swings} times between ranking '
            f'{100 * WINNING:.0f} % and {100 * LOSING:.0f} % of the pairs '
            f'rightly in {len(aucs)} rows',
            'Try a smaller learning rate, b1=0 in Adam, a penalty (r1), or '
            'samples from averaged weights (ema_decay)')


def non_finite(history: History):
  """A scalar is NaN or infinite (None in rows); scores may be absent."""
  bad = sorted(k for k, v in history.rows[-1].items()
               if not k.startswith('eval/')
               and (v is None or not np.isfinite(v)))
  if bad:
    return (f'non-finite: {", ".join(bad)}',
            'Try a lower learning rate, max_grad_norm=1 or a penalty')


DETECTORS = {
    'vanishing': vanishing, 'saturated': saturated, 'overfitting': overfitting,
    'collapse': collapse, 'memorisation': memorisation,
    'oscillation': oscillation, 'non-finite': non_finite}


class Finding(NamedTuple):
  """A finding: detector, first step, what was seen, what to try."""

  name: str
  step: int
  text: str
  advice: str


class Watchdog:
  """Runs the detectors on each row.

  holding: {name: Finding}, until absent from WINDOW rows in a row.
  """

  def __init__(self, levels: Mapping[str, float], train_steps: int, *,
               restored=()):
    """Sets up; `levels` as in `History`.

    `restored`: steps that a run was rolled back to; windows do not reach beyond
    them.
    """
    self._levels, self._steps, self._restored = levels, train_steps, restored
    self.holding, self._highest, self._since = {}, {}, -1

  def see(self, row: Mapping) -> list[Finding]:
    """Returns the new findings of a row with 'step'."""
    since = max((s for s in self._restored if s < row['step']), default=0)
    if since != self._since:
      self._since, self.holding, self._absent = since, {}, {}
      self._rows, self._scores = deque(maxlen=LONG), {}
    self._rows.append(row)
    for name in [name for name in row if name.startswith('eval/')]:
      self._scores.pop(name, None)
      if row[name] is not None and np.isfinite(row[name]):
        self._scores[name] = row[name]
    history = History(list(self._rows), self._levels, self._highest,
                      row['step'] / self._steps, self._scores)
    for name, value in [*history.scores_of(*COUNTED),
                        *((k, history.median(k)) for k in TRACKED)]:
      self._highest[name] = np.fmax(value, self._highest.get(name, np.nan))
    ready = history.progress > WARM_UP and len(self._rows) >= WINDOW
    new = []
    for name, detector in DETECTORS.items():
      said = detector(history) if ready or name == 'non-finite' else None
      if said and name not in self.holding:
        new.append(Finding(name, row['step'], *said))
        self.holding[name] = new[-1]
      self._absent[name] = 0 if said else self._absent.get(name, 0) + 1
      if self._absent[name] >= WINDOW:
        self.holding.pop(name, None)
    return new


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
    self._record = [row for _, row in read_rows(self._path('rollbacks.jsonl'))
                    if row]
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
    return ', '.join(found) + ', see report.md' if found else 'no findings'

  def look(self, step: int, row) -> None:
    """Checks a logged row; raises RollBack if the policy says so."""
    self._rows.append({'step': step, **row})
    found = self._watchdog.see(self._rows[-1])
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
    """Stops or rolls back on non-finite scalars.

    Args:
      start: first step of their call.
      bad: {name: [K]}.
      newest: step of the newest checkpoint.

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

  def roll_back(self, finding: Finding, restored: int) -> None:
    """Records a rollback to step `restored`."""
    before = [e for e in self._record if e['restored'] <= restored]
    self._keep([*before, {'attempt': len(before) + 1, 'restored': restored,
                          **finding._asdict()}])
    with contextlib.suppress(FileNotFoundError):
      os.remove(self._path('nonfinite.json'))  # Obsolete.
    _LOG.warning('watchdog: step %d: %s; back to step %d, attempt %d of %d',
                 finding.step, finding.text, restored, len(self._record),
                 self._policy['max_rollbacks'])
    self._replay([row for row in self._rows if row['step'] <= restored])
    self.write_report()

  def write_report(self) -> None:
    """Writes report.md."""
    last = self._rows[-1]['step'] if self._rows else 0
    try_write_file(self._path('report.md'), report(
        self._found, self._record, last).encode())

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
        f'--config.watchdog.policy=warn --workdir={self._folder} continues')

  def _go_back(self, finding, at, names):
    """Rolls back, or returns the file that names step and batch."""
    path = self._path('nonfinite.json')
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
    self._rows = list(rows)
    self._watchdog = Watchdog(
        self._levels, self._run.train_steps,
        restored=[entry['restored'] for entry in self._record])
    self._found = [found for row in rows for found in self._watchdog.see(row)]

  def _path(self, name):
    return os.path.join(self._folder, name)


def _origin(experiment) -> str:
  """Finds the first non-finite quantity at step 0; '' if there is none."""
  config, zero = experiment.config, optax.set_to_zero()
  game = experiment.game._replace(gen_optimizer=zero, disc_optimizer=zero)
  state, mesh = experiment.init(), parallel.own_mesh()
  state = state.replace(gen=state.gen.replace(opt_state=zero.init(None)),
                        disc=state.disc.replace(opt_state=zero.init(None)))
  runner = parallel.make_runner(
      partial(train_step, game=game), mesh, seed=config['seed'],
      image_range=config['image_range'])
  _, scalars = runner(parallel.copy(parallel.replicate(state, mesh)), None,
                      examples(experiment.source, indices(experiment, 0, 1)))
  places = {  # In the order in which they are computed.
      'logits/real': f'discriminator {config["discriminator"]["name"]}',
      'logits/fake': f'the images of generator {config["generator"]["name"]}',
      'loss/': f'loss {config["loss"]["name"]}, of finite logits',
      'penalty/': 'a penalty', 'grad_norm/': 'a gradient of finite losses'}
  for place, words in places.items():
    for name, value in scalars.items():
      if name.startswith(place) and not np.isfinite(value).all():
        return ('This happens before any update, so the learning rate is not '
                f'the cause. Look at {words}: of all values of the step, '
                f'{name} is the first that is not finite')
  return ''


def report(found, record, last: int) -> str:
  """Markdown report of findings and rollbacks up to the step `last`."""
  lines = ['# What the watchdog found', '']
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
