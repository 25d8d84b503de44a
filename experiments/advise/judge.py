"""Is the advice any good? The advised game beside a grid search.

  python experiments/advise/judge.py ring grid digits clothes >> results.jsonl

The games that `--mode=advise` probes are played to the end here, with other
seeds. A JSON line per data set: their scores, and those of
the recipe's own game, of the rule's gamma and of the advised game.
"""

import argparse
import json
import os
import sys
import time

import numpy as np
from scipy import stats

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', '..'))
from gan_jax.config import fields, population, recipe  # noqa: E402
from gan_jax.studies import advise, trials  # noqa: E402

# (config, steps of a whole run, overrides).
CASES = {
    'ring': ('ring:penalty=r1', 4000, {
        'penalties[0].weight': 0.1, 'best_metric': 'high_quality_2500'}),
    'grid': ('ring:penalty=r1,data=grid', 4000, {
        'penalties[0].weight': 0.1, 'best_metric': 'high_quality_2500'}),
    'digits': ('dcgan', 1500, {}),
    'clothes': ('dcgan:data=fashion_mnist', 1500, {}),
    'sprites': ('sprites:penalty=r1', 1000, {
        'data.resize': (32, 32), 'generator.width': 16,
        'discriminator.width': 16, 'discriminator.norm': 'none',
        'batch_size': 16, 'penalties[0].weight': 1.0}),
}
_OTHER = 1000  # added to the seeds of the probe


def _config(name, path):
  """The config of a case, with the folder of sprites if one is given."""
  argument, steps, changes = CASES[name]
  config = fields.plain(recipe.get_config(argument))
  if path and name == 'sprites':
    changes = changes | {'data.path': path}
  for key, value in ({'train_steps': steps} | changes).items():
    config = fields.put(config, key, value)
  return config


def judge(name: str, folder: str, path: str) -> dict:
  """Probes and searches; the line of a data set."""
  argument, steps, _ = CASES[name]
  config = _config(name, path)
  start = time.monotonic()
  status, text = advise.advise(config, folder, given=[f'--config={argument}'])
  if status:
    sys.exit(status)
  print(text, file=sys.stderr)
  probed = time.monotonic() - start
  with open(os.path.join(folder, 'advice.json')) as file:
    advice = json.load(file)
  config |= {'seed': config['seed'] + _OTHER, 'loggers': ()}
  whole = population.load(config).members[0]
  config = advise.scored(config, len(whole.source.images))
  games = advise.games_of(config, advise.gamma_rule(
      whole.info.image_shape, config['batch_size']))
  status, found = trials.play(config, games, steps, advice['seeds'], folder,
                              'search')
  if status:
    sys.exit(status)
  means, kept = found.losses.mean(1), advice['kept']
  own = {path: fields.at(config, path) for path in games[0]}
  gamma, ratio = advice['answers'][:2]

  def score(index):
    return found.values[index].mean()

  def with_gamma(value, games=games):
    """The game of a gamma and the recipe's ratio."""
    path = next(iter(games[0]))
    return next(i for i, game in enumerate(games)
                if np.isclose(game[path], value)
                and all(np.isclose(game[p], own[p]) for p in own
                        if p.startswith('disc_optimizer')))

  def agreement(values, games):
    """Rank correlation of the scores of a probe with those at the end."""
    probe = trials.losses_of(advice['score'], np.array(values)).mean(1)
    return float(stats.spearmanr(probe, means[games])[0])

  advised = int(np.argmax(advice['chances']))
  rule = gamma['heuristic']
  tried = [x for x in gamma['tried'] if rule and abs(np.log2(rule / x)) <= 1]
  return {
      'data': name, 'config': argument, 'steps': steps,
      'probe_steps': advice['steps'], 'seeds': advice['seeds'],
      'score': found.name, 'games': len(games),
      'recipe': score(with_gamma(gamma['recipe'])),
      'rule': score(with_gamma(tried[0])) if tried else None,
      'advised': score(advised), 'best': score(int(np.argmin(means))),
      'rank': int((means < means[advised]).sum()) + 1,
      'said': advice['chances'][advised],
      'rank_correlations': [agreement(advice['scores'], slice(None)),
                            agreement(advice['kept_scores'], kept)],
      'gamma': gamma['best'], 'ratio': ratio['best'],
      'half_life': advice['answers'][2]['best'],
      'seconds': [round(probed), round(time.monotonic() - start - probed)]}


def main():
  """Prints a line per data set."""
  parser = argparse.ArgumentParser()
  parser.add_argument('cases', nargs='+', choices=CASES)
  parser.add_argument('--folder', default='runs/advise')
  parser.add_argument('--sprites', default='', help='folder of PNGs')
  args = parser.parse_args()
  for name in args.cases:
    print(json.dumps(judge(name, os.path.join(args.folder, name),
                           args.sprites)), flush=True)


if __name__ == '__main__':
  main()
