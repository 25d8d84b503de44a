"""--mode=evaluate: checkpoints of a run, two folders, the best one."""

import json
import os
import shutil

import jax
import numpy as np
import pytest
import tiny

from gan_jax import main
from gan_jax.config import experiment
from gan_jax.run import evaluator, files, train
from gan_jax.views import evaluate

REQUEST = evaluate.Request(extractor='random', metrics=('fd', 'prdc'),
                           num_samples=12)


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  """A run of four steps with checkpoints of steps 2 and 4."""
  folder = tmp_path_factory.mktemp('evaluate')
  path = tiny.write_images(folder / 'images.npz', size=16)
  config = tiny.config(path, evaluators=(), data=dict(name='npz', path=path))
  workdir = str(folder / 'run')
  assert train.train(experiment.load(config), workdir) == 0
  return workdir


def scores_of(folder):
  with open(os.path.join(folder, 'scores.jsonl')) as file:
    return [json.loads(line) for line in file]


def test_every_checkpoint_is_scored_once(run):
  table = evaluate.checkpoints(run, REQUEST)
  rows = scores_of(run)
  assert sorted({row['step'] for row in rows}) == [2, 4]
  names = {row['name'] for row in rows}
  assert names == {f'{n}_random_12_train' for n in (
      'fd', 'precision', 'recall', 'density', 'coverage')}
  for row in rows:
    assert row['value'] is not None and row['floor'] is not None
    assert row['protocol']['step'] == row['step']
    assert row['name'] in table
  assert 'are scored' in evaluate.checkpoints(run, REQUEST)
  assert scores_of(run) == rows
  # Another protocol is another score.
  evaluate.checkpoints(run, REQUEST._replace(num_samples=10))
  assert {row['name'] for row in scores_of(run)} > names


def test_the_best_checkpoint_is_kept(run):
  name = 'fd_random_14_train'
  evaluate.checkpoints(run, REQUEST._replace(num_samples=14, best=name))
  values = {row['step']: row['value'] for row in scores_of(run)
            if row['name'] == name}
  best = min(values, key=values.get)
  with open(os.path.join(run, f'best-{name}', 'best.json')) as file:
    kept = json.load(file)
  assert (kept['name'], kept['step'], kept['value']) == (
      name, best, values[best])
  out = os.path.join(run, 'best.npz')
  assert main.main(['', '--mode=sample', f'--workdir={run}/best-{name}',
                    '--num_samples=3', f'--out={out}']) == 0
  assert np.load(out)['images'].shape == (3, 16, 16, 1)


def test_the_best_of_scores_that_are_there_already(run, caplog):
  name = 'fd_random_13_train'
  request = REQUEST._replace(num_samples=13)
  evaluate.checkpoints(run, request)
  rows = scores_of(run)
  caplog.clear()
  with caplog.at_level('INFO', logger='gan_jax'):
    evaluate.checkpoints(run, request._replace(best=name))
  assert scores_of(run) == rows and 'is scored' not in caplog.text
  values = {row['step']: row['value'] for row in rows if row['name'] == name}
  with open(os.path.join(run, f'best-{name}', 'best.json')) as file:
    assert json.load(file)['step'] == min(values, key=values.get)


def test_a_damaged_checkpoint_does_not_hide_the_others(run, tmp_path, caplog):
  folder = tmp_path / 'run'
  shutil.copytree(run, folder)
  for part in (folder / 'checkpoints' / '2').rglob('*'):
    if part.is_file() and part.stat().st_size > 100:
      part.write_bytes(part.read_bytes()[:-1] + b'?')
  request = REQUEST._replace(num_samples=11, best='fd_random_11_train')
  assert 'fd_random_11_train' in evaluate.checkpoints(str(folder), request)
  assert {row['step'] for row in scores_of(folder)
          if '_11_' in row['name']} == {4}
  assert 'damaged' in caplog.text
  evaluate.checkpoints(str(folder), request)  # 2 is still not scored.


def test_the_same_state_gets_the_same_scores(run):
  request = REQUEST._replace(num_samples=16)
  evaluate.checkpoints(run, request)
  found = [row for row in scores_of(run) if '_16_' in row['name']]
  os.remove(os.path.join(run, 'scores.jsonl'))
  evaluate.checkpoints(run, request)
  again = scores_of(run)
  assert [(r['step'], r['name'], r['value']) for r in found] == [
      (r['step'], r['name'], r['value']) for r in again]


def test_two_folders_are_compared(tmp_path, capsys):
  real = tiny.write_images(tmp_path / 'a.npz', count=60, size=16)
  fake = tiny.write_images(tmp_path / 'b.npz', count=30, size=16, seed=1)
  status = main.main(['', '--mode=evaluate', f'--images={fake}',
                      f'--reference={real}', '--metrics=fd,prdc',
                      '--extractor=random'])
  out, told = capsys.readouterr()
  assert status == 0
  assert '30 images of each' in told and 'floor' not in told  # 60 >= 2 x 30
  assert 'fd_random_30_train' in out and 'coverage_random_30_train' in out


def test_a_copy_of_the_reference_has_distance_0(tmp_path, caplog):
  path = tiny.write_images(tmp_path / 'a.npz', count=30, size=16)
  with caplog.at_level('INFO', logger='gan_jax'):
    table = evaluate.folders(path, path, evaluate.Request(
        extractor='random', metrics=('fd',)))
  assert 'there are 30; --num_samples=15 has one' in caplog.text
  value = float(table.splitlines()[1].split()[2])
  assert abs(value) < 1e-6


def test_scores_of_folders_are_kept_with_their_protocol(tmp_path):
  path = tiny.write_images(tmp_path / 'a.npz', count=30, size=16)
  evaluate.folders(path, path, REQUEST, out=str(tmp_path / 'scores.jsonl'))
  rows = scores_of(tmp_path)
  assert len(rows) == 5
  for row in rows:
    assert row['protocol']['images'] == path
    assert row['protocol'].keys() >= {'images_sha256', 'extractor_sha256',
                                      'data_fingerprint', 'num_fake'}


def test_an_evaluator_that_fails_costs_the_others_nothing(run, caplog):
  config, _ = files.read_run(run)
  loaded = experiment.load(config | {'evaluators': (REQUEST.spec(), {
      'name': 'parzen', 'num_samples': 5, 'num_test': 5, 'num_validation': 5})})
  state = loaded.init()

  def broken(sample):
    raise OSError('no such disk')

  loaded = loaded._replace(evaluators=[broken, loaded.evaluators[1]])
  both = evaluator.Evaluator(loaded)
  with pytest.raises(OSError, match='no such disk'):
    both.scores(state)
  first, second = both.scores(state, forgiving=True)
  assert (first.name, first.value, first.reason) == (
      'scores', None, 'OSError: no such disk')
  assert second.value is not None


def test_two_sizes_are_brought_to_one(tmp_path, capsys):
  real = tiny.write_images(tmp_path / 'a.npz', count=30, size=16)
  fake = tiny.write_images(tmp_path / 'b.npz', count=30, size=20)
  ask = ['', '--mode=evaluate', f'--images={fake}', f'--reference={real}',
         '--metrics=fd', '--extractor=random']
  assert main.main(ask) == 2
  assert '--resize=H,W brings' in capsys.readouterr().err
  assert main.main([*ask, '--resize=8,12']) == 0
  assert 'fd_random_30_train' in capsys.readouterr().out


def test_how_inception_resizes_is_asked_for():
  request = evaluate.Request('inception', 'w.pth', 'clean')
  assert request.spec() == {'name': 'scores', 'extractor': {
      'name': 'inception', 'weights': 'w.pth', 'resizer': 'clean'}}


def test_images_that_are_not_finite_have_no_scores(run, tmp_path):
  config, _ = files.read_run(run)
  loaded = experiment.load(config | {'evaluators': (REQUEST.spec(),)})
  state = loaded.init()
  bad = jax.tree.map(lambda x: x * np.nan, state.ema)
  found, = evaluator.Evaluator(loaded).scores(state.replace(ema=bad))
  assert (found.value, found.name) == (None, 'scores')
  assert 'generated examples are not finite' in found.reason


@pytest.mark.parametrize('arguments,message', [
    (['--images=a.npz', '--reference=b.npz', '--resize=64'], 'must be H,W'),
    ([], 'give the --workdir'),
    (['--workdir=nowhere'], 'is not the working directory'),
    (['--images=a.npz'], 'both --images and --reference'),
    (['--workdir={run}', '--metrics=fid'], 'no such metric'),
    (['--workdir={run}', '--extractor=inceptoin'], 'inception'),
    (['--workdir={run}', '--extractor=random', '--num_samples=90'],
     'give 2 to 40'),
    (['--workdir={run}', '--extractor=random', '--num_samples=12',
      '--metrics=fd', '--best=fid'], 'there are fd_random_12_train'),
    (['--images=a.npz', '--reference=b.npz', '--best=fd'], 'of a --workdir'),
    (['--images=a.npz', '--reference=b.npz', '--out=x.csv'], 'F.jsonl'),
    (['--images={run}/none.npz', '--reference={run}/none.npz'], 'none.npz'),
])
def test_mistakes_are_told(run, capsys, arguments, message):
  arguments = [argument.format(run=run) for argument in arguments]
  assert main.main(['', '--mode=evaluate', *arguments]) in (2, 3, 4)
  assert message in capsys.readouterr().err
