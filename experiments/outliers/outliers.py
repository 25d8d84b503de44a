"""How well scores tell outliers: AUROC of digits left out, and of lesions.

python experiments/outliers/outliers.py --out=results.jsonl
... --methods pca forest --sets digits phantoms

digits: each digit in turn is the outlier: a method learns from images of the
  other nine in the training set, and scores all held-out images.
phantoms: it learns from drawn chests (experiments/xray/phantoms.py), and scores
  as many with a lesion as without.

pca: the squared error of the reconstruction from `--components` principal
  components.
forest: an isolation forest of 100 trees (Liu et al. 2008, scikit-learn's) on
  these components.
discriminator: minus the logit of the discriminator of `dcgan`, `--steps` steps.
anogan: AnoGAN of the same run (`gan_jax/inference/outliers.py`), of at most
  `--scored` outliers and as many others, as each takes a descent.
fanogan: f-AnoGAN of the same run, with an encoder trained for `--steps` steps.

A line for each method and class, with a bootstrap interval of 95 % over the
images scored; those that are in the file are not made again.
"""

import argparse
import functools
import json
import os
import sys
import tempfile
import time

import jax
import numpy as np
from scipy.stats import rankdata
from sklearn.ensemble import IsolationForest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', '..'))
from experiments.xray.phantoms import phantom  # noqa: E402
from gan_jax import inference, parallel  # noqa: E402
from gan_jax.config import population, recipe  # noqa: E402
from gan_jax.data import load as data  # noqa: E402
from gan_jax.run import populations  # noqa: E402
from gan_jax.views.trained import Trained  # noqa: E402

METHODS = ('pca', 'forest', 'discriminator', 'anogan', 'fanogan')
_TRAIN, _SIDE, _RESAMPLES = 7000, 32, 1000  # images; pixels; of the bootstrap
_PHANTOMS = 2000, 500  # to learn from; to score, with and without a lesion


def digits():
  """Yields (digit, images to learn from, images to score, which are it)."""
  whole = data.load(dict(name='mnist10k', holdout=0.2))
  test = whole.held_out
  for digit in range(10):
    rows = np.flatnonzero(whole.labels != digit)
    # Equally many for each digit.
    rows = np.random.default_rng(digit).permutation(rows)[:_TRAIN]
    yield str(digit), whole.images[rows], test.images, test.labels == digit


def phantoms():
  """Yields the same of chests without and with a lesion."""
  count, scored = _PHANTOMS
  def draw(seed, lesions=0):
    found = phantom(np.random.default_rng(seed), _SIDE, _SIDE, lesions)
    return np.rint(255 * found).astype(np.uint8)[..., None]

  train = np.stack([draw(i) for i in range(count)])
  test = np.stack([draw(count + i, lesions=i % 2) for i in range(2 * scored)])
  yield 'lesion', train, test, np.arange(2 * scored) % 2 == 1


SETS = {'digits': digits, 'phantoms': phantoms}


def projected(train, test, components):
  """(train, test) on principal components, and the error of test off them."""
  x, y = (images.reshape(len(images), -1) / 255.0 for images in (train, test))
  mean = x.mean(0)
  axes = np.linalg.eigh(np.cov(x.T))[1][:, -components:]
  inside = [(part - mean) @ axes for part in (x, y)]
  return *inside, ((y - mean - inside[1] @ axes.T) ** 2).sum(1)


class Players:
  """The two players of `dcgan`, and an encoder, trained on a set when asked.

  folder: of its images and runs.
  steps: of dcgan, and of the encoder.
  like: {name: tree} of another set, whose compiled programs serve again.
  """

  def __init__(self, images, folder, steps, like):
    self._folder, self._steps, self._like = folder, steps, like
    np.savez(os.path.join(folder, 'train.npz'), images=images)

  def _run(self, name, **changes):
    config = recipe.get_config(f'{name},data=npz')
    config.data.path = os.path.join(self._folder, 'train.npz')
    folder = os.path.join(self._folder, name.partition(':')[0])
    config.update(changes | {
        'loggers': (), 'train_steps': self._steps, 'sample_every': 0})
    populations.train(population.load(config), folder)
    return Trained(folder)

  def _known(self, name, tree):
    # The functions in a tree, which tell programs apart, are the first ones.
    like = self._like.setdefault(name, jax.tree.structure(tree))
    return jax.tree.unflatten(like, jax.tree.leaves(tree))

  @functools.cached_property
  def gan(self):
    """(`Decoder`, `Critic`)."""
    run = self._run('dcgan:')
    return self._known('gan', (run.decoder, run.critic))

  @functools.cached_property
  def encode(self):
    """Images -> latents: `encoder.py:izi`, which has no features of D."""
    assert self.gan
    run = self._run('encoder:izi', init_from=os.path.join(
        self._folder, 'dcgan'))
    return self._known('encode', run.decoder.encode)


def scores(method, players, train, test, asked):
  """Score [N] of each image of test: higher is more of an outlier.

  players: `Players` of `train`.
  """
  if method in ('pca', 'forest'):
    x, y, error = projected(train, test, asked.components)
    return error if method == 'pca' else (
        -IsolationForest(random_state=0).fit(x).score_samples(y))
  decoder, critic = players.gan
  x, label = np.float32(test / 255), np.zeros(len(test), np.int32)
  if method == 'discriminator':
    return np.asarray(inference.judged(critic.logits, x, label))
  if method == 'fanogan':
    return np.asarray(inference.f_anogan(
        decoder.decode, players.encode, critic.features, x, label).score)
  return np.asarray(inference.anogan(
      decoder.decode, critic.features, x, label, jax.random.key(0),
      size=decoder.size, starts=2, candidates=64, steps=50).score)


def some(positive, count):
  """Rows of the first `count` outliers and of as many others."""
  return np.sort(np.concatenate([np.flatnonzero(side)[:count]
                                 for side in (positive, ~positive)]))


def auroc(score, positive) -> float:
  """P(score of an outlier > of another), ties half: Mann-Whitney's U."""
  count = positive.sum()
  ranks = rankdata(score)[positive].sum() - count * (count + 1) / 2
  return float(ranks / (count * (len(score) - count)))


def interval(score, positive) -> tuple[float, float]:
  """Of 95 %, by a bootstrap over outliers and others."""
  rng = np.random.default_rng(0)
  high, low = score[positive], score[~positive]
  # The area is a mean over pairs, weighted by how often each is drawn.
  wins = 0.5 * ((high[:, None] > low).astype(float) + (high[:, None] >= low))
  drawn = [rng.multinomial(len(part), np.full(len(part), 1 / len(part)),
                           _RESAMPLES) / len(part) for part in (high, low)]
  found = np.einsum('rp,rp->r', drawn[0] @ wins, drawn[1])
  return tuple(np.quantile(found, (0.025, 0.975)).tolist())


def main():
  """Makes all results that are missing."""
  parser = argparse.ArgumentParser()
  parser.add_argument('--sets', nargs='+', default=list(SETS), choices=SETS)
  parser.add_argument('--methods', nargs='+', default=METHODS, choices=METHODS)
  parser.add_argument('--components', type=int, default=40)
  parser.add_argument('--steps', type=int, default=2500)
  parser.add_argument('--scored', type=int, default=190)
  parser.add_argument('--out', required=True, help='results.jsonl')
  asked = parser.parse_args()
  parallel.use_compilation_cache()
  done = set()
  if os.path.exists(asked.out):
    with open(asked.out) as file:
      done = {(row['set'], row['outlier'], row['method'])
              for row in map(json.loads, file)}
  for name in asked.sets:
    like = {}
    for outlier, train, test, positive in SETS[name]():
      missing = [method for method in asked.methods
                 if (name, outlier, method) not in done]
      if not missing:
        continue
      folder = tempfile.TemporaryDirectory()
      players = Players(train, folder.name, asked.steps, like)
      for method in missing:
        start, rows = time.time(), slice(None)
        if method == 'anogan':
          rows = some(positive, asked.scored)
        score = scores(method, players, train, test[rows], asked)
        told = positive[rows]
        low, high = interval(score, told)
        row = json.dumps({
            'set': name, 'outlier': outlier, 'method': method,
            'auroc': auroc(score, told), 'low': low, 'high': high,
            'train': len(train), 'outliers': int(told.sum()),
            'others': int((~told).sum()),
            'steps': 0 if method in ('pca', 'forest') else asked.steps,
            'seconds': round(time.time() - start, 1)})
        print(row, flush=True)
        with open(asked.out, 'a') as file:
          file.write(row + '\n')
      folder.cleanup()


if __name__ == '__main__':
  main()
