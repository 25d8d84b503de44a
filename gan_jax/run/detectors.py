"""Detectors: the ways in which GANs fail, found in the logged rows of a run.

A detector looks at a `History` and says what it sees and what to try, or None.
`Watchdog` runs all of them and remembers what holds. Functions of numbers
alone; what is done about a finding is decided in `health.py`. The thresholds
were tried in experiments/watchdog. To add a detector, write its function and
enter it in DETECTORS.
"""

import math
import statistics
from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

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

  def values(self, name: str, count: int = WINDOW) -> list[float]:
    """Finite values of a scalar in the last `count` rows."""
    return [row[name] for row in self.rows[-count:]
            if row.get(name) is not None and math.isfinite(row[name])]

  def median(self, name: str) -> float:
    """Median over the last WINDOW rows, NaN if fewer than half have it."""
    found = self.values(name)
    # Not numpy's: a resumed run looks at all its rows again.
    return statistics.median(found) if 2 * len(found) >= WINDOW else np.nan

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
  gap, held, fake = (np.array(history.values(name)) for name in (
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
               and (v is None or not math.isfinite(v)))
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
  ready: whether the last row was looked at for more than what is not finite.
  """

  def __init__(self, levels: Mapping[str, float], train_steps: int, *,
               restored=()):
    """Sets up; `levels` as in `History`.

    `restored`: steps that a run was rolled back to; windows do not reach beyond
    them.
    """
    self._levels, self._steps, self._restored = levels, train_steps, restored
    self.holding, self._highest, self._since = {}, {}, -1
    self.ready = False

  def see(self, row: Mapping) -> list[Finding]:
    """Returns the new findings of a row with 'step'."""
    since = max((s for s in self._restored if s < row['step']), default=0)
    if since != self._since:
      self._since, self.holding, self._absent = since, {}, {}
      self._rows, self._scores = deque(maxlen=LONG), {}
    self._rows.append(row)
    for name in [name for name in row if name.startswith('eval/')]:
      self._scores.pop(name, None)
      if row[name] is not None and math.isfinite(row[name]):
        self._scores[name] = row[name]
    history = History(list(self._rows), self._levels, self._highest,
                      row['step'] / self._steps, self._scores)
    for name, value in [*history.scores_of(*COUNTED),
                        *((k, history.median(k)) for k in TRACKED)]:
      self._highest[name] = np.fmax(value, self._highest.get(name, np.nan))
    self.ready = history.progress > WARM_UP and len(self._rows) >= WINDOW
    new = []
    for name, detector in DETECTORS.items():
      said = detector(history) if self.ready or name == 'non-finite' else None
      if said and name not in self.holding:
        new.append(Finding(name, row['step'], *said))
        self.holding[name] = new[-1]
      self._absent[name] = 0 if said else self._absent.get(name, 0) + 1
      if self._absent[name] >= WINDOW:
        self.holding.pop(name, None)
    return new
