"""The command line: what is wrong is said at once, what is right is done."""

import functools
import json
import logging
import os
import re
import sys

import numpy as np
import pytest
import tiny
from PIL import Image

from gan_jax import (
    checkpoint,
    evaluators,
    experiment,
    main,
    media,
    parallel,
    train,
)

# Of ml_collections, when it reads a config file.
pytestmark = pytest.mark.filterwarnings('ignore:the load_module')


@pytest.fixture(autouse=True)
def _logging_as_it_was():
  """The program sets up logging for a process of its own."""
  root, ours = logging.getLogger(), logging.getLogger('gan_jax')
  before = root.handlers[:], root.level, ours.level
  yield
  root.handlers[:], root.level, ours.level = before


@pytest.fixture
def cli(capsys):
  """Runs the program in this process: (status, stdout, stderr)."""
  def run(*args):
    status = main.main(['gan_jax.main', *map(str, args)])
    return status, *capsys.readouterr()

  return run


@pytest.fixture
def not_compiled(monkeypatch):
  """Mistakes in a config must be found before anything compiles."""
  def fail(*_, **__):
    raise AssertionError('compiles')

  monkeypatch.setattr(parallel, 'make_runner', fail)
  monkeypatch.setattr(train, 'train', fail)


def _problems(said):
  """{path: the rest} of the lines of a report."""
  return dict(line.strip().removeprefix('config.').split(' = ', 1)
              for line in said.splitlines() if line.startswith('  config.'))


MLP = '--config=configs/keras_mlp.py:quick'


# --- mistakes --------------------------------------------------------------


@pytest.mark.parametrize('flag, path, value, rule', [
    ('batchsize=3', 'batchsize', '3', 'did you mean "batch_size"'),
    ('loss.name=hing', 'loss.name', "'hing'", 'did you mean "hinge"'),
    ('loss.label_smothing=0.1', 'loss.label_smothing', '0.1',
     'did you mean "label_smoothing"'),
    ('loss.label_smoothing=1.5', 'loss', '1.5', 'not in [0, 1)'),
    ('generator.name=dcgan.Generater', 'generator.name', "'dcgan.Generater'",
     'did you mean "dcgan.Generator"'),
    ('generator.activation=rleu', 'generator.activation', 'rleu',
     'did you mean "relu"'),
    ('gen_optimizer.learning_rate=-0.1', 'gen_optimizer.learning_rate', '-0.1',
     'must be a float >= 0'),
    ('gen_optimizer.learning_rate=fast', 'gen_optimizer.learning_rate',
     "'fast'", 'must be a float >= 0'),
    ('gen_optimizer.name=adamm', 'gen_optimizer.name', "'adamm'",
     'did you mean "adam"'),
    ('gen_optimizer.b3=0.9', 'gen_optimizer.b3', '0.9', 'Known: b1, b2,'),
    ('batch_size=6', 'batch_size', '6', 'not divisible by 4 devices; try 4 or 8'
     ),
    ('batch_size=0', 'batch_size', '0', 'must be an int >= 1'),
    ('log_every=3', 'log_every', '3',
     'must be a multiple of steps_per_call = 2; try 2 or 4'),
    ('train_steps=5', 'train_steps', '5', 'multiple of steps_per_call = 2'),
    ('train_steps=0', 'train_steps', '0', 'must be above 0'),
    ('train_steps=2 epoch s', 'train_steps', "'2 epoch s'", '20 epochs'),
    ('train_steps=10%', 'train_steps', "'10%'", 'percentage'),
    ('log_every=-2', 'log_every', '-2', 'must not be negative'),
    ('dtype=float16', 'dtype', "'float16'", 'bfloat16'),
    ('image_range=(0.0, 2.0)', 'image_range', '(0.0, 2.0)', '(-1.0, 1.0)'),
    ('sample_grid=(0, 8)', 'sample_grid', '(0, 8)', 'rows, columns'),
    ('ema_decay=1.0', 'ema_decay', '1.0', 'must be a float in [0.0, '),
    ('disc_steps=0', 'disc_steps', '0', 'must be an int >= 1'),
    ('seed=-1', 'seed', '-1', 'must be an int from 0 to'),
    ('data.name=mnist10', 'data.name', "'mnist10'", 'did you mean "mnist10k"'),
    ('data.clases=(1,)', 'data.clases', '(1,)', 'did you mean "classes"'),
])
def test_a_mistake_is_named_with_path_value_and_rule(
    cli, not_compiled, tmp_path, flag, path, value, rule):
  folder = tmp_path / 'run'
  status, _, said = cli(MLP, f'--config.{flag}', f'--workdir={folder}')
  assert status == 2, said
  problems = _problems(said)
  assert list(problems) == [path], said
  assert value in problems[path] and rule in problems[path], said
  assert not folder.exists()


def test_all_mistakes_are_reported_in_one_go(cli, not_compiled):
  status, _, said = cli(
      '--config=configs/wgan_gp.py:quick', '--config.batchsize=3',
      '--config.batch_size=10', '--config.loss.name=hing',
      '--config.penalties[0].weight=-1.0', '--config.penalties[0].targt=2.0',
      '--config.disc_optimizer.learning_rate=-1.0', '--config.log_every=3',
      '--config.generator.widht=3', '--config.dtype=half',
      '--config.seed=x', '--mod=sample', 'stray')
  assert status == 2
  assert set(_problems(said)) == {
      'batchsize', 'batch_size', 'loss.name', 'penalties[0].weight',
      'penalties[0].targt', 'disc_optimizer.learning_rate',
      'generator.widht', 'dtype', 'log_every'}, said
  # What the parser of flags refuses stands beside it.
  assert '--config.seed=x' in said
  assert re.search(r'--mod=sample: .*mode', said)
  assert 'stray' in said
  assert 'Traceback' not in said


def test_conditioning_without_labels_is_reported_with_the_rest(
    cli, not_compiled, tmp_path):
  path = tiny.write_images(tmp_path / 'plain.npz', classes=0)
  status, _, said = cli(
      '--config=configs/cgan.py:data=npz,quick', f'--config.data.path={path}',
      '--config.ema_decay=-1.0')
  assert status == 2
  problems = _problems(said)
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


@pytest.mark.parametrize('args, words', [
    ((), ['--config=configs/dcgan.py']),
    (('--config=configs/dcgann.py',), ['configs/dcgann.py', 'no such file',
                                       'did you mean "configs/dcgan.py"']),
    (('--config=configs/dcgan.py:lss=hinge',), ['lss', 'did you mean "loss"']),
    (('--config=configs/dcgan.py:loss=hing',), ['did you mean "hinge"']),
    (('--config=configs/wgan.py:network=cnn',), ['network=cnn', 'dcgan, mlp']),
    (('--config=configs/cgan.py:game=go',), ['game=go', 'gan, critic']),
    (('--config=configs/pooling_cnn.py:optimizer=lion',), ['sgd, momentum']),
    (('--config=configs/pooling_cnn.py:digit=x',), ['digit=x']),
    (('--config=configs/pooling_cnn.py:k=',), ['k=']),
    ((MLP, '--wrkdir=x'), ['--wrkdir', 'workdir']),
    ((MLP, '--mode=trian'), ['--mode=trian', 'train']),
    ((MLP, '--num_samples=many'), ['--num_samples=many']),
    ((MLP, '--config.batch_size=many'), ['--config.batch_size=many']),
    ((MLP, '--config.los.name=hinge'), ['--config.los.name', 'mean "loss"']),
    ((MLP, '--config.penalties[0].weight=1'), ['--config.penalties[0].weight']),
    ((MLP, 'config.loss.name=hinge'), ['config.loss.name=hinge']),
])
def test_a_command_line_that_cannot_be_read(cli, not_compiled, args, words):
  status, _, said = cli(*args)
  assert status == 2, said
  for word in words:
    assert word in said, said
  assert 'Traceback' not in said
  assert len(said.splitlines()) < 12, said


def test_a_config_with_a_bug_is_named_and_not_hidden(
    cli, not_compiled, tmp_path):
  path = tmp_path / 'mine.py'
  path.write_text('def get_config(arg=None):\n  return undefined_name\n')
  status, _, said = cli(f'--config={path}')
  assert status == 2
  assert 'undefined_name' in said


@pytest.mark.parametrize('content', [b'', b'no zip at all', None])
def test_a_bad_data_file_is_status_3(cli, not_compiled, tmp_path, content):
  path = tmp_path / 'bad.npz'
  if content is not None:
    path.write_bytes(content)
  status, _, said = cli('--config=configs/keras_mlp.py:data=npz,quick',
                        f'--config.data.path={path}')
  assert status == 3, said
  assert str(path) in said and 'Traceback' not in said


def test_fewer_images_than_a_batch(cli, not_compiled, tmp_path):
  path = tiny.write_images(tmp_path / 'few.npz', count=7)
  status, _, said = cli('--config=configs/keras_mlp.py:data=npz,quick',
                        f'--config.data.path={path}')
  assert status == 2
  assert _problems(said) == {
      'batch_size': '8: is more than the 7 examples of few; use '
                    'data.repeat=2 or a smaller batch'}


def test_data_without_a_path_say_what_they_need(cli, not_compiled):
  status, _, said = cli('--config=configs/keras_mlp.py:data=npz,quick')
  assert status == 2
  assert 'npz also needs path' in _problems(said)['data']


# --- what is right ---------------------------------------------------------


def test_help(cli):
  status, printed, _ = cli('--help')
  assert status == 0
  for flag in ('--config:', '--workdir:', '--mode:', '--[no]dry_run:',
               '--interpolate:', '--label:'):
    assert flag in printed


def test_dry_run_prints_networks_durations_and_memory(
    cli, not_compiled, tmp_path):
  status, printed, _ = cli('--config=configs/keras_mlp.py', '--dry_run',
                           f'--workdir={tmp_path / "run"}')
  assert status == 0
  # 100-128-256-512-784 with batch norm, and 784-512-256-128-1.
  sizes = [100, 128, 256, 512, 784]
  gen = sum((a + 1) * b for a, b in zip(sizes, sizes[1:], strict=False))
  gen += 2 * (128 + 256 + 512)
  sizes = [784, 512, 256, 128, 1]
  disc = sum((a + 1) * b for a, b in zip(sizes, sizes[1:], strict=False))
  assert re.search(r'Dense_0 +\[64, 128\] +12,928\n', printed)
  assert re.search(rf'all +\[64, 28, 28, 1\] +{gen:,}\n', printed)
  assert re.search(rf'all +\[64\] +{disc:,}\n', printed)
  assert '30,000 steps = 1,920,000 real examples = 192.0 epochs' in printed
  assert 'mnist10k, 10,000 images (28, 28, 1), 10 classes' in printed
  data = (10_000 * 784 + 4 * 10_000) / 2**20
  assert f'data {data:.1f} MiB' in printed
  assert not (tmp_path / 'run').exists()


@pytest.mark.parametrize('args, folder', [
    (('--config=configs/dcgan.py',), 'runs/dcgan'),
    (('--config=configs/dcgan.py:loss=hinge,quick', '--config.seed=3',
      '--config.loss.name=hinge', '--config.penalties=()'),
     'runs/dcgan-loss=hinge-quick-loss.name=hinge-penalties=_-seed=3'),
    (('--config=configs/wgan.py', '--config.train_steps=2 epochs'),
     'runs/wgan-train_steps=2_epochs'),
    (('--config=configs/wgan.py', '--workdir=/x/y z'), '/x/y z'),
])
def test_the_workdir_is_named_after_config_and_overrides(
    monkeypatch, args, folder, cli):
  asked = []
  monkeypatch.setattr(train, 'train',
                      lambda run, folder, **_: asked.append(folder) or 0)
  status, _, said = cli(*args)
  assert (status, asked) == (0, [folder]), said


def test_changed_data_are_refused_unless_allowed(cli, tmp_path):
  folder = tmp_path / 'pictures'
  folder.mkdir()
  for i in range(16):
    _picture(folder / f'{i:02d}.png', i)
  args = ('--config=configs/keras_mlp.py:data=folder,quick',
          f'--config.data.path={folder}', f'--workdir={tmp_path}/run')
  assert cli(*args)[0] == 0
  os.remove(folder / '03.png')
  _picture(folder / '05.png', 99)
  for name in ('new.png', 'other.png'):
    _picture(folder / name, 7)
  status, _, said = cli(*args)
  assert status == 4
  for words in ('fingerprint', '2 files added', '1 file removed', '03.png',
                '1 file changed', '05.png', 'new.png', '--allow_changed_data'):
    assert words in said, said
  status, _, said = cli(*args, '--config.train_steps=6',
                        '--allow_changed_data')
  assert status == 0, said
  _picture(folder / 'wide.png', 7, size=(9, 9))
  for name in os.listdir(folder):
    _picture(folder / name, 7, size=(9, 9))
  status, _, said = cli(*args, '--config.train_steps=8',
                        '--allow_changed_data')
  assert status == 4 and 'image_shape' in said, said


def _picture(path, value, size=(8, 8)):
  Image.fromarray(np.full(size, value, np.uint8)).save(path)


def test_workdirs_of_different_overrides_differ():
  folders = [main._workdir(main.parse(['main', MLP, *flags])[0])
             for flags in ([], ['--config.seed=1'], ['--config.seed=11'],
                           ['--config.gen_optimizer.b1=0.25'],
                           ['--config.disc_optimizer.b1=0.25'])]
  assert len(set(folders)) == len(folders)
  assert all(re.fullmatch(r'runs/[\w.,=+-]+', folder) for folder in folders)


def test_a_loss_of_ones_own(cli, tmp_path, monkeypatch):
  """One function in one's own file, by name, from the command line."""
  (tmp_path / 'my_lab').mkdir()
  (tmp_path / 'my_lab' / 'ideas.py').write_text(
      'from gan_jax.losses import Loss\n'
      'def my_loss(*, scale: float = 1.0):\n'
      '  return Loss(lambda real, fake: 0.0 * real + 7.0 * scale,\n'
      '              lambda real, fake: 0.0 * fake - 2.0)\n'
      'def no_loss():\n'
      '  return 3\n')
  monkeypatch.syspath_prepend(tmp_path)
  for name in ('my_lab', 'my_lab.ideas'):  # Another test has one too.
    monkeypatch.delitem(sys.modules, name, raising=False)
  monkeypatch.setattr(train._Loop, 'draw', lambda self: None)
  path = tiny.write_images(tmp_path / 'noise.npz')
  mine = ['--config=configs/original_gan.py:data=npz,quick',
          f'--config.data.path={path}', f'--workdir={tmp_path / "run"}']
  assert cli(*mine, '--config.loss.name=my_lab.ideas:my_loss',
             '--config.loss.scale=0.5')[0] == 0
  found = tiny.rows(tmp_path / 'run')
  assert [(row['loss/disc'], row['loss/gen']) for row in found] == [
      (3.5, -2.0)] * 2
  for name, word in (('my_lab.ideas:my_los', 'my_los'),
                     ('my_lab.idea:my_loss', 'PYTHONPATH'),
                     ('my_lab.ideas:no_loss', 'Loss(disc, gen)')):
    status, _, said = cli(*mine, f'--config.loss.name={name}')
    assert status == 2 and word in said, said
  # Behind the colon too.
  status, printed, said = cli(
      '--config=configs/dcgan.py:loss=my_lab.ideas:my_loss,quick', '--dry_run')
  assert status == 0, said
  values, _ = main.parse(
      ['main', '--config=configs/dcgan.py:loss=my_lab.ideas:my_loss'])
  assert values.config.loss.to_dict() == dict(name='my_lab.ideas:my_loss',
                                              scale=1.0)


# --- sampling --------------------------------------------------------------


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
  """Folders of a conditional run with classes 0, 1, 2 and of a plain one."""
  base = tmp_path_factory.mktemp('runs')
  path = tiny.write_images(base / 'noise.npz')
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(train._Loop, 'draw', lambda self: None)
    for name in ('cgan', 'original_gan'):
      assert main.main([
          'main', f'--config=configs/{name}.py:data=npz,latent=normal,quick',
          f'--config.data.path={path}', f'--workdir={base / name}',
          '--config.latent.size=4']) == 0
  return base


@pytest.fixture
def sample(cli, runs, tmp_path):
  """Samples from a run into an npz: (images, labels)."""
  def run(name, *args):
    out = tmp_path / 'out.npz'
    status, _, said = cli('--mode=sample', f'--workdir={runs / name}',
                          f'--out={out}', *args)
    assert status == 0, said
    with np.load(out) as file:
      assert sorted(file) == ['images', 'labels']
      return file['images'], file['labels']

  return run


def test_samples_in_an_npz_are_uint8_and_a_function_of_the_seed(sample):
  images, labels = sample('cgan', '--num_samples=7')
  assert (images.shape, images.dtype) == ((7, 8, 8, 1), np.uint8)
  assert labels.tolist() == [0, 1, 2, 0, 1, 2, 0]
  assert images.std() > 1
  again, _ = sample('cgan', '--num_samples=7', '--seed=0')
  np.testing.assert_array_equal(images, again)
  other, _ = sample('cgan', '--num_samples=7', '--seed=1')
  assert (images != other).any()
  # More samples do not change the first ones.
  more, _ = sample('cgan', '--num_samples=11')
  np.testing.assert_array_equal(more[:7], images)


def test_a_class_on_demand(sample):
  everything, _ = sample('cgan', '--num_samples=6')
  two, labels = sample('cgan', '--num_samples=6', '--label=2')
  assert labels.tolist() == [2] * 6
  np.testing.assert_array_equal(two[2], everything[2])
  np.testing.assert_array_equal(two[5], everything[5])
  assert (two[0] != everything[0]).any()


def test_truncation_reaches_the_latents(sample):
  usual, _ = sample('original_gan', '--num_samples=32')
  tight, _ = sample('original_gan', '--num_samples=32', '--truncation=0.06')
  spread = usual.astype(float).std(0).mean(), tight.astype(float).std(0).mean()
  assert spread[1] < 0.5 * spread[0]


def test_interpolation_goes_from_the_sample_to_another(sample):
  plain, _ = sample('cgan', '--num_samples=2')
  paths, labels = sample('cgan', '--num_samples=2', '--interpolate=5')
  assert paths.shape[0] == 10
  assert labels.tolist() == [0] * 5 + [1] * 5
  for row in range(2):
    assert np.abs(paths[5 * row].astype(int) - plain[row]).max() <= 1
    steps = np.abs(np.diff(paths[5 * row:5 * row + 5].astype(float),
                           axis=0)).mean(axis=(1, 2, 3))
    assert (steps > 0).all()


def test_samples_come_from_the_average_in_the_newest_checkpoint(
    sample, runs, monkeypatch):
  seen = []
  images = evaluators.Sampler.images

  def spy(self, average, z, label):
    seen.append(average)
    return images(self, average, z, label)

  monkeypatch.setattr(evaluators.Sampler, 'images', spy)
  sample('cgan', '--num_samples=2')
  values, _ = main.parse([
      'main', '--config=configs/cgan.py:data=npz,latent=normal,quick',
      f'--config.data.path={runs / "noise.npz"}', '--config.latent.size=4'])
  state = tiny.saved(experiment.load(values.config), runs / 'cgan', 4)
  average, = seen
  assert checkpoint.digest(average) == checkpoint.digest(state.ema)
  assert checkpoint.digest(average.params) != checkpoint.digest(
      state.gen.params)


def test_png_gif_and_folder(cli, runs, tmp_path):
  ask = functools.partial(cli, '--mode=sample', f'--workdir={runs / "cgan"}')
  assert ask('--num_samples=6', f'--out={tmp_path / "a.png"}')[0] == 0
  picture = media.read_png((tmp_path / 'a.png').read_bytes())
  assert picture.ndim == 3 and picture.shape[1] > picture.shape[0]  # 2 x 3
  for extra in ([], ['--interpolate=4']):
    path = tmp_path / f'film{len(extra)}.gif'
    assert ask('--num_samples=5', f'--out={path}', *extra)[0] == 0
    with Image.open(path) as film:
      assert film.n_frames == (4 if extra else 5)
  folder = tmp_path / 'folder'
  assert ask('--num_samples=3', '--label=1', f'--out={folder}')[0] == 0
  assert sorted(os.listdir(folder)) == [
      f'00000{i}_class1.png' for i in range(3)]
  assert media.read_png((folder / '000000_class1.png').read_bytes()
                        ).shape[:2] == (8, 8)
  status, printed, _ = ask('--num_samples=4')
  assert status == 0
  assert printed == f'4 images of step 4 in {runs / "cgan" / "samples.png"}\n'
  assert (runs / 'cgan' / 'samples.png').exists()


def test_images_in_0_1_are_scaled_as_well(cli, tmp_path, monkeypatch):
  monkeypatch.setattr(train._Loop, 'draw', lambda self: None)
  path = tiny.write_images(tmp_path / 'noise.npz')
  folder = tmp_path / 'run'
  assert cli('--config=configs/critic_mlp.py:data=npz,quick',
             f'--config.data.path={path}', f'--workdir={folder}')[0] == 0
  out = tmp_path / 'out.npz'
  assert cli('--mode=sample', f'--workdir={folder}', f'--out={out}')[0] == 0
  with np.load(out) as file:
    # A sigmoid near its middle: grey, not the 3/4 white of a wrong range.
    assert abs(file['images'].mean() - 127.5) < 25
    assert file['images'].shape[0] == 64


@pytest.mark.parametrize('name, args, words', [
    ('original_gan', ['--label=1'], ['--label=1', 'not conditional']),
    ('cgan', ['--label=9'], ['--label=9', '(0, 1, 2)']),
    ('cgan', ['--num_samples=0'], ['--num_samples=0']),
    ('cgan', ['--num_samples=-3'], ['--num_samples=-3']),
    ('cgan', ['--truncation=0.001'], ['truncation', '0.05']),
    ('cgan', ['--truncation=-1'], ['truncation', '0.05']),
    ('cgan', ['--interpolate=-2'], ['--interpolate=-2']),
    ('cgan', ['--interpolate=1'], ['--interpolate=1']),
    ('cgan', ['--out=/proc/no/such/x.png'], ['/proc/no/such/x.png']),
    ('cgan', ['--out=x.jpg'], ['x.jpg', '.npz']),
])
def test_what_a_run_cannot_be_asked_for_is_status_2(
    cli, runs, tmp_path, monkeypatch, name, args, words):
  monkeypatch.chdir(tmp_path)
  status, _, said = cli('--mode=sample', f'--workdir={runs / name}', *args)
  assert status == 2, said
  for word in words:
    assert word in said, said
  assert os.listdir(tmp_path) == []


def test_sampling_without_a_run(cli, tmp_path):
  status, _, said = cli('--mode=sample')
  assert status == 2 and '--workdir' in said
  status, _, said = cli('--mode=sample', f'--workdir={tmp_path / "none"}')
  assert status == 4 and str(tmp_path / 'none') in said
  assert not (tmp_path / 'none').exists()


def test_sampling_a_run_without_a_checkpoint(cli, runs, tmp_path):
  for name in ('config.json', 'data.json'):
    (tmp_path / name).write_bytes((runs / 'cgan' / name).read_bytes())
  status, _, said = cli('--mode=sample', f'--workdir={tmp_path}')
  assert status == 4 and 'no checkpoint' in said
  assert sorted(os.listdir(tmp_path)) == ['config.json', 'data.json']


def test_sampling_needs_no_data(cli, runs, tmp_path):
  """A run is sampled from on a machine that lacks the data set."""
  config = json.loads((runs / 'cgan' / 'config.json').read_text())
  os.rename(config['data']['path'], tmp_path / 'gone.npz')
  try:
    out = tmp_path / 'out.npz'
    status, _, said = cli('--mode=sample', f'--workdir={runs / "cgan"}',
                          f'--out={out}', '--num_samples=2')
    assert status == 0, said
  finally:
    os.rename(tmp_path / 'gone.npz', config['data']['path'])


def test_a_process_that_fails_says_it_with_its_status():
  process = tiny.start('--config=configs/dcgann.py')
  printed, said = process.communicate(timeout=100)
  assert process.returncode == 2
  assert printed == ''
  assert said.startswith('gan_jax: ') and 'did you mean' in said
