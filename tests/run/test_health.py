"""Each detector on rows made by hand, and what is made of its findings."""

from types import SimpleNamespace

import pytest

from gan_jax.config import key_rules, keys
from gan_jax.run import health
from gan_jax.run.detectors import LONG, WINDOW, Watchdog

LEVELS = {'loss/disc': 1.386, 'loss/gen': 0.693, 'auc': 0.5}
HEALTHY = {
    'loss/disc': 1.2, 'loss/gen': 0.9, 'prob/real': 0.6, 'prob/fake': 0.4,
    'logits/real': 0.4, 'logits/fake': -0.4, 'logits/held_out': 0.4,
    'gap/logits': 0.0, 'auc': 0.7, 'grad_norm/gen': 1.0, 'grad_norm/disc': 1.0,
    'pairwise/real': 10.0, 'pairwise/fake': 9.0}


def rows(count, first=1, **changes):
  """Rows that differ from a healthy game; a function is asked by the row."""
  return [{'step': first + i, **HEALTHY, **{
      k: v(i) if callable(v) else v for k, v in changes.items()}}
          for i in range(count)]


def found(rows, *, levels=None, steps=10, **kwargs):
  """[(name, step)] of all findings, after a warm-up of one step."""
  dog = Watchdog(LEVELS if levels is None else levels, steps, **kwargs)
  return [(f.name, f.step) for row in rows for f in dog.see(row)]


def test_a_healthy_game_is_silent():
  assert found(rows(3 * LONG)) == []


SATURATED = {'auc': 1.0, 'prob/fake': 0.0}


def noisy(high, low):
  return lambda i: high if i % 2 else low


# Scalars of a game, the same just short of the threshold, and the levels.
CASES = {
    'saturated': ({'auc': 0.9995, 'prob/fake': 0.019},
                  {'auc': 0.9985, 'prob/fake': 0.019}),
    'collapse': ({'pairwise/fake': 2.4}, {'pairwise/fake': 2.6}),
    # r_v = gap / (gap + held-out - fake) = 1 / (1 + 0.9), 1 / (1 + 1.1).
    'overfitting': (
        {'gap/logits': noisy(1.1, 0.9), 'logits/held_out': 0.5},
        {'gap/logits': noisy(1.1, 0.9), 'logits/held_out': 0.7}),
}


@pytest.mark.parametrize('name', CASES)
def test_a_detector_fires_at_its_threshold_and_not_before(name):
  ill, well = CASES[name]
  assert found(rows(30, **ill)) == [(name, WINDOW)]
  assert found(rows(30, **well)) == []


@pytest.mark.parametrize('high, low, period, fires', [
    (0.95, 0.55, 4, True), (0.89, 0.55, 4, False), (0.95, 0.61, 4, False),
    (0.95, 0.55, 30, False), (0.95, 0.55, 1, True)])
def test_oscillation_is_winning_and_losing_in_turn(high, low, period, fires):
  some = rows(3 * LONG, auc=lambda i: high if i // period % 2 else low)
  assert [name for name, _ in found(some)] == ['oscillation'] * fires


@pytest.mark.parametrize('now, fires', [(0.9e-3, True), (1.1e-3, False)])
def test_vanishing_is_relative_to_the_highest_of_the_run(now, fires):
  got = found(rows(30) + rows(30, 31, **{'grad_norm/gen': now}))
  # The median of ten is between two values with five small ones.
  assert got == ([('vanishing', 30 + WINDOW // 2 + 1)] if fires else [])


@pytest.mark.parametrize('before, steps, want', [
    (4.5, 400, None),  # Young until step 120, warm from 40 on.
    (5.5, 400, 41), (4.5, 200, 61), (9.0, 200, 36), (4.5, 100, 36)])
def test_a_young_generator_may_be_all_alike_unless_it_has_fallen(
    before, steps, want):
  some = rows(30, **{'pairwise/fake': before}) + rows(60, 31, **{
      'pairwise/fake': 2.4})
  assert found(some, steps=steps) == ([('collapse', want)] if want else [])


@pytest.mark.parametrize('gradient, ratio, fires', [
    (0.09, 0.9e-5, True), (0.09, 1.1e-5, False), (0.11, 0.9e-5, False)])
def test_a_gradient_gone_from_the_start_shows_in_the_weights(
    gradient, ratio, fires):
  got = found(rows(30) + rows(30, 31, **{
      'grad_norm/gen': gradient, 'update_ratio/gen': ratio}))
  assert [name for name, _ in got] == ['vanishing'] * fires


def test_one_spike_of_the_gradient_is_not_its_highest():
  got = found(rows(20) + rows(1, 21, **{'grad_norm/gen': 1e6})
              + rows(20, 22, **{'grad_norm/gen': 0.1}))
  assert got == []


@pytest.mark.parametrize('swing, fires', [(0.95, True), (1.03, False)])
def test_a_gap_that_noise_explains_is_no_overfitting(swing, fires):
  """Of ten rows 1 +- b the deviation is b sqrt(10 / 9), three errors are b."""
  loud = {'gap/logits': noisy(1 + swing, 1 - swing), 'logits/held_out': 0.5}
  assert found(rows(30, **loud)) == ([('overfitting', WINDOW)] if fires else [])


@pytest.mark.parametrize('changes, fires', [
    ({'prob/fake': 0.021, 'loss/disc': 0.07}, False),
    ({'prob/fake': 0.5, 'loss/disc': 0.069}, True)])
def test_a_discriminator_without_mistakes_may_still_teach(changes, fires):
  got = found(rows(30, auc=1.0, **changes))
  assert got == ([('saturated', WINDOW)] if fires else [])


def test_a_critic_may_rank_all_pairs_rightly():
  assert found(rows(30, **SATURATED), levels={'loss/disc': 0.0}) == []
  assert found(rows(30, **SATURATED), levels={}) == []


@pytest.mark.parametrize('score, before, after, name', [
    ('eval/authenticity_random_2k_train', 0.7, 0.34, 'memorisation'),
    ('eval/authenticity_random_2k_train', 0.7, 0.36, None),
    ('eval/authenticity_random_2k_train', 0.7, None, None),
    ('eval/classes_classifier_2k_train', 10.0, 4.0, 'collapse'),
    ('eval/classes_classifier_2k_train', 10.0, 6.0, None),
    ('eval/classes_classifier_2k_train', 4.0, 4.0, None),
    ('eval/modes_2500', 8.0, 3.0, 'collapse'),
    ('eval/hit_26k', 1000.0, 100.0, 'collapse'),
    ('eval/effective_26k', 900.0, 90.0, 'collapse'),
    ('eval/fd_my_classes_2k_train', 10.0, 1.0, None),
    ('eval/fd_random_10k_train', 10.0, 1.0, None)])
def test_scores_are_seen_where_there_are_any(score, before, after, name):
  some = rows(40)
  some[14][score], some[29][score] = before, after
  assert found(some) == ([(name, 30)] if name else [])


@pytest.mark.parametrize('floor, name', [(0.5, None), (0.7, 'memorisation')])
def test_a_score_is_compared_with_its_floor(floor, name):
  some = rows(20)
  some[14] |= {'eval/authenticity_x': 0.3, 'eval/authenticity_x_floor': floor}
  assert found(some) == ([(name, 15)] if name else [])


@pytest.mark.parametrize('value', [None, float('nan'), float('inf')])
def test_what_is_no_number_is_found_at_once(value):
  assert found(rows(1, **{'grad_x/real': value}), steps=1000) == [
      ('non-finite', 1)]


def test_nothing_is_said_in_the_warm_up():
  ill = rows(60, **SATURATED)
  assert found(ill, steps=400) == [('saturated', 41)]


def test_a_finding_is_told_once_and_again_after_it_has_gone():
  parts = (rows(20, **SATURATED), rows(3, 21), rows(20, 24, **SATURATED),
           rows(40, 44), rows(20, 84, **SATURATED))
  got = found([row for part in parts for row in part])
  assert [name for name, _ in got] == ['saturated'] * 2
  assert got[0] == ('saturated', WINDOW) and 84 < got[1][1] < 84 + WINDOW


def test_it_holds_until_it_has_been_away_for_a_window():
  dog = Watchdog(LEVELS, 10)
  dog.see(rows(1, auc=None)[0])
  for row in rows(WINDOW - 1, 2):
    dog.see(row)
  assert list(dog.holding) == ['non-finite']
  dog.see(rows(1, WINDOW + 1)[0])
  assert dog.holding == {}


def test_windows_begin_anew_after_each_rollback():
  assert found(rows(60, **SATURATED), restored=(20, 40)) == [
      ('saturated', start + WINDOW) for start in (0, 20, 40)]


def test_missing_scalars_are_no_reason_to_fail():
  assert found([{'step': i} for i in range(1, 60)]) == []
  assert found([{'step': i, **SATURATED} for i in range(1, 60)]) == [
      ('saturated', WINDOW)]


def test_every_finding_says_what_to_try():
  cases = {name: case[0] for name, case in CASES.items()}
  for name, changes in cases.items():
    dog = Watchdog(LEVELS, 10)
    finding, = [f for row in rows(30, **changes) for f in dog.see(row)]
    assert finding.name == name
    assert ': ' in finding.text and finding.advice.startswith('Try ')


# --- the report and the config ---------------------------------------------


def test_the_report_is_a_table_in_the_order_of_steps():
  dog = Watchdog(LEVELS, 10)
  some = rows(20) + rows(20, 21, **SATURATED) + rows(20, 41, **{
      'grad_norm/gen': 1e-9})
  all_found = [f for row in some for f in dog.see(row)]
  record = [dict(attempt=1, restored=8, name='collapse', step=9,
                 text='mode collapse: all alike', advice='Try this')]
  lines = health.report(all_found, record, 60).splitlines()
  table = [line for line in lines if line.startswith('|')]
  assert [line.count(' | ') for line in table[0:1] + table[2:]] == [3] * 4
  steps = [line.split(' ')[1] for line in table[2:]]
  assert steps == ['9', str(all_found[0].step), str(all_found[1].step)]
  assert 'rolled back to step 8, attempt 1' in table[2]
  assert '99.' in table[3] or '100.00 %' in table[3]


def test_the_report_of_a_healthy_run():
  assert 'Nothing, up to step 1,200.' in health.report([], [], 1200)
  assert '\nMuch unseen.\n' in health.report([], [], 1200, 'much unseen')


@pytest.mark.parametrize('count, disc, held_out, said', [
    (9, True, True, 'no findings; most was not looked for yet: that takes 10'),
    (10, True, None, 'no findings; overfitting was not looked for: no'),
    (10, True, True, 'no findings'), (10, None, None, 'no findings')])
def test_what_could_not_be_looked_for_is_said(
    tmp_path, count, disc, held_out, said):
  run = SimpleNamespace(
      config={'watchdog': dict(policy='warn', max_rollbacks=0)},
      train_steps=count, game=SimpleNamespace(disc=disc),
      source=SimpleNamespace(held_out=held_out))
  guard = health.Guard(run, tmp_path, LEVELS, rows(count), count)
  assert guard.findings.startswith(said)
  guard.write_report()
  unseen = guard.findings.partition('; ')[2]
  assert (unseen[1:] in (tmp_path / 'report.md').read_text()) and (
      ';' in said or not unseen)


@pytest.mark.parametrize('spec, paths', [
    (dict(policy='warn', max_rollbacks=0), []),
    (dict(policy='halt', max_rollbacks=-1), ['watchdog.policy',
                                             'watchdog.max_rollbacks']),
    (dict(policy='stop', max_rollbacks=True), ['watchdog.max_rollbacks']),
    (dict(polcy='stop', max_rollbacks=1), ['watchdog.polcy',
                                           'watchdog.policy']),
    ('stop', ['watchdog'])])
def test_all_that_is_wrong_with_the_config_is_named(spec, paths):
  config = keys.filled({'watchdog': spec})
  assert [p.path for p in key_rules.check(config)] == paths


def test_a_mistyped_policy_is_refused_with_all_the_rest(tmp_path, cli):
  status, _, said = cli(
      '--config=critic_mlp:quick', f'--workdir={tmp_path}',
      '--config.watchdog.policy=halt', '--config.watchdog.max_rolback=1',
      '--config.batch_size=0')
  assert status == 2
  for words in ("config.watchdog.policy = 'halt'", 'did you mean '
                '"max_rollbacks"', 'config.batch_size = 0'):
    assert words in said


def test_few_classes_from_the_start_are_a_collapse_after_youth():
  some = rows(60, first=1)
  for row in some[::20]:
    row |= {'eval/classes_x': 4.0, 'eval/classes_x_floor': 10.0}
  # Youth ends after 30 % of 100 steps; the finding holds between the scores.
  assert found(some, steps=100) == [('collapse', 31)]
  some[40]['eval/classes_x'] = 6.0
  assert found(some, steps=100) == [('collapse', 31)]
  assert found(rows(60), steps=100) == []


def test_a_finding_by_a_score_holds_until_another_score():
  some = rows(5 * WINDOW)
  some[WINDOW]['eval/authenticity_x'] = 0.1
  some[3 * WINDOW]['eval/authenticity_x'] = 0.1  # Not found anew.
  dog = Watchdog(LEVELS, 10)
  assert [f.name for row in some for f in dog.see(row)] == ['memorisation']
  assert 'memorisation' in dog.holding
  for row in rows(WINDOW, first=100, **{'eval/authenticity_x': 0.7}):
    dog.see(row)
  assert not dog.holding
