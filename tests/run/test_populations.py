"""Members of a population are runs like any other."""

import json
import os
import shutil

import drawing
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny

from gan_jax import parallel
from gan_jax.base.errors import NonFiniteError, StoppedError, WorkdirError
from gan_jax.config import population
from gan_jax.evaluators.score import Score
from gan_jax.run import health, populations, results, train
from gan_jax.run.member import Member
from gan_jax.run.processes import ProcessGroup
from gan_jax.run.states import StackedState

# Rounding: the members' products are those of one run in another order.
CLOSE = dict(rtol=2e-4, atol=2e-5)
LISTS = dict(
    ema_decay=(0.9, 0.5), loss=dict(name='non_saturating',
                                    label_smoothing=(0.0, 0.2)),
    gen_optimizer=dict(name='adam', learning_rate=(0.01, 0.02), b1=0.5))


def load(images, **changes):
  return population.load(tiny.config(images, **changes))


def changed(found, **changes):
  """The population with members changed alike, traced once with `found`."""
  return found._replace(members=tuple(
      member._replace(**changes) for member in found.members))


@pytest.fixture(scope='module')
def two(images):
  """Of two seeds."""
  return load(images, population=2)


@pytest.fixture(scope='module')
def once(two, tmp_path_factory):
  """The folder of its run of four steps."""
  folder = tmp_path_factory.mktemp('once')
  assert populations.train(two, str(folder)) == 0
  return folder


@pytest.fixture(scope='module')
def listed(images):
  """Of lists of numbers."""
  return load(images, **LISTS)


def assert_same_run(found, folder, wanted, experiment):
  """Rows, checkpoint and files of a member and of a lone run."""
  assert sorted(os.listdir(f'{folder}/samples')) == sorted(
      os.listdir(f'{wanted}/samples'))
  for mine, theirs in zip(tiny.rows(folder), tiny.rows(wanted), strict=True):
    assert mine.keys() == theirs.keys()
    np.testing.assert_allclose(list(mine.values()), list(theirs.values()),
                               **CLOSE)
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **CLOSE),
               tiny.saved(found, folder), tiny.saved(experiment, wanted))


@pytest.mark.parametrize('lists', [
    # Two and one row of devices.
    pytest.param(dict(population=2), marks=pytest.mark.slow),
    pytest.param(dict(population=3), marks=pytest.mark.slow),
    pytest.param(dict(population=2, **drawing.PAIR), marks=pytest.mark.slow),
    LISTS,
])
def test_a_member_is_the_lone_run(images, tmp_path, lists, request):
  found = (request.getfixturevalue('listed') if lists is LISTS else
           load(images, **lists))
  assert populations.train(found, str(tmp_path / 'all')) == 0
  for i, member in enumerate(found.members):
    alone = str(tmp_path / f'alone_{i}')
    train.train(member, alone)
    assert_same_run(member, str(tmp_path / 'all' / f'member_{i}'), alone,
                    member)
  if lists is LISTS:  # As they were given, not as float32.
    said = json.loads((tmp_path / 'all' / 'population.json').read_text())
    assert said['member_1'] == {
        'seed': 0, 'ema_decay': 0.5, 'loss.label_smoothing': 0.2,
        'gen_optimizer.learning_rate': 0.02}


def test_examples_that_stream_are_each_members_own(two, once, tmp_path):
  populations.train(changed(two, resident=False), str(tmp_path))
  for i, member in enumerate(two.members):
    assert_same_run(member, str(tmp_path / f'member_{i}'),
                    str(once / f'member_{i}'), member)


@pytest.mark.parametrize('given', [
    dict(population=2),
    # Of a member on each of four devices.
    pytest.param(dict(population=4, batch_size=7), marks=pytest.mark.slow),
    # Compared on two devices, by two members or by one.
    pytest.param(dict(population=2, discriminator=dict(
        name='mlp.Discriminator', widths=(8,), minibatch='std')),
                 marks=pytest.mark.slow),
])
def test_resumed_it_ends_the_same_and_who_is_behind_catches_up(
    images, two, tmp_path, given):
  whole, parts = str(tmp_path / 'whole'), str(tmp_path / 'parts')
  found = two if given == {'population': 2} else load(images, **given)
  populations.train(found, parts)
  found = changed(found, train_steps=6)
  populations.train(found, whole)
  shutil.rmtree(f'{parts}/member_1/checkpoints/4')  # As if killed between.
  populations.train(found, parts)
  for i, member in enumerate(found.members):
    assert_same_run(member, f'{parts}/member_{i}', f'{whole}/member_{i}',
                    member)


def test_what_does_not_fit_trains_in_rounds(two, once, tmp_path, monkeypatch,
                                            caplog):
  caplog.set_level('INFO')
  members = [Member(each, str(tmp_path / str(i)))
             for i, each in enumerate(two.members)]
  with members[0], members[1]:
    needed, data = StackedState(members, two).prepare()
  source = two.members[0].source
  assert data == source.images.nbytes + 4 * len(source.labels)
  # Enough for the call, of one member on each device, but not for the data.
  monkeypatch.setattr(parallel, 'free_bytes', lambda: needed / 0.9 + data / 2)
  populations.train(two, str(tmp_path / 'rounds'))
  assert 'in 2 rounds' in caplog.text
  for i, member in enumerate(two.members):
    assert_same_run(member, str(tmp_path / f'rounds/member_{i}'),
                    str(once / f'member_{i}'), member)


@pytest.fixture(scope='module')
def hot(images):
  """Two of four members are not finite from their first steps on."""
  return load(images, gen_optimizer=dict(
      name='sgd', learning_rate=(0.05, 1e38, 0.02, 1e38)))


def test_a_member_that_is_not_finite_is_frozen_and_stays_so(hot, tmp_path,
                                                            caplog):
  found, folder = hot.some([0, 1, 2]), str(tmp_path)
  caplog.set_level('INFO')
  assert populations.train(found, folder) == 0
  assert 'member_1 is frozen' in caplog.text and 'all at once' in caplog.text
  assert [tiny.finished(f'{folder}/member_{i}')[-1:] for i in range(3)] == [
      [4], [], [4]]
  # Those that went on are not disturbed by it.
  train.train(found.members[2], str(tmp_path / 'alone'))
  assert_same_run(found.members[2], f'{folder}/member_2',
                  str(tmp_path / 'alone'), found.members[2])
  caplog.clear()
  assert populations.train(found, folder) == 0
  assert 'to try again' in caplog.text


def test_with_no_member_left_the_run_has_failed(hot, tmp_path):
  with pytest.raises(NonFiniteError, match='all members are frozen'):
    populations.train(hot.some([1, 3]), str(tmp_path))


def test_members_of_one_loss_share_its_equilibrium(two, listed, tmp_path,
                                                   monkeypatch):
  seen = []
  monkeypatch.setattr(results, 'equilibrium', lambda loss, _: (
      seen.append(loss), {'loss/disc': len(seen)})[1])
  for name, found, levels in (('one', two, [1, 1]), ('two', listed, [2, 3])):
    members = []
    monkeypatch.setattr(populations, 'Member', lambda *args, kept=members, **
                        more: kept.append(Member(*args, **more))
                        or kept[-1])
    assert populations.train(changed(found, train_steps=2),
                             str(tmp_path / name), pictures=False) == 0
    assert [each.results.levels['loss/disc'] for each in members] == levels
    # No curves, but what was found.
    folder = tmp_path / name / 'member_0'
    assert (folder / 'report.md').exists()
    assert not (folder / 'curves.png').exists()
    assert [each.name for each in (folder / 'samples').iterdir()] == [
        'step_00000002.png']


def test_it_is_of_one_process(two, tmp_path):
  with pytest.raises(WorkdirError, match='one process, and there are 2'):
    populations.train(two, str(tmp_path), group=ProcessGroup(0, 2))


@pytest.mark.parametrize('count, fitting, rows, want', [
    (8, 8, 1, 8), (8, 3, 1, 3), (8, 0, 1, 1), (8, -5, 4, 1),
    (8, 2, 4, 8), (8, 1, 4, 4),  # Four rows have two, or one, each.
    (3, 1, 4, 3),  # One row is idle.
    (5, 1, 4, 4),  # Five would lie in one row.
])
def test_as_many_train_at_once_as_fit(count, fitting, rows, want):
  assert populations.round_size(count, fitting, rows) == want


def test_a_population_that_the_watchdog_stopped_stays_so(two, tmp_path,
                                                         monkeypatch):
  found = two._replace(members=tuple(member._replace(
      config=member.config | {'watchdog': dict(policy='stop', max_rollbacks=0)})
                                     for member in two.members))
  # As soon as there is a row, also one of the run before.
  monkeypatch.setattr(health.Guard, 'verdict', property(
      lambda self: 'enough' if self._last else '', lambda self, value: None),
                      raising=False)
  for _ in range(2):
    with pytest.raises(NonFiniteError, match='enough'):
      populations.train(found, str(tmp_path))


def test_a_bad_state_at_the_last_save_is_one_members(two, tmp_path):
  found, good = changed(two, checkpoint_every=0), two.step

  def step(state, batch, key, **kwargs):
    state, scalars = good(state, batch, key, **kwargs)
    bad = jnp.where(key_of(key) == key_of(jax.random.key(0)), jnp.inf, 1.0)
    return state.replace(ema=jax.tree.map(lambda x: x * bad, state.ema)), (
        scalars)

  def key_of(key):
    return jax.random.key_data(key)[-1]

  assert populations.train(found._replace(step=step), str(tmp_path)) == 0
  assert [tiny.finished(f'{tmp_path}/member_{i}') for i in range(2)] == [
      [], [4]]


def test_a_run_and_a_population_do_not_share_a_folder(two, once, four_steps):
  with pytest.raises(WorkdirError, match='holds a population'):
    populations.train(two.some([0]), str(once))
  with pytest.raises(WorkdirError, match='holds a lone run'):
    populations.train(two, str(four_steps))


def test_its_folder_is_no_run_and_names_its_members(once, tmp_path, cli):
  status, _, said = cli('--mode=sample', f'--workdir={once}')
  assert status == 4 and 'is a population' in said and 'member_0' in said
  status, printed, _ = cli('--mode=sample', '--num_samples=4',
                           f'--out={tmp_path}/a.png',
                           f'--workdir={once / "member_1"}')
  assert status == 0 and '4 images of step 4' in printed


@pytest.fixture(scope='module')
def scored(two):
  return two._replace(members=tuple(member._replace(
      eval_every=2, train_steps=6, evaluators=[
          lambda sample: [Score('ones', 1.0)]],
      config=member.config | {'evaluators': ({'name': 'ones'},)})
                                    for member in two.members))


def test_a_rule_stops_members_with_a_checkpoint_and_others_go_on(
    scored, tmp_path):
  found, folders = scored, [str(tmp_path / name) for name in 'ab']
  asked = []

  def stopping(step, rows):
    asked.append((step, [*rows], [row['eval/ones'] for row in rows.values()]))
    return {folders[1]: 'bad'} if step == 2 else {}

  assert populations.train(found, '', folders=folders, stopping=stopping) == 0
  # Of the last score it is not asked.
  assert asked == [(2, folders, [1.0] * 2), (4, folders[:1], [1.0])]
  assert [tiny.finished(folder)[-1:] for folder in folders] == [[6], [2]]
  for i, folder in enumerate(folders):
    assert not os.path.exists(f'{folder}/population.json')
    # Of seeds, which share a step, to trace and compile it once.
    alone = found.members[i]._replace(step=found.members[0].step)
    # Alone it goes on to the end that it would have had.
    train.train(alone, folder)
    train.train(alone, str(tmp_path / f'alone_{i}'))
    assert_same_run(alone, folder, str(tmp_path / f'alone_{i}'), alone)


def test_a_rule_stops_a_lone_run(scored, tmp_path):
  folder = str(tmp_path / 'a')
  with pytest.raises(StoppedError, match='bad'):
    populations.train(scored.some([0]), '', folders=[folder],
                      stopping=lambda step, rows: {folder: 'bad'})
  assert tiny.finished(folder) == [2]
