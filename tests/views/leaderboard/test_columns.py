"""Which scores share a column of the leaderboard, and what has none there."""

import json

from finished import fd, write

from gan_jax.views.leaderboard import compare, load


def prc(value):
  return ((100, 'precision_random_2k_train', value, 'x'),)


def test_scores_of_different_extractors_share_no_column(tmp_path):
  write(tmp_path / 'a', weight=1.0, scores=fd(0.3, sha='x'))
  write(tmp_path / 'b', weight=2.0, scores=fd(0.1, sha='y'))
  head, _, *points = compare([str(tmp_path / '*')]).splitlines()[:4]
  assert head.count('fd_random_2k_train (') == 2
  assert [line.count('| - |') for line in points] == [1, 1]


def test_bounds_of_other_settings_share_no_column(tmp_path):
  """Of likelihoods and chains, but not of what makes no other scores."""
  for seed, how in enumerate((
      {}, {'likelihood': 'bernoulli'}, {'temperatures': 9},
      {'sigma': 0.2}, {'num_validation': 9}, {'seed': 1, 'config': 'x'})):
    folder = tmp_path / str(seed)
    write(folder, seed=seed)
    (folder / 'scores.jsonl').write_text(json.dumps(
        {'step': 100, 'name': 'ais_100_train', 'value': 1.0, 'protocol': {
            'likelihood': 'gaussian', 'sigma': 0.1, 'temperatures': 1000,
            'num_validation': 5} | how}) + '\n')
  *different, again = load([str(tmp_path / '*')]).score
  assert len(set(different)) == 5 and again == different[0]


def test_a_score_that_a_point_has_not_is_explained(tmp_path):
  words = 'A - beside scores: these runs were scored by other metrics, or with'
  write(tmp_path / 'a', weight=1.0, scores=fd(0.3) + prc(0.9))
  write(tmp_path / 'b', weight=2.0)  # Said already: it has no scores.
  write(tmp_path / 'c', weight=3.0, scores=fd(None) + prc(None))  # And why.
  write(tmp_path / 'd', weight=4.0, step=30, scores=fd(0.3, step=30))
  assert words not in compare([str(tmp_path / '*')])
  write(tmp_path / 'e', weight=5.0, scores=fd(0.4))
  assert compare([str(tmp_path / '*')]).count(words) == 1
