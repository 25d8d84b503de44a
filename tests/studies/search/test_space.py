"""The language of a search space, and that it is the one of sweep.sh."""

import re
import shlex
import subprocess

import optuna
import pytest
import tiny

from gan_jax.base.errors import RequestError
from gan_jax.studies.search.space import Axis, arguments, parse


def test_ranges_and_choices():
  space = parse(['gen_optimizer.learning_rate=1e-5..1e-3:log',
                 'disc_steps=1..3', 'x=-1..1.5', ':loss=a,b',
                 'generator.widths=(8,4),(16,)', 'penalties[0].weight=1,10',
                 'seed=0,7', 'y='])
  rate, steps, x, loss, widths, weight, y = space.axes.values()
  assert rate == Axis('gen_optimizer.learning_rate', (), 1e-5, 1e-3, True)
  assert steps == Axis('disc_steps', (), 1, 3, False, True)
  assert x == Axis('x', (), -1.0, 1.5)
  assert widths.values == ('(8,4)', '(16,)')
  assert loss == Axis(':loss', ('a', 'b'))
  assert weight.values == ('1', '10')
  assert y.values == ('',)
  assert space.seeds == (0, 7)
  assert (rate.ends, steps.ends) == (('1e-05', '0.001'), ('1', '3'))


def test_numbers_have_six_digits():
  assert Axis('x', (), 0, 1).text(0.123456789) == '0.123457'
  assert Axis('x', (), 0, 9, whole=True).text(7) == '7'


def test_a_point_is_a_command_line():
  texts = {':loss': 'hinge', 'disc_steps': '2', ':penalty': 'r1'}
  for config, joined in (('dcgan.py', 'dcgan.py:loss'),
                         ('dcgan.py:quick', 'dcgan.py:quick,loss')):
    assert arguments([f'--config={config}', '--config.a=1'], texts) == [
        f'--config={joined}=hinge,penalty=r1', '--config.a=1',
        '--config.disc_steps=2']


def test_optuna_draws_from_it_once():
  space = parse(['r=1e-5..1e-3:log', 'n=1..8:log', ':loss=a,b'])
  study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
  trial = study.ask()
  for axis in [*space.axes.values()] * 2:
    axis.suggest(trial)
  found = trial.distributions
  assert (found['r'].low, found['r'].high, found['r'].log) == (1e-5, 1e-3, True)
  assert type(found['n']).__name__ == 'IntDistribution' and found['n'].log
  assert found[':loss'].choices == ('a', 'b')
  assert study.trials[0].params == trial.params and len(trial.params) == 3


MISTAKES = [('x=3..1', 'x=3..1: the range is empty'),
            ('x=1..1', 'the range is empty'),
            ('x=0..1:log', 'begins below 0 or at it'),
            ('x=-1..1:log', 'begins below 0 or at it'),
            ('x=(1,2', 'brackets do not match'),
            ('disc_steps', 'neither --flag=value nor key=values')]


@pytest.mark.parametrize('argument, words', [
    *MISTAKES, ('x=1..3:lag', 'no range'), ('seed=a', 'whole numbers'),
    ('seed=1,1', 'a seed twice'), ('seed=5000000000', 'below 2**32'),
    ('population=2', '--config.population=N')])
def test_mistakes(argument, words):
  with pytest.raises(RequestError, match=re.escape(words)):
    parse([argument])


def test_all_mistakes_at_once():
  with pytest.raises(RequestError, match='(?s)x=3..1.*x is given twice.*y=2'):
    parse(['x=3..1', 'x=1', 'x=2', 'y=2..1'])
  with pytest.raises(RequestError, match='nothing to search'):
    parse(['seed=1,2'])


def _sweep(*args):
  return subprocess.run(
      ['experiments/sweep.sh', '--config=configs/dcgan.py', '--random=12',
       '--dry_run', *args], cwd=tiny.ROOT, text=True, capture_output=True)


def test_a_random_sweep_stays_in_the_space():
  keys = ['r=1e-5..1e-3:log', 'decay=0.9..0.99', 'n=1..3', 'm=8..64:log',
          'w=(8,4),(16,)', 'seed=0,1']
  space, given = parse(keys), ['--config=configs/dcgan.py']
  done = _sweep(*keys)
  assert done.returncode == 0, done.stderr
  seen = set()
  for line in done.stdout.splitlines():
    flags = [f for f in shlex.split(line)[3:] if f.startswith('--config')]
    texts = {key: next(f.partition('=')[2] for f in flags
                       if f.startswith(f'--config.{key}='))
             for key in space.axes}
    assert flags == [*arguments(given, texts), flags[-1]]
    assert flags[-1] in {f'--config.seed={seed}' for seed in space.seeds}
    for key, axis in space.axes.items():
      if axis.values:
        assert texts[key] in axis.values
      else:
        number = (int if axis.whole else float)(texts[key])
        assert axis.low <= number <= axis.high
        assert axis.text(number) == texts[key]
    seen |= {texts['n'], texts['w']}
  assert seen == {'1', '2', '3', '(8,4)', '(16,)'}


@pytest.mark.parametrize('argument', [argument for argument, _ in MISTAKES])
def test_what_is_a_mistake_here_is_one_there(argument):
  done = _sweep(argument)
  words = dict(MISTAKES)[argument].removeprefix('x=3..1: ')
  assert done.returncode == 2 and words in done.stderr
