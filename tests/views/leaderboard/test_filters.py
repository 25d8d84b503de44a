"""--where: its grammar, and which runs it selects."""

import pytest
from finished import fd, write

from gan_jax.base.errors import RequestError, WorkdirError
from gan_jax.views.leaderboard import store
from gan_jax.views.leaderboard.filters import Condition, parse


@pytest.mark.parametrize('text, found', [
    ('', []),
    ('loss.name=hinge', [('loss.name', '=', ('hinge',))]),
    (' a >= 64 , b!=c', [('a', '>=', (64.0,)), ('b', '!=', ('c',))]),
    ('a<-1.5e-3,a>.5,a<=2', [('a', '<', (-0.0015,)), ('a', '>', (0.5,)),
                             ('a', '<=', (2.0,))]),
    ('penalties[0].name=r1|r2', [('penalties[0].name', '=', ('r1', 'r2'))]),
    ('a="x,y|z",b=\'=\'', [('a', '=', ('x,y|z',)), ('b', '=', ('=',))]),
    ('fd_5k (ab12cd)<3', [('fd_5k (ab12cd)', '<', (3.0,))]),
    ('a=,b=true|NONE', [('a', '=', ('',)), ('b', '=', ('True', 'None'))])])
def test_what_a_filter_says(text, found):
  assert parse(text) == [Condition(*one) for one in found]


@pytest.mark.parametrize('text, words', [
    ('hinge', "'hinge' is not KEY=VALUE"), ('=hinge', "'=hinge' is not"),
    ('a=b=c', "'a=b=c' is not"), ('a==b', "'a==b' is not"),
    ('a<b', "'a<b': < needs a number"), ('a>=nan', '>= needs a number'),
    ('a=1,', "'' is not KEY=VALUE"), (',a=1', "'' is not KEY=VALUE"),
    ('a="b', 'has a quote that does not end'),
    ('a="b"c', "'a=\"b\"c' is not"),
    ('x,a<b', "'x' is not KEY=VALUE; = != < <= > >= compare, commas join; "
     "'a<b': < needs a number")])
def test_a_filter_that_cannot_be_read(text, words):
  with pytest.raises(RequestError) as e:
    parse(text)
  assert words in str(e.value) and f'--where={text}: ' in str(e.value)


@pytest.fixture(scope='module')
def root(tmp_path_factory):
  """Runs 0 to 4 that differ in all that can be asked."""
  root = tmp_path_factory.mktemp('runs')
  made = (dict(batch_size=64, scores=fd(0.5)),
          dict(batch_size=128, loss={'name': 'wasserstein'}, scores=fd(3.0),
               penalties=[]),
          dict(batch_size=256.0, best_metric='fd,x', step=30, flip=True),
          dict(batch_size='64', scores=fd(None), flip=False),
          dict(batch_size=9, loss={'name': "a'b"}, sample_grid=[8, 8],
               scores=fd(0.1, sha='y')))
  for i, keys in enumerate(made):
    write(root / str(i), seed=i, **keys)
  return root


@pytest.mark.parametrize('where, names', [
    ('loss.name=hinge', '023'), ('loss.name!=hinge', '14'),
    ('loss.name=hinge|wasserstein', '0123'), ('loss.name=w*', '1'),
    ('loss.name!=*e*', '4'), ('loss.name="a\'b"', '4'),
    ('batch_size>=64', '012'), ('batch_size<100', '04'),
    ('batch_size=64', '03'), ('batch_size=256', '2'), ('batch_size!=64', '124'),
    ('batch_size>64,batch_size<=128', '1'),
    ('penalties[0].weight>0', '0234'), ('penalties[0].name!=r1', '1'),
    ('penalties[*].name=r1', None), ('best_metric="fd,x"', '2'),
    ('flip=true', '2'), ('flip=False', '3'), ('flip!=true', '0134'),
    ('sample_grid="[8, 8]"', '4'), ('seed=1|3', '13'),
    ('status=finished', '0134'), ('status=stopped', '2'),
    ('status!=finished', '2'), ('step>30', '0134'), ('images>=6400', '01'),
    ('folder=3', '3'), ('fd_random_2k_train<3', '04'),
    ('fd_random_2k_train<=3,status=finished', '014'),
    ('fd_random_2k_train=0.5', '0'), ('fd_random_2k_train!=0.5', '1234'),
    ('seconds>0', '')])
def test_which_runs_it_selects(root, where, names):
  if names is None:
    with pytest.raises(RequestError, match='no run has the key penalties'):
      store.read([str(root)], where)
  elif not names:
    with pytest.raises(WorkdirError, match='none of the 5 runs'):
      store.read([str(root)], where)
  else:
    assert ''.join(run.folder[-1] for run in store.read(
        [str(root)], where)) == names


def test_a_score_by_its_hash(root):
  name = store.read([str(root / '4')])[0].scores[0].score
  found = store.read([str(root)], f'{name}<1')
  assert [run.folder[-1] for run in found] == ['4']


def test_all_unknown_keys_are_named_with_near_ones(root):
  with pytest.raises(RequestError) as e:
    store.read([str(root)], 'los.name=hinge,batch_size=1,fd_random_2k=1')
  said = str(e.value)
  assert 'no run has the key los.name; did you mean "loss.name"?' in said
  assert 'the key fd_random_2k; did you mean "fd_random_2k_train"' in said
  assert 'batch_size;' not in said


@pytest.mark.parametrize('value', [
    "x' OR '1'='1", 'x"; DROP TABLE runs; --', "'); DELETE FROM runs; --", '?',
    '%', '_'])
def test_a_value_is_never_a_part_of_the_question(root, value):
  quoted = f"'{value}'" if '"' in value else f'"{value}"'
  with pytest.raises((WorkdirError, RequestError)):
    store.read([str(root)], f'loss.name={quoted}')
  with pytest.raises((WorkdirError, RequestError)):
    store.read([str(root)], f'{value}=1')
  assert len(store.read([str(root)])) == 5


def test_what_differs_is_of_the_selected_runs(root):
  found = store.read([str(root)], 'loss.name=hinge,seed=0|3')
  assert [run.settings for run in found] == [
      {'batch_size': 64}, {'batch_size': '64', 'flip': False}]
