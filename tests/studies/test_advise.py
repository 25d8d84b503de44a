"""Advice: what is tried, a probe to its end."""

import json

import numpy as np
import pytest

from gan_jax import main
from gan_jax.base.errors import ConfigError
from gan_jax.config import fields, recipe
from gan_jax.studies import advise, statistics
from gan_jax.studies.trials import Scores


def test_the_rule_of_stylegan2_ada():
  """At 256 px with 64 images gamma is 0.2048."""
  assert advise.gamma_rule((256, 256, 3), 64) == pytest.approx(0.2048)
  assert advise.gamma_rule((2,), 64) is None


def test_games_scale_gamma_and_the_rate_with_their_schedules():
  config = fields.plain(recipe.get_config('dcgan:penalty=r1+r2'))
  config = fields.put(config, 'penalties[0].weight', 0.5)
  config = fields.put(config, 'penalties[1].weight', {
      'name': 'cosine', 'init_value': 1.0, 'end_value': 0.1,
      'transition_steps': '100%'})
  games = advise.games_of(config, 0.01)  # near 0.005, so not tried
  assert len(games) == 5 * 3
  assert games[0] == pytest.approx({
      'penalties[0].weight': 0.005, 'penalties[1].weight.init_value': 0.01,
      'penalties[1].weight.end_value': 0.001,
      'disc_optimizer.learning_rate.init_value': 2e-3 / 3})
  assert len(advise.games_of(config, 1e-4)) == 6 * 3
  assert advise.games_of(config, 1e-4)[0]['penalties[0].weight'] == 1e-4


def test_a_small_set_is_scored_with_all_of_it():
  """Of 733 sprites no 2,000 can be compared."""
  config = fields.plain(recipe.get_config('dcgan'))
  assert advise.scored(config, 733)['evaluators'][0]['num_samples'] == 733
  assert advise.scored(config, 10_000)['evaluators'][0]['num_samples'] == 2000
  own = fields.plain(recipe.get_config('dcgan:evaluator=parzen'))
  assert advise.scored(own, 733) == own


def test_the_best_metric_may_be_of_the_scores_that_are_added(
    tmp_path, monkeypatch):
  played = []
  monkeypatch.setattr(advise, 'play', lambda config, *_: (
      played.append(config), (1, None))[1])
  config = recipe.get_config('dcgan:quick')
  config.best_metric = 'fd_classifier_2k_train'
  assert advise.advise(config, str(tmp_path), given=[]) == (1, '')
  assert played[0]['best_metric'] == 'fd_classifier_2k_train'
  assert played[0]['evaluators'][0]['metrics'] == ('fd',)


def test_a_config_without_gamma_is_refused():
  config = fields.plain(recipe.get_config('dcgan:penalty=wgan_gp'))
  with pytest.raises(ConfigError, match='no R1 or R2.*use :penalty=r1'):
    advise.games_of(config, None)


def test_rates_of_zero_are_refused():
  config = fields.plain(recipe.get_config('ring:penalty=r1'))
  config = fields.put(config, 'disc_optimizer.learning_rate', 0.0)
  with pytest.raises(ConfigError, match='learning_rate = 0.0: is 0'):
    advise.games_of(config, None)


def test_a_list_of_values_is_refused(tmp_path):
  config = recipe.get_config('ring:penalty=r1,quick')
  config.ema_decay = (0.9, 0.99)
  with pytest.raises(ConfigError, match='a list makes a population'):
    advise.advise(config, str(tmp_path), given=[])


def test_a_dry_run_trains_nothing(tmp_path, capsys):
  assert main.main(['gan_jax', '--mode=advise', '--config=configs/dcgan.py',
                    '--dry_run', f'--workdir={tmp_path / "new"}']) == 2
  assert '--dry_run is of --mode=train' in capsys.readouterr().err
  assert not (tmp_path / 'new').exists()


def test_the_best_and_the_recipe_s_own_are_played_again():
  """Of losses 14, 13, ..., 0 and a NaN the last five, and game 7."""
  config = fields.plain(recipe.get_config('dcgan'))
  games = advise.games_of(config, None)
  losses = np.arange(15.0)[::-1].copy()
  assert advise._kept(config, games, losses) == [7, 10, 11, 12, 13, 14]
  losses[12] = np.nan
  assert advise._kept(config, games, losses) == [7, 9, 10, 11, 13, 14]
  assert advise._kept(config, games, np.arange(15.0)) == [0, 1, 2, 3, 4, 7]


@pytest.mark.parametrize('last, ties', [(8.0, 2), (7.5, 0)])
def test_games_that_tie_are_told(last, ties, tmp_path, monkeypatch):
  """Of means 8, `last` and NaN; one score alone ties with none."""
  kept = [0, 1, 2]
  second = Scores('modes_2500', np.array([[8, 8], [last] * 2, [np.nan] * 2]))
  config = fields.plain(recipe.get_config('ring:penalty=r1'))
  games = len(advise.games_of(config, None))
  monkeypatch.setattr(advise, '_rounds', lambda *_: (0, (
      Scores('modes_2500', np.full((games, 2), 8.0)), kept, second,
      np.eye(games)[0])))
  monkeypatch.setattr(advise, 'play', lambda *_: (0, Scores(
      'modes_2500', np.full((len(advise._SHARES), 2), 8.0))))
  status, said = advise.advise(config, str(tmp_path), given=['--config=ring'])
  assert status == 0
  assert (f'{ties} of these games share the best score' in said) == bool(ties)
  assert ('share the best score' in said) == bool(ties)


@pytest.fixture
def few(monkeypatch):
  """Four games, of which two or three are kept, and one average."""
  monkeypatch.setattr(advise, '_GAMMAS', (0.1, 1.0))
  monkeypatch.setattr(advise, '_RATIOS', (1.0, 3.0))
  monkeypatch.setattr(advise, '_KEPT', 2)
  monkeypatch.setattr(advise, '_SHARES', (0.1,))
  monkeypatch.setattr(advise, '_LEAST', 20)


@pytest.mark.slow
@pytest.mark.usefixtures('few')
def test_the_command_advises_and_goes_on(tmp_path, capsys, caplog):
  config = ['--config=configs/ring.py:penalty=r1', '--config.train_steps=100',
            '--config.batch_size=32', '--config.best_metric=high_quality_500',
            '--config.evaluators[0].num_samples=500']
  line = ['gan_jax', '--mode=advise', *config, f'--workdir={tmp_path}']
  assert main.main(line) == 0
  text = capsys.readouterr().out
  with open(tmp_path / 'advice.json') as file:
    advice = json.load(file)
  scores = np.array(advice['scores'])
  assert scores.shape == (4, 2) and np.isfinite(scores).all()
  kept = advice['kept']
  assert {2, *np.argsort(-scores.mean(1), stable=True)[:2]} == {*kept}
  gamma, ratio, half_life = advice['answers']
  chances = statistics.chances(-np.array(advice['kept_scores']))
  np.testing.assert_allclose(np.array(advice['chances'])[kept], chances)
  best = advice['games'][kept[int(np.argmax(chances))]]
  assert gamma['best'] == best['penalties[0].weight']
  assert ratio['best'] == pytest.approx(
      best['disc_optimizer.learning_rate'] / 1e-3)
  assert advice['steps'] == [20, 30]
  assert half_life['tried'] == [10.0]
  assert sum(gamma['chances']) == pytest.approx(1)
  assert f'--config.penalties[0].weight={gamma["best"]:.6g}' in text
  assert 'better ones may lie beyond' in text  # both are ends
  # What is advised can be trained as printed.
  command = text[text.index('--config='):].replace("'", '').split()
  assert command[:len(config)] == config
  assert main.main(['gan_jax', '--dry_run', *command]) == 0
  # Again, without training: the runs are finished.
  capsys.readouterr()
  assert main.main(line) == 0
  assert capsys.readouterr().out == text
