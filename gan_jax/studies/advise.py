"""--mode=advise: R1's gamma, D's rate and the EMA for a data set, by probing.

Games of several gammas and ratios of the rates train as a population
(`config.population`) for a tenth of the run, the best of them and the recipe's
own again for three tenths, as in successive halving (Jamieson & Talwalkar 2016,
https://arxiv.org/abs/1502.07943): what learns fast at first need not be the
best. Then several half-lives of the average are tried with the best game. The
scores are those of the config.
"""

import math
import os
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from gan_jax.base.errors import ConfigError, Problem
from gan_jax.base.files import write_json
from gan_jax.config import fields, population
from gan_jax.metrics import low_is_better
from gan_jax.run import lock
from gan_jax.studies.statistics import chances
from gan_jax.studies.trials import numbers, play
from gan_jax.views.templates import fill

_GAMMAS = 0.01, 0.1, 1.0, 10.0, 100.0  # times the recipe's
_RATIOS = 1 / 3, 1.0, 3.0  # times the recipe's rate of D
_SHARES = 0.01, 0.03, 0.1, 0.3  # half-lives of the EMA, of the steps so far
_SEEDS = 2
_ROUNDS = 0.1, 0.3  # of the run's steps
_KEPT = 5  # games of the first round that are in the second
_LEAST = 100  # steps
# Averages as long as the probe asks for: `ema_rampup` alone bounds them.
_AVERAGE = {'ema_decay': 0.999999, 'ema_rampup': 0.05}


class Answer(NamedTuple):
  """What was found of one number.

  what: in words.
  recipe, heuristic: value of the config and of the rule, None if there is none.
  best: value of the best game.
  tried: values, ascending.
  chances: [V] that each is that of the best game.
  """

  what: str
  recipe: float | None
  heuristic: float | None
  best: float
  tried: list[float]
  chances: list[float]

  @property
  def at_the_end(self) -> bool:
    """Whether better values may lie beyond those tried."""
    return self.best in (self.tried[0], self.tried[-1])


def advise(config: Any, folder: str, *,
           given: Sequence[str]) -> tuple[int, str]:
  """Probes a game, and says what to train it with.

  `config.population` is the number of seeds of each game, at least 2. A probe
  that was interrupted goes on by the same command.

  Heuristics: gamma 0.0002 H W / batch, and a half-life of 10,000 / 32 steps
  (Karras et al. 2020, arXiv:2006.06676; `auto` in their code).

  Args:
    config: ConfigDict or mapping, of the whole run.
    folder: for the probes, and advice.json.
    given: --config and its overrides, for the command to train with.

  Returns:
    (exit status of the probes, the advice as text; '' if they were stopped).

  Raises:
    ConfigError: no R1 or R2 with a weight; a list in place of a number; all of
      `population.load`.
    WorkdirError, NonFiniteError: as `run.populations.train`.
  """
  config = fields.plain(config)
  seeds = max(_SEEDS, config['population'])
  config = config | {'population': 1, 'loggers': ()}
  # The best one may be a score that only `scored` adds.
  whole = population.load(config | {'best_metric': ''}).alone(
      'advice is on one game: give one value')
  config = scored(config, len(whole.source.images))
  heuristic = gamma_rule(whole.info.image_shape, config['batch_size'])
  games = games_of(config, heuristic)
  steps = [max(_LEAST, round(whole.train_steps * x)) for x in _ROUNDS]
  probe = config | _AVERAGE
  status, found = _rounds(probe, games, steps, seeds, folder)
  if status:
    return status, ''
  first, kept, second, chance = found
  best = games[int(chance.argmax())]
  for path, value in best.items():
    probe = fields.put(probe, path, value)
  status, smooth = play(probe, [{'ema_rampup': x} for x in _SHARES], steps[0],
                        seeds, folder, 'ema')
  if status:
    return status, ''
  answers = _answers(config, whole.train_steps, games, heuristic,
                     chance.reshape(-1, len(_RATIOS)), chances(smooth.losses))
  flags = best | {'ema_decay': min(0.999999, 0.5 ** (1 / answers[2].best)),
                  'ema_rampup': answers[2].best / whole.train_steps}
  command = shlex.join(['python', '-m', 'gan_jax.main', *given, *(
      f'--config.{path}={value:.9g}' for path, value in flags.items())])
  with lock.writing(folder):
    write_json(os.path.join(folder, 'advice.json'), {
        'score': first.name, 'steps': steps, 'seeds': seeds,
        'answers': [a._asdict() for a in answers],
        'games': games, 'scores': first.values.tolist(),
        'kept': kept, 'kept_scores': second.values.tolist(),
        'chances': chance.tolist(),
        'averages': smooth.values.tolist(), 'command': command})
  return 0, fill(
      'advice.txt', answers=answers, score=first.name, steps=steps, seeds=seeds,
      games=len(games), command=command, lower=low_is_better(first.name),
      table=first.values.mean(1).reshape(-1, len(_RATIOS)),
      ties=int(np.sum((mean := second.losses.mean(1)) == np.nanmin(mean))),
      kept=[(*divmod(i, len(_RATIOS)), value, chance[i])
            for i, value in zip(kept, second.values.mean(1), strict=True)])


def _rounds(config, games, steps, seeds, folder) -> tuple[int, tuple]:
  """Plays all games, and those that are kept for longer.

  Returns:
    (exit status, (scores of all, indices of those kept, their scores, chances
    [G] that each is the best)); () in their place if they were stopped.
  """
  status, first = play(config, games, steps[0], seeds, folder, 'first')
  if status:
    return status, ()
  kept = _kept(config, games, first.losses.mean(1))
  status, second = play(config, [games[i] for i in kept], steps[1], seeds,
                        folder, 'second')
  if status:
    return status, ()
  chance = np.zeros(len(games))
  chance[kept] = chances(second.losses)
  return 0, (first, kept, second, chance)


def _kept(config, games, losses) -> list[int]:
  """Indices of the games of the lowest losses [G], and of the recipe's own."""
  own = next(i for i, game in enumerate(games) if all(
      math.isclose(value, fields.at(config, path))
      for path, value in game.items()))
  best = [int(i) for i in np.argsort(losses) if np.isfinite(losses[i])]
  return sorted({own, *best[:_KEPT]})


def _answers(config, train_steps, games, heuristic, share, averages):
  """The `Answer`s by the chances of games [gammas, ratios] and of averages."""
  weight = _weights(config)[0]
  disc, gen = (fields.at(config, _rates(config, player)[0])
               for player in ('disc', 'gen'))
  ratio = disc / gen
  return (
      _answer("R1's gamma", fields.at(config, weight), heuristic,
              [game[weight] for game in games[::len(_RATIOS)]],
              share.sum(1), share.argmax() // len(_RATIOS)),
      _answer("D's rate / G's", ratio, None, [ratio * x for x in _RATIOS],
              share.sum(0), share.argmax() % len(_RATIOS)),
      _answer('half-life of the EMA, steps', _half_life(config), 312.5,
              [x * train_steps for x in _SHARES], averages, averages.argmax()))


def _answer(what, recipe, heuristic, tried, share, best) -> Answer:
  return Answer(what, recipe, heuristic, tried[best], tried, share.tolist())


def scored(config: dict, examples: int) -> dict:
  """The config, with a Frechet distance of up to 2,000 examples if without."""
  return config if config['evaluators'] else config | {'evaluators': ({
      'name': 'scores', 'metrics': ('fd',),
      'num_samples': min(2000, examples)},)}


def gamma_rule(shape, batch_size: int) -> float | None:
  """StyleGAN2-ADA's gamma for images of a shape, None for other examples."""
  return 0.0002 * shape[0] * shape[1] / batch_size if len(shape) == 3 else None


def games_of(config: dict, heuristic: float | None) -> list[dict]:
  """The games that are played: {path: number} of each.

  Gammas ascending, and for each of them the ratios of the rates ascending.

  Raises:
    ConfigError: no R1 or R2.
  """
  weights = _weights(config)
  gamma = fields.at(config, weights[0])
  gammas = [gamma * factor for factor in _GAMMAS]
  if heuristic and all(abs(math.log2(heuristic / g)) > 1 for g in gammas):
    gammas.append(heuristic)
  return [{path: g * fields.at(config, path) / gamma for path in weights}
          | {path: ratio * fields.at(config, path) for path in _rates(config)}
          for g in sorted(gammas) for ratio in _RATIOS]


def _weights(config) -> list[str]:
  """Paths of gamma, which R1 and R2 share.

  Raises:
    ConfigError: there is none.
  """
  found = [path for i, term in enumerate(config['penalties'])
           if term['name'] in ('r1', 'r2')
           for path in numbers(config, f'penalties[{i}].weight')]
  if config['discriminator']['name'] == 'none.Discriminator':
    raise ConfigError([Problem(
        'discriminator.name', 'none.Discriminator',
        'leaves nothing to advise on: gamma and the ratio of the rates are of '
        'a game of two players')])
  if not found:
    raise ConfigError([Problem(
        'penalties', config['penalties'], 'has no R1 or R2 of a weight above '
        '0, and gamma is to be found; use :penalty=r1')])
  return found


def _rates(config, player='disc') -> list[str]:
  path = f'{player}_optimizer.learning_rate'
  if found := numbers(config, path):
    return found
  raise ConfigError([Problem(path, fields.at(config, path),
                             'is 0; the ratio of the rates is to be found')])


def _half_life(config) -> float | None:
  decay = config['ema_decay']
  if isinstance(decay, Mapping) or not decay:
    return None
  return math.log(0.5) / math.log(decay)
