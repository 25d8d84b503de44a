"""Mistakes in the data of a run: status 2 or 3, before anything compiles."""

import numpy as np
import pytest
import tiny
from PIL import Image
from problems import problems_of

from gan_jax.base.errors import ConfigError
from gan_jax.config import experiment

pytestmark = tiny.READS_CONFIGS
FOLDER, NPZ = 'folder', 'npz'


def test_all_mistakes_in_the_data_are_reported_in_one_go(
    cli, not_compiled, tmp_path):
  (tmp_path / 'digits').mkdir()
  status, _, said = cli(
      '--config=configs/dcgan.py:data=folder,quick', *(
          f'--config.{flag}' for flag in (
              f'data.path={tmp_path}/digit', 'data.channels=2',
              'data.resize=(0, 8)', 'data.holdout=1.0', 'data.labelled=-1.0',
              'data.repeat=0', 'data.max_bad=1.0', 'data.value_range=dark',
              'data.fit=zoom', 'loss.label_smothing=0.1', 'log_every=often')))
  assert status == 2
  assert set(problems_of(said)) == {
      *(f'data.{key}' for key in (
          'channels', 'resize', 'holdout', 'labelled', 'repeat', 'max_bad',
          'value_range', 'fit')), 'loss.label_smothing', 'log_every'}, said
  assert "digit': no such file or folder; did you mean 'digits' in" in said
  # What is known without the data is said beside what is not.
  status, _, said = cli(
      '--config=configs/dcgan.py:quick', '--config.data.classes=(12,)',
      '--config.eval_every=often', '--config.checkpoint_every=-1')
  assert status == 2 and set(problems_of(said)) == {
      'data.classes', 'eval_every', 'checkpoint_every'}, said


def test_conditioning_without_labels_is_reported_with_the_rest(
    cli, not_compiled, tmp_path):
  path = tiny.write_images(tmp_path / 'plain.npz', classes=0)
  status, _, said = cli(
      '--config=configs/cgan.py:data=npz,quick', f'--config.data.path={path}',
      '--config.ema_decay=-1.0')
  assert status == 2
  problems = problems_of(said)
  assert set(problems) == {'generator.conditioning', 'ema_decay',
                           'discriminator.conditioning'}, said
  assert "'onehot': needs labels, and the data 'plain' have none" in (
      problems['generator.conditioning'])


def test_networks_that_do_not_fit_the_data_are_found_untrained(
    cli, not_compiled, tmp_path):
  path = tiny.write_images(tmp_path / 'small.npz', size=5)
  status, _, said = cli('--config=configs/dcgan.py:data=npz,quick',
                        f'--config.data.path={path}')
  assert status == 2
  assert '5x5' in said and 'data.resize' in said


@pytest.mark.parametrize('content', [b'', b'no zip at all', None])
def test_a_bad_data_file_is_status_3(cli, not_compiled, tmp_path, content):
  path = tmp_path / 'bad.npz'
  if content is not None:
    path.write_bytes(content)
  status, _, said = cli('--config=configs/keras_mlp.py:data=npz,quick',
                        f'--config.data.path={path}')
  assert status == 3, said
  assert str(path) in said and 'Traceback' not in said


@pytest.mark.parametrize('kind, changes, key, rule', [
    (NPZ, dict(labelled=0.0), 'labelled', '0.0: must be a share in (0, 1]'),
    (NPZ, dict(labelled=0.5, labelled_seed=-1), 'labelled_seed',
     '-1: must be 0 or more'),
    (NPZ, dict(labelled=41.0), 'labelled', '41: is more than the 40'),
    (NPZ, dict(labelled=3.0), 'labelled', '3: is fewer than the 4'),
    (NPZ, dict(labelled=40.0), 'labelled', '40: takes 10 examples of each'),
    (NPZ, dict(holdout=1.5), 'holdout', '1.5: must be a share in [0, 1)'),
    (NPZ, dict(holdout=1e-9), 'holdout', '1e-09: would hold out 0 of 40'),
    (NPZ, dict(classes=(7,)), 'classes', "(7,): in 'few', 7 is not one of the "
     'classes (0, 1, 2, 3); choose among these, or () for all'),
    (NPZ, dict(image_key='labels', label_key='none'), 'image_key',
     "'labels': names an array of shape [40], and examples [N, ...]"),
    (NPZ, dict(image_key='images', label_key='cubes'), 'label_key',
     "'cubes': names an array of shape [40, 1, 1], and labels [N] or [N, K]"),
    (NPZ, dict(resize=(0, 8)), 'resize', '(0, 8): (height, width) of at least'),
    (NPZ, dict(crop=(9, 8)), 'crop', '(9, 8): is larger than the images, '
     '[8, 8]; crop only cuts'),
    (FOLDER, dict(crop=(9, 8)), 'crop', '(9, 8): is larger than the images'),
    (NPZ, dict(channels=2), 'channels', '2: must be one of'),
    (NPZ, dict(image_key='imags'), 'image_key', "did you mean \"images\"?"),
    (NPZ, dict(label_key='ys'), 'label_key', "'ys': is no array in"),
    (NPZ, dict(label_index=3), 'label_index', '3: chooses a column of'),
    (NPZ, dict(value_range='dark'), 'value_range', "'dark': 'auto', 'data' or"),
    (NPZ, dict(repeat=10 ** 9), 'repeat', 'would make 40,000,000,000 places'),
    (NPZ, dict(resident_limit=-1), 'resident_limit', 'must be 0 or more MiB'),
    (NPZ, dict(path=''), 'path', "'': the path of a file is needed"),
    ('auto', dict(window='stored'), 'window', 'data=npz and has no window'),
    (FOLDER, dict(max_bad=1.0), 'max_bad', '1.0: must be a share in [0, 1)'),
    (FOLDER, dict(label_key='age'), 'label_key', "'age': chooses columns of"),
    (FOLDER, dict(labels='ages.csv', label_key='aeg'), 'label_key',
     "names 'aeg', no column of labels in"),
    (FOLDER, dict(labels='ages.csv', label_key='aeg'), 'label_key',
     "; did you mean \"age\"?"),
    (FOLDER, dict(split='tset'), 'split', "'tset': there is no such folder, nor"
     ' any other: the images lie side by side; leave it out'),
    ('noise', dict(rate=-1.0), 'rate', 'noise takes no such argument'),
    (NPZ, dict(rate=-1.0), 'rate', '-1.0: must be 0 or more Hz'),
    ('noise', dict(shape=()), 'shape', '(): must be (size,)'),
    ('ring', dict(num_examples=0), 'num_examples', '0: must be 1 or more')])
def test_a_mistake_in_an_argument_of_data_is_one_of_the_config(
    tmp_path, kind, changes, key, rule):
  """Status 2, beside the other mistakes of the config, at its key."""
  images, labels = np.full((40, 8, 8, 1), 9, np.uint8), np.arange(40) % 4
  labels[:2] = 1  # Nine of class 0, eleven of class 1.
  path = tmp_path / 'few.npz'
  np.savez(path, images=images, labels=labels, cubes=labels[:, None, None])
  if kind == FOLDER:
    path = tmp_path / 'few'
    path.mkdir()
    for name in 'ab':
      Image.fromarray(images[0, ..., 0]).save(path / f'{name}.png')
    (path / 'ages.csv').write_text('file,age,sex\na.png,3,0\nb.png,4,1\n')
  where = {} if kind in ('noise', 'ring') else dict(path=str(path))
  config = tiny.config('unused', data=dict(name=kind) | where | changes,
                       seed=-1)
  with pytest.raises(ConfigError) as found:
    experiment.load(config)
  assert found.value.status == 2
  problems = {p.path: f'{p.value!r}: {p.rule}' for p in found.value.problems}
  assert set(problems) == {'seed', f'data.{key}'}
  assert rule in problems[f'data.{key}']


def test_files_that_are_not_there_are_named_beside_other_mistakes(
    cli, not_compiled, tmp_path):
  status, _, said = cli('--config=configs/keras_mlp.py:data=folder,quick',
                        f'--config.data.path={tmp_path}/gone',
                        '--config.seed=-1')
  assert status == 2 and '2 problems' in said and 'config.seed' in said
  # Without all the arguments of data.
  assert f'{tmp_path}/gone' in said and 'background' not in said


def test_fewer_images_than_a_batch(cli, not_compiled, tmp_path):
  path = tiny.write_images(tmp_path / 'few.npz', count=7)
  status, _, said = cli('--config=configs/keras_mlp.py:data=npz,quick',
                        f'--config.data.path={path}')
  assert status == 2
  assert problems_of(said) == {
      'batch_size': "8: is more than the 7 examples of 'few'; use "
                    'data.repeat=2 or a smaller batch'}


def test_the_repeat_that_a_message_advises_is_accepted(tmp_path):
  """32 examples: 2^31 places are one too many for int32."""
  path = tiny.write_images(tmp_path / 'few.npz', count=32)
  spec = dict(name='npz', path=str(path))
  with pytest.raises(ConfigError, match='use 67108863 or less'):
    experiment.load(tiny.config('unused', data=spec | dict(repeat=2 ** 26)))
  experiment.load(tiny.config('unused', data=spec | dict(repeat=67108863)))


@pytest.mark.parametrize('mode', ['--mode=train', '--mode=inspect'])
def test_an_own_set_that_is_no_source_is_a_mistake_of_the_config(
    cli, not_compiled, tmp_path, monkeypatch, mode):
  (tmp_path / 'no_set.py').write_text('def nothing():\n  return None\n')
  monkeypatch.syspath_prepend(str(tmp_path))
  status, _, said = cli(mode, '--config=configs/keras_mlp.py:quick',
                        '--config.data.name=no_set:nothing')
  assert status == 2, said
  assert 'no_set:nothing returns nothing; is a return missing?' in said


def test_data_without_a_path_say_what_they_need(cli, not_compiled):
  status, _, said = cli('--config=configs/keras_mlp.py:data=npz,quick')
  assert status == 2
  assert 'npz also needs path' in problems_of(said)['data']


@pytest.fixture
def photos(tmp_path, monkeypatch):
  """The working folder, with images of 28 px and a link to itself."""
  monkeypatch.chdir(tmp_path)
  # Whether it can be played is not asked here.
  monkeypatch.setattr('gan_jax.config.tracing.trace', lambda *_: None)
  for i in range(64):
    Image.new('L', (28, 28), i).save(f'{i}.png')
  (tmp_path / 'link').symlink_to('.')
  return tmp_path


def _there(folder):
  return sorted(path for path in folder.iterdir() if path.name != 'cache')


@pytest.mark.parametrize('data,path,flags', [
    ('folder', '.', ['--workdir=run']), ('folder', 'link', []),
    ('folder', '.', ['--mode=inspect']),
    ('auto', '{}', ['--mode=inspect', '--out=look']),
    ('auto', '.', ['--mode=inspect', '--out={}'])])
def test_pictures_do_not_go_among_the_images_of_the_data(
    cli, photos, data, path, flags):
  """They would be images of the data at the next start."""
  before, path = _there(photos), path.format(photos)
  status, _, said = cli(
      f'--config=keras_mlp:data={data},quick', f'--config.data.path={path}',
      *(flag.format(photos) for flag in flags))
  assert status == 2 and f'lies in data.path={path}, whose images' in said
  assert _there(photos) == before


def test_pictures_may_go_beside_the_images_of_the_data(
    cli, photos, monkeypatch):
  """Into a folder whose name begins alike."""
  monkeypatch.chdir(photos.parent)
  status, _, said = cli(
      '--mode=inspect', '--config=keras_mlp:data=folder,quick',
      f'--config.data.path={photos.name}', f'--out={photos.name}-look')
  assert status == 0, said
