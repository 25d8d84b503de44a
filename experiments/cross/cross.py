"""Plays every pair of choices on tiny networks, and prints the table.

  python experiments/cross/cross.py                    # all pairs, about 1 h
  python experiments/cross/cross.py --cells=20 --seed=3

A cell names a loss, a penalty, a norm of each player, a conditioning, an
augmentation and a weight norm. The full product has millions of cells; here
every PAIR of choices is played in some cell. Each cell is compiled and plays
three steps: it passes if all scalars are finite and both players move; a cell
that the program refuses is listed with its reason, and its pair is tried again
in other cells.
"""

import argparse
import collections
import itertools
import json
import os
import random
import sys
import time

# What is compiled runs three steps: no time for optimising it.
os.environ.setdefault('XLA_FLAGS', '--xla_backend_optimization_level=0 '
                      '--xla_llvm_disable_expensive_passes=true')
import jax  # noqa: E402  (after the line above)
import numpy as np  # noqa: E402

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', '..'))
from gan_jax import parallel  # noqa: E402
from gan_jax.base import lookup  # noqa: E402
from gan_jax.base.errors import ConfigError  # noqa: E402
from gan_jax.config import experiment, recipe  # noqa: E402

_DRAWN = 2  # tries of a pair in company at random, before plain company
GENERATOR_NORMS = ('none', 'batch', 'conditional_batch', 'layer', 'instance',
                   'group', 'pixel', 'virtual_batch', 'self_modulation',
                   'adain')
AXES = {
    # hinge_each needs the network of a file; disc_only and none leave a
    # player to terms that pairs do not have.
    'loss': tuple(name for name in lookup.names('gan_jax.losses')
                  if name not in ('hinge_each', 'disc_only', 'none')),
    'penalty': ('none', *lookup.names('gan_jax.penalties')),
    'gen_norm': GENERATOR_NORMS,
    'disc_norm': ('none', 'batch', 'layer', 'instance', 'group', 'pixel',
                  'virtual_batch'),
    'weight_norm': ('none', 'spectral', 'weight', 'equalized'),
    'conditioning': ('none', 'onehot', 'embedding', 'projection'),
    'augment': ('none', *lookup.names('gan_jax.augment')),
    'game': ('plain', 'packing', 'unrolled', 'simultaneous',
             'gradient_normalization'),
}


# The plainest cells, for pairs that are refused in other company.
PLAIN = tuple(
    dict(loss='non_saturating', penalty='none', gen_norm='batch',
         disc_norm='none', weight_norm='none', conditioning=conditioning,
         augment='none', game='plain') for conditioning in AXES['conditioning'])


def cross(seed: int, play, played=()):
  """Plays cells until every pair of two choices has been played or given up.

  Each cell is made around a pair that is still missing, out of some at random
  the one with the most missing pairs. A cell that is refused covers nothing:
  its pair is tried again in other company, the last times in the plainest, with
  each conditioning in turn, and then given up: it means nothing.

  Args:
    seed: of the draws.
    play: cell -> outcome, 'ok' or 'refused: why' or 'failed: how'.
    played: cells that need not be played again.

  Yields:
    (cell, outcome, the pairs that were given up with it).
  """
  rng = random.Random(seed)
  names = list(AXES)
  missing = {(a, x, b, y) for a, b in itertools.combinations(names, 2)
             for x in AXES[a] for y in AXES[b]}
  for cell in played:
    missing -= _pairs(cell, names)
  refusals = collections.Counter()
  while missing:
    pair = rng.choice(sorted(missing))
    cell = max((_around(pair, names, rng, refusals[pair]) for _ in range(30)),
               key=lambda cell: len(_pairs(cell, names) & missing))
    outcome = play(cell)
    given_up = []
    if outcome.startswith('refused'):
      refusals[pair] += 1
      if refusals[pair] == _DRAWN + len(PLAIN):
        given_up = [pair]
        missing.discard(pair)
    else:
      missing -= _pairs(cell, names)
    yield cell, outcome, given_up


def _around(pair, names, rng, refusals):
  """A cell with a pair in it, the rest at random or plain."""
  if refusals < _DRAWN:
    cell = {name: rng.choice(AXES[name]) for name in names}
  else:
    cell = dict(PLAIN[refusals - _DRAWN])
  cell[pair[0]], cell[pair[2]] = pair[1], pair[3]
  return cell


def _pairs(cell, names):
  return {(a, cell[a], b, cell[b])
          for a, b in itertools.combinations(names, 2)}


def config_of(cell: dict) -> dict:
  """The config of a cell: 8 px, width 4, batch 8."""
  needs = lookup.build('gan_jax.losses', dict(name=cell['loss'])).needs
  judge = 'autoencoder' if needs else 'dcgan'
  config = experiment.plain(recipe.base())
  generator = dict(name='dcgan.Generator', width=4, norm=cell['gen_norm'],
                   weight_norm=cell['weight_norm'], conditioning=(
                       'onehot' if cell['conditioning'] != 'none' else 'none'))
  discriminator = dict(name=f'{judge}.Discriminator', width=4,
                       norm=cell['disc_norm'],
                       weight_norm=cell['weight_norm'],
                       conditioning=cell['conditioning'])
  latent = 'infogan' if cell['penalty'] == 'infogan' else 'normal'
  game = cell['game']
  return config | dict(
      data=dict(name='noise', shape=(8, 8, 3), num_examples=64,
                num_classes=3),
      batch_size=8, latent=dict(name=latent), generator=generator,
      discriminator=discriminator, loss=dict(name=cell['loss']),
      penalties=() if cell['penalty'] == 'none' else (
          dict(name=cell['penalty'], weight=0.1),),
      augment=() if cell['augment'] == 'none' else (
          dict(name=cell['augment']),),
      packing=2 if game == 'packing' else 1,
      unrolled_steps=1 if game == 'unrolled' else 0,
      updates='simultaneous' if game == 'simultaneous' else 'alternating',
      gradient_normalization=game == 'gradient_normalization',
      disc_optimizer=dict(name='adam', learning_rate=2e-4, eps_root=1e-12),
      train_steps=3, steps_per_call=3, log_every=3, sample_every=0,
      eval_every=0, checkpoint_every=0)


def play(cell: dict) -> str:
  """'ok', 'refused: why', or 'failed: how'."""
  try:
    run = experiment.load(config_of(cell))
  except ConfigError as error:
    return 'refused: ' + '; '.join(p.rule for p in error.problems)
  mesh = parallel.make_mesh(1)
  runner = parallel.make_runner(run.step, mesh, seed=0, image_range=(-1., 1.))
  before = jax.tree.map(np.array, run.init())
  after, scalars = runner(
      parallel.replicate(before, mesh), parallel.replicate(
          parallel.Data(np.asarray(run.source.images), run.source.labels),
          mesh),
      run.batches(0, 3).reshape(3, 1, -1))
  bad = [name for name, value in scalars.items()
         if not np.isfinite(value).all()]
  still = [player for player in ('gen', 'disc') if all(
      np.array_equal(a, b) for a, b in zip(
          jax.tree.leaves(getattr(before, player).params),
          jax.tree.leaves(getattr(after, player).params), strict=True))]
  if bad or still:
    return f'failed: not finite {bad}, does not move {still}'
  return 'ok'


def main(argv=None) -> int:
  """Plays the cells; the exit status is the number of failures, at most 1."""
  parser = argparse.ArgumentParser()
  parser.add_argument('--cells', type=int, default=0, help='0: all it takes')
  parser.add_argument('--seed', type=int, default=0)
  parser.add_argument('--played', default='', help='lines of an earlier run, '
                      'whose cells are not played again')
  args = parser.parse_args(argv)
  counts, lost, start = collections.Counter(), [], time.perf_counter()
  cells = cross(args.seed, _guarded, _read(args.played))
  for cell, outcome, given_up in itertools.islice(cells, args.cells or None):
    kind = outcome.split(':')[0]
    counts[kind] += 1
    lost += given_up
    print(json.dumps({**cell, 'outcome': outcome, 'seconds': round(
        time.perf_counter() - start, 1)}), flush=True)
    if kind != 'refused':
      jax.clear_caches()
    start = time.perf_counter()
  print(json.dumps({**counts, 'pairs_never_played': [
      f'{a}={x}, {b}={y}' for a, x, b, y in lost]}), flush=True)
  return int(counts['failed'] > 0)


def _read(path):
  """The cells of a file that played."""
  if not path:
    return []
  with open(path) as file:
    rows = [json.loads(line) for line in file]
  return [row for row in rows if row.get('outcome') == 'ok']


def _guarded(cell) -> str:
  try:
    return play(cell)
  except Exception as error:  # A cell that breaks is what is looked for.
    return f'failed: {type(error).__name__}: {str(error)[:300]}'


if __name__ == '__main__':
  sys.exit(main())
