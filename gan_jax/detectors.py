"""What a watchdog looks for: one function for each illness of a game.

A detector takes a `View` of the logged rows and returns (what it sees, what to
try) or None. The thresholds were tried in experiments/watchdog.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

# Rows that a detector looks at, by medians or means: one row is one batch.
WINDOW = 10
# Of the generator's gradient, to the highest median of the run. In healthy
# games it stays within a factor of 30; below 1/1000 the game stands still. A
# gradient that was gone from the first row on has no high to fall from: so it
# also counts if it is FADED and the weights all but STILL (update to weight; a
# rate that a schedule brings to 0 leaves the gradient as it is).
VANISHED, FADED, STILL = 1e-3, 0.1, 1e-5
# D makes less than one mistake among a thousand pairs. A young generator
# learns from such a D while its answers are not extreme, for hundreds of steps;
# so beside it D(G(z)) is below UNBELIEVED, or D's loss a small part LOW_LOSS
# of what it is at the equilibrium.
SATURATED, UNBELIEVED, LOW_LOSS = 0.999, 0.02, 0.05
# (D(x) - D(held-out)) / (D(x) - D(G(z))): 0 where D knows no example by
# heart, 1 where unseen real images are fakes to it (r_v of Karras et al. 2020,
# arXiv:2006.06676, eq. 1).
OVERFITTED = 0.5
# Mean distance within a generated batch, to that within a real one. Young
# perceptrons that do well later are at a third for a thousand steps, and one
# class alone would still be at 0.7: this sees a total collapse only. Of lost
# classes the scores tell.
# Those start low, too: what has not fallen to half of its highest is given
# until a share YOUNG of the steps.
COLLAPSED, FALLEN, YOUNG = 0.25, 0.5, 0.3
# A score that counts classes or modes: to its highest so far, and after YOUNG
# to that of real examples.
LOST = 0.5
# Share of samples that are no near copies, to that of unseen real examples: the
# score's floor, or about 0.7 where it has none.
COPIED, UNSEEN = 0.5, 0.7
# Oscillation: how often, in LONG rows, D's AUC goes from above WINNING to
# below LOSING or back. Its noise in a batch of 32 is 0.07.
LONG, SWINGS, WINNING, LOSING = 40, 6, 0.9, 0.6


class View(NamedTuple):
  """What a detector may look at.

  rows: the newest, at most `LONG`, the last one is new.
  levels: at the equilibrium, of `evaluators.equilibrium`.
  highest: {scalar: the highest that it has been}, of the scores COUNTED and
    of the medians over WINDOW rows of those in TRACKED.
  progress: share of train_steps that has been made.
  scores: {'eval/...': the newest value}, floors too; a finding by a score holds
    until another score.
  """

  rows: list
  levels: Mapping[str, float]
  highest: Mapping[str, float]
  progress: float
  scores: Mapping[str, float]

  def values(self, name: str, count: int = WINDOW) -> np.ndarray:
    """The finite values of a scalar in the last `count` rows, float64."""
    found = [row[name] for row in self.rows[-count:]
             if row.get(name) is not None]
    found = np.asarray(found, np.float64)
    return found[np.isfinite(found)]

  def median(self, name: str) -> float:
    """Over the last WINDOW rows, NaN if fewer than half of them have it."""
    found = self.values(name)
    return float(np.median(found)) if 2 * len(found) >= WINDOW else np.nan


def vanishing(view: View):
  """The generator's gradient has all but gone."""
  now, highest = view.median('grad_norm/gen'), view.highest.get(
      'grad_norm/gen', np.nan)
  ratio = view.median('update_ratio/gen')
  if not (now <= VANISHED * highest
          or now <= FADED * highest and ratio <= STILL):
    return None
  return (f'generator gradient vanishing: its norm is {now:.3g}, the highest '
          f'was {highest:.3g}, update to weight {ratio:.3g}',
          'Try loss non_saturating or wasserstein, fewer disc_steps, or a '
          'smaller learning rate for D')


def saturated(view: View):
  """D makes no mistakes; a critic's loss has no bound, and may be right."""
  auc, level = view.median('auc'), view.levels.get('loss/disc', 0.0)
  if not (level > 0.0 and auc >= SATURATED and (
      view.median('prob/fake') < UNBELIEVED
      or view.median('loss/disc') < LOW_LOSS * level)):
    return None
  return (f'discriminator saturated: it ranks {100 * auc:.2f} % of the pairs '
          f'of a real and a generated image rightly, D(x) '
          f'{view.median("prob/real"):.3g}, D(G(z)) '
          f'{view.median("prob/fake"):.3g}',
          'Try fewer disc_steps, a smaller learning rate for D, a penalty (r1) '
          'or augment instance_noise')


def overfitting(view: View):
  """D knows its training examples by heart."""
  gap, held, fake = (view.values(name) for name in (
      'gap/logits', 'logits/held_out', 'logits/fake'))
  if min(map(len, (gap, held, fake))) < WINDOW:
    return None
  whole = gap.mean() + held.mean() - fake.mean()
  noise = gap.std(ddof=1) / np.sqrt(len(gap))
  share = gap.mean() / whole if whole > 0 else 0.0
  if not (share >= OVERFITTED and gap.mean() > 3.0 * noise):
    return None
  return (f'discriminator overfitting: held-out images lie {100 * share:.0f} % '
          f'of the way from the training images to the generated ones, D is '
          f'{gap.mean():.3g} lower on them',
          'Try more data, augment ada or diffaugment, a smaller D, or end '
          'training here')


def collapse(view: View):
  """Generated examples are too much alike."""
  fake, real = view.median('pairwise/fake'), view.median('pairwise/real')
  fallen = fake < FALLEN * view.highest.get('pairwise/fake', np.nan)
  if fake < COLLAPSED * real and (fallen or view.progress > YOUNG):
    return (f'mode collapse: two images of a generated batch are {fake:.3g} '
            f'apart, of a real one {real:.3g}', _DIVERSITY)
  for name, value in scores(view, *COUNTED):
    real = view.scores.get(f'{name}_floor', math.nan)
    if value < LOST * view.highest[name] or (
        view.progress > YOUNG and value < LOST * real):
      floor = '' if math.isnan(real) else f', of real examples {real:.3g}'
      return (f'mode collapse: {name} is {value:.3g}, the highest was '
              f'{view.highest[name]:.3g}{floor}', _DIVERSITY)
  return None


_DIVERSITY = ('Try a smaller learning rate, minibatch std, packing, '
              'unrolled_steps, or loss relativistic with r1+r2')


def memorisation(view: View):
  """Samples are copies of training examples, by a score."""
  for name, value in scores(view, 'authenticity'):
    unseen = view.scores.get(f'{name}_floor') or UNSEEN
    if value < COPIED * unseen:
      return (f'memorisation: {name} is {value:.3g}, of unseen real images '
              f'{unseen:.3g}: the other samples are near copies of training '
              'images',
              'Try more data, augment ada, or a checkpoint from before')
  return None


def oscillation(view: View):
  """D wins and loses in turn."""
  swings, last = 0, None
  for value in view.values('auc', LONG):
    now = 'won' if value > WINNING else 'lost' if value < LOSING else last
    swings += last is not None and now != last
    last = now
  if swings < SWINGS:
    return None
  return (f'oscillation: D went {swings} times between ranking '
          f'{100 * WINNING:.0f} % and {100 * LOSING:.0f} % of the pairs '
          f'rightly in {len(view.values("auc", LONG))} rows',
          'Try a smaller learning rate, b1=0 in Adam, a penalty (r1), or '
          'samples from averaged weights (ema_decay)')


def non_finite(view: View):
  """Rows hold None for what is no number; a score may lack for a reason."""
  bad = sorted(k for k, v in view.rows[-1].items()
               if not k.startswith('eval/')
               and (v is None or not np.isfinite(v)))
  if not bad:
    return None
  return (f'non-finite: {", ".join(bad)}',
          'Try a lower learning rate, max_grad_norm=1 or a penalty')


def scores(view, *metrics):
  """[(name, newest value)] of the scores of these metrics."""
  return [(k, v) for k, v in view.scores.items()
          if k.startswith(tuple(f'eval/{metric}_' for metric in metrics))
          and not k.endswith('_floor')]


COUNTED = ('classes', 'modes', 'hit', 'effective')  # scores
TRACKED = ('grad_norm/gen', 'pairwise/fake')
DETECTORS = {
    'vanishing': vanishing, 'saturated': saturated, 'overfitting': overfitting,
    'collapse': collapse, 'memorisation': memorisation,
    'oscillation': oscillation, 'non-finite': non_finite}
