"""--mode=evaluate of two sets of images."""

import json

import numpy as np
import pytest
import tiny
from PIL import Image

from gan_jax import main
from gan_jax.base.errors import DataError, RequestError
from gan_jax.views import evaluate, given
from gan_jax.views.sample import sample as write_samples


@pytest.fixture(scope='module')
def real(tmp_path_factory):
  return tiny.write_images(tmp_path_factory.mktemp('sets') / 'a.npz', count=24)


def test_a_copy_of_the_reference_has_distance_0(real, tmp_path, caplog):
  with caplog.at_level('INFO', logger='gan_jax'):
    (_, score), = evaluate.folders(
        real, real, extractor='random', metrics=('fd',),
        out=str(tmp_path / 'scores.jsonl'))
  assert 'there are 24; --num_samples=12 has one' in caplog.text
  assert 'hold the same images' in caplog.text
  assert abs(score.value) < 1e-6
  # The scores are kept with their protocol.
  row = json.loads((tmp_path / 'scores.jsonl').read_text())
  assert row['name'] == 'fd_random_24_train'
  assert row['protocol']['images'] == real
  assert row['protocol'].keys() >= {'images_sha256', 'extractor_sha256',
                                    'data_fingerprint', 'num_fake'}


def test_two_folders_of_two_sizes_are_compared(real, tmp_path, capsys):
  fake = tiny.write_images(tmp_path / 'b.npz', count=12, size=20, seed=1)
  ask = ['', '--mode=evaluate', f'--images={fake}', f'--reference={real}',
         '--metrics=fd,prdc', '--extractor=random']
  assert main.main(ask) == 2
  assert '--resize=H,W brings' in capsys.readouterr().err
  assert main.main([*ask, '--resize=8,12']) == 0
  out, told = capsys.readouterr()
  assert '12 images of each' in told and 'floor' not in told  # 24 >= 2 x 12
  assert 'fd_random_12_train' in out and 'coverage_random_12_train' in out


def test_images_that_are_nearly_the_reference_are_told(real, tmp_path, caplog):
  with np.load(real) as file:
    images = file['images']
  images[3, 0, 0, 0] ^= 1
  np.savez(tmp_path / 'b.npz', images=images)
  ask = dict(extractor='random', metrics=('fd',), num_samples=12)
  evaluate.folders(str(tmp_path / 'b.npz'), real, **ask)
  assert 'hold nearly the same images: fd_random_12_train is' in caplog.text
  caplog.clear()
  other = tiny.write_images(tmp_path / 'c.npz', count=24, seed=1)
  evaluate.folders(other, real, **ask)
  assert 'hold' not in caplog.text


def test_grey_and_colour_are_compared_as_one(real, tmp_path, capsys):
  colour = tiny.write_images(tmp_path / 'b.npz', count=24, channels=3, seed=1)
  ask = ['', '--mode=evaluate', f'--images={colour}', f'--reference={real}',
         '--metrics=fd', '--extractor=random', '--num_samples=12']
  assert main.main(ask) == 2
  said = capsys.readouterr().err
  assert '--channels=1 makes all grey' in said and '--resize' not in said
  for channels in (1, 3):
    assert main.main([*ask, f'--channels={channels}']) == 0
  assert capsys.readouterr().out.count('fd_random_12_train') == 2
  # Grey by ITU-R 601, which Pillow has too.
  with np.load(colour) as file:
    grey = [Image.fromarray(x).convert('L') for x in file['images']]
  np.savez(tmp_path / 'grey.npz', images=np.stack(grey)[..., None])
  asked = dict(extractor='random', metrics=('fd',), num_samples=12)
  (_, wanted), = evaluate.folders(str(tmp_path / 'grey.npz'), real, **asked)
  (_, found), = evaluate.folders(colour, real, channels=1, **asked)
  assert found.value == pytest.approx(wanted.value)


@pytest.mark.parametrize('name', ['signals', 'floats', 'volumes', 'ring'])
def test_samples_of_any_kind_are_compared_with_others(made_run, tmp_path, name):
  """An npz says its units itself, and its axes say the kind."""
  paths = [str(tmp_path / f'{seed}.npz') for seed in (0, 1)]
  for seed, path in enumerate(paths):
    write_samples(str(made_run(name)), path, count=40, seed=seed)
  (_, score), = evaluate.folders(
      paths[0], paths[1], metrics=('fd',), num_samples=20)
  assert np.isfinite(score.value) and score.value < 10 * max(score.floor, 1e-3)


def test_units_are_two_numbers_and_an_npy_is_no_npz(tmp_path):
  images = np.zeros((2, 8, 8, 1), np.uint8)
  np.savez(tmp_path / 'a.npz', images=images, units='HU')  # not ours
  assert given.source(str(tmp_path / 'a.npz')).units == ()
  with open(tmp_path / 'b.npz', 'wb') as file:
    np.save(file, images)
  with pytest.raises(DataError, match='a single npy array'):
    given.source(str(tmp_path / 'b.npz'))


@pytest.mark.parametrize('arguments,message', [
    (['--images=a.npz', '--reference=b.npz', '--metrics=fd,ais'],
     '--metrics=ais is of a run'),
    (['--images=a.npz', '--reference=b.npz', '--resize=64'], 'must be H,W'),
    (['--images=a.npz'], 'both --images and --reference'),
    (['--images=a.npz', '--reference=b.npz', '--best=fd'], 'are of a run'),
    (['--images=a.npz', '--reference=b.npz', '--out=x.csv'], 'F.jsonl'),
    (['--images={real}', '--reference={real}', '--metrics=fd',
      '--extractor=random', '--out={real}/x.jsonl'],
     'x.jsonl: cannot write it: '),
    (['--images={real}', '--reference={real}', '--extractor=rndom'],
     '--extractor=rndom: no such name in gan_jax.extractors; did you mean'),
    (['--images={real}', '--reference={real}', '--extractor=inception',
      '--weights={real}', '--resizer=tf2'],
     '--resizer=tf2: no such choice; did you mean "tf1"'),
    (['--images=none.npz', '--reference=none.npz'], 'none.npz'),
    (['--images={real}', '--reference={real}', '--metrics=fid'],
     'no such metric'),
    (['--images={real}', '--reference={real}', '--num_samples=70'],
     '--num_samples=70')])
def test_mistakes_are_told(real, capsys, arguments, message):
  arguments = [argument.format(real=real) for argument in arguments]
  assert main.main(['', '--mode=evaluate', *arguments]) in (2, 3, 4)
  assert message in capsys.readouterr().err


@pytest.mark.parametrize('network, message', [
    (['--extractor=inception'],
     '--extractor=inception: inception also needs weights; give --weights=FILE'
     '\n'),
    (['--extractor=inception', '--weights=x/w.pth'],
     "--weights='x/w.pth': no such file; "),
    (['--extractor=rndom'], '--extractor=rndom: no such name'),
    (['--extractor=random', '--weights=w'],
     '--weights=w: random takes no such argument'),
    (['--weights=w'], '--weights is of --extractor: give both')])
@pytest.mark.parametrize('of', [
    ['--mode=evaluate', '--images=none.npz', '--reference=none.npz'],
    ['--mode=evaluate', '--workdir=run'], ['--mode=report', '--workdir=run']])
def test_a_network_that_cannot_be_is_told_before_anything_is_read(
    made_run, tmp_path, monkeypatch, cli, of, network, message):
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'run').symlink_to(made_run('plain'))
  monkeypatch.delattr('gan_jax.data.load.load')
  status, _, said = cli(*of, *network)
  assert status == 2 and said.startswith(f'gan_jax: {message}')


def test_requests_raise_what_the_program_expects(real):
  with pytest.raises(RequestError, match='no such metric'):
    evaluate.folders(real, real, extractor='random', metrics=('fid',))
  with pytest.raises(RequestError, match='must be F.jsonl, for a JSON object'):
    evaluate.folders(real, real, out='x.csv')
