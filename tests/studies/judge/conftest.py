import pytest

from gan_jax.studies.judge.study import Study


@pytest.fixture
def study(tmp_path):
  """Two tasks by two games, of which none is played."""
  return Study(str(tmp_path), {
      'played': ['ring', 'digits'], 'games': {'idea': 'loss=hinge', 'b': ''},
      'seeds': [0, 1, 2, 3], 'tuning_seeds': [8, 9]})
