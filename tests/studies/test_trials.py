"""Games that are played with several seeds."""

from types import SimpleNamespace

import numpy as np
import pytest
import tiny

from gan_jax.base.errors import NonFiniteError
from gan_jax.config import fields, population, recipe
from gan_jax.studies import trials


@pytest.mark.filterwarnings('error')
def test_losses_where_no_run_has_a_score():
  assert np.isnan(trials.losses_of('fd_5k', np.full((4, 2), np.nan))).all()


def test_losses_of_scores():
  """Distances by their logarithm, shares turned round."""
  values = np.array([[1.0, np.e]])
  np.testing.assert_allclose(
      trials.Scores('fd_random_2k_train', values).losses, [[0, 1]])
  np.testing.assert_allclose(
      trials.Scores('high_quality_2500', values).losses, -values)


@pytest.mark.parametrize('rows, words', [
    # Each misses the score of a seed; none has any.
    ([{'fd': [{'value': v}]} for v in (1.0, None, None, 2.0)], 'fd'),
    ([{}] * 4, 'a score')])
def test_games_without_scores_are_no_advice(tmp_path, monkeypatch, rows, words):
  monkeypatch.setattr(trials.populations, 'train', lambda *_, **__: 0)
  rows = iter(rows)
  monkeypatch.setattr(trials, 'Record', lambda _: SimpleNamespace(
      scores=lambda: next(rows)))
  config = fields.plain(recipe.get_config('ring:penalty=r1'))
  games = [{'penalties[0].weight': w} for w in (0.1, 1.0)]
  with pytest.raises(NonFiniteError, match=f'no game has {words} with each'):
    trials.play(config, games, 10, 2, str(tmp_path), 'game')


def test_what_the_data_say_is_said_by_who_plays(tmp_path, monkeypatch, caplog):
  """A study loads them once more for each of its rounds."""
  caplog.set_level('INFO')
  monkeypatch.setattr(trials.populations, 'train', lambda *_, **__: 1)
  config = tiny.config(tiny.write_images(tmp_path / 'few.npz', labels=[
      0] * 38 + [1] * 2))
  population.load(config)
  said = [r.message for r in caplog.records if r.name.startswith(
      'gan_jax.data')]
  assert said  # One class has most images.
  trials.train(config, [({'gen_optimizer.learning_rate': 0.1}, 0)], 2,
               str(tmp_path), rows=1)
  assert said == [r.message for r in caplog.records if r.name.startswith(
      'gan_jax.data')]
