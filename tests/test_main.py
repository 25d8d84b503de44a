"""The command line: what is right is done."""

import os
import pathlib
import re
import subprocess
import sys
import types

import finished
import numpy as np
import pytest
import tiny
from PIL import Image
from recipes import parsed
from tiny import MLP

from gan_jax.config import command_line
from gan_jax.run import train

pytestmark = tiny.READS_CONFIGS


def test_help(cli):
  status, printed, _ = cli('-h')
  assert status == 0
  for flag in ('--config:', '--workdir:', '--mode:', '--[no]dry_run:',
               '--interpolate:', '--label:'):
    assert flag in printed


@pytest.mark.parametrize('flags', [['--help'], ['--mode=compare', 'run']])
def test_a_reader_that_has_seen_enough_is_no_error(tmp_path, flags):
  """As `| head` of a long table."""
  (tmp_path / 'run').mkdir()
  for name in ('config', 'data'):
    (tmp_path / 'run' / f'{name}.json').write_text('{}')
  with subprocess.Popen(
      [sys.executable, '-m', 'gan_jax.main', *flags], cwd=tmp_path,
      env=os.environ | {'PYTHONPATH': tiny.ROOT}, stdout=subprocess.PIPE,
      stderr=subprocess.PIPE) as run:
    run.stdout.close()
    assert run.stderr.read() == b''
  assert run.returncode == 0


@pytest.mark.parametrize('letter, shown', [
    ('é', 'ascii'), (os.fsdecode(b'\xe9'), 'utf-8')])
def test_what_cannot_be_shown_does_not_hide_the_rest(tmp_path, letter, shown):
  run = tmp_path / f'caf{letter}'
  finished.write(run)
  done = subprocess.run(
      [sys.executable, '-m', 'gan_jax.main', '--mode=compare', run],
      capture_output=True, env=os.environ | {'PYTHONIOENCODING': shown})
  assert done.returncode == 0, done.stderr
  assert f'{tmp_path}/caf\\'.encode() in done.stdout


@pytest.mark.parametrize('flags, to, status, said', [
    (['--help'], 'stdout', 4,
     'gan_jax: cannot write what it prints: No space left on device\n'),
    (['--mode=compare'], 'stderr', 2, '')])
def test_what_it_says_goes_to_a_full_disk(flags, to, status, said):
  with open('/dev/full', 'w') as full:
    done = subprocess.run(
        [sys.executable, '-m', 'gan_jax.main', *flags], text=True,
        **{'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE} | {to: full})
  assert (done.returncode, done.stderr or '') == (status, said)


@tiny.READS_CONFIGS
def test_a_run_that_cannot_be_written_is_told_before_it_is_read(
    cli, tmp_path, monkeypatch):
  run = tmp_path / 'run'
  run.mkdir()
  monkeypatch.setattr(os, 'access', lambda place, how: (
      not pathlib.Path(place).is_relative_to(run)))
  for mode, name, *flags in (
      ('sample', 'samples.png'), ('explore', 'explore'),
      ('invert', 'inverted.npz', '--images=x'),
      ('outliers', 'outliers.jsonl', '--images=x'),
      ('complete', 'completed.npz', '--images=x', '--mask=x')):
    status, _, said = cli(f'--mode={mode}', f'--workdir={run}', *flags)
    assert status == 4 and said == (
        f'gan_jax: {run}/{name}: cannot write it: {run}: Permission denied; '
        '--out= writes it elsewhere\n')
    # What is asked for lies elsewhere, or there is no such run.
    for folder, out in (('run', f'--out={tmp_path}/{name}'), ('run/none', '')):
      _, _, said = cli(f'--mode={mode}', f'--workdir={tmp_path}/{folder}',
                       *filter(None, (*flags, out)))
      assert 'cannot write' not in said and f'{tmp_path}/{folder}' in said


def test_what_orbax_leaves_behind_on_a_full_disk_is_not_shown(monkeypatch):
  from gan_jax import main
  shown = []
  monkeypatch.setattr(sys, 'unraisablehook', shown.append)
  monkeypatch.setattr(main, 'main', lambda argv: 0)
  monkeypatch.setattr(main.signals, 'before_the_run', lambda: None)
  with pytest.raises(SystemExit):
    main.console()
  closed, other = RuntimeError('Event loop is closed'), RuntimeError('other')
  left, *real = (types.SimpleNamespace(exc_value=error, object=of)
                 for error, of in ((closed, None), (closed, main.main),
                                   (other, None)))
  for found in (left, *real):
    sys.unraisablehook(found)
  assert shown == real


def test_networks_larger_than_the_memory_are_described_and_refused(
    cli, tmp_path):
  """A z of 10^9 to 8 channels, 4 bytes each: weights, average, two moments."""
  large = ('--config=configs/keras_mlp.py:quick',
           '--config.latent.size=1000000000', f'--workdir={tmp_path / "run"}')
  status, printed, _ = cli(*large, '--dry_run')
  assert status == 0 and '8,000,000,008' in printed
  status, _, err = cli(*large)
  assert status == 2 and not (tmp_path / 'run').exists()
  assert (f'gan_jax: weights and optimisers need {8e9 * 4 * 4 / 2**30:.1f} GiB '
          'on each device, and ') in err


@tiny.READS_CONFIGS
def test_a_size_of_0_is_not_blamed_for_what_a_network_says(cli):
  """flat_blocks=0 is right for a discriminator; images of 50 px are not."""
  status, _, err = cli('--config=configs/sngan.py:quick', '--dry_run',
                       '--config.data.resize=(50,50)')
  assert status == 2 and '50x50' in err and 'flat_blocks' not in err


@tiny.READS_CONFIGS
@pytest.mark.parametrize('args, words', [
    (['--config.init_from={there}/none'], 'no run with a checkpoint is there'),
    (['--workdir={there}/other'], 'holds another run'),
    (['--workdir={there}/other', '--config.seed=[0,1]'], 'holds a lone run'),
    (['--workdir={there}/file/run'], 'is in the way and is no folder')])
def test_a_dry_run_refuses_what_a_start_would(cli, tmp_path, args, words):
  (tmp_path / 'other').mkdir()
  (tmp_path / 'other' / 'config.json').write_text('{"batch_size": 3}')
  (tmp_path / 'file').touch()
  before = sorted(tmp_path.rglob('*'))
  args = [tiny.MLP, f'--workdir={tmp_path / "run"}', *(
      each.format(there=tmp_path) for each in args)]
  status, printed, said = cli(*args, '--dry_run')
  assert words in said and 'Dense_0' in printed
  assert sorted(tmp_path.rglob('*')) == before
  assert (status, said) == cli(*args)[::2]


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
  assert '12,000 steps = 768,000 real examples = 76.8 epochs' in printed
  assert 'mnist10k, 10,000 images (28, 28, 1), 10 classes' in printed
  data = (10_000 * 784 + 4 * 10_000) / 2**20
  assert f'data {data:.1f} MiB' in printed
  assert not (tmp_path / 'run').exists()


@pytest.mark.parametrize('args, folder', [
    (('--config=configs/ring.py',), 'runs/ring'),
    (('--config=configs/ring.py:loss=hinge,quick', '--config.seed=3',
      '--config.loss.name=hinge', '--config.penalties=()'),
     'runs/ring-loss=hinge-quick-loss.name=hinge-penalties=_-seed=3'),
    (('--config=configs/ring.py', '--config.train_steps=2 epochs',
      '--config.log_every=1'), 'runs/ring-log_every=1-train_steps=2_epochs'),
    (('--config=configs/ring.py', '--workdir=/x/y z'), '/x/y z'),
])
def test_the_workdir_is_named_after_config_and_overrides(
    monkeypatch, args, folder, cli):
  asked = []
  monkeypatch.setattr(train, 'train',
                      lambda run, folder, **_: asked.append(folder) or 0)
  status, _, said = cli(*args)
  assert (status, asked) == (0, [folder]), said


def test_changed_data_are_refused_unless_allowed(cli, tmp_path, no_pictures):
  folder = tmp_path / 'pictures'
  folder.mkdir()
  for i in range(16):
    _picture(folder / f'{i:02d}.png', i)
  args = ('--config=configs/critic_mlp.py:data=folder,quick',
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


def _picture(path, value):
  Image.fromarray(np.full((8, 8), value, np.uint8)).save(path)


def test_workdirs_of_different_overrides_differ():
  folders = [command_line.parse(['main', MLP, *flags]).name
             for flags in ([], ['--config.seed=1'], ['--config.seed=11'],
                           ['--config.gen_optimizer.b1=0.25'],
                           ['--config.disc_optimizer.b1=0.25'])]
  assert len(set(folders)) == len(folders)
  assert all(re.fullmatch(r'[\w.,=+-]+', folder) for folder in folders)


def test_a_loss_of_ones_own(cli, tmp_path, monkeypatch, no_pictures):
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
  config = parsed('--config=configs/dcgan.py:loss=my_lab.ideas:my_loss')
  assert config.loss.to_dict() == dict(name='my_lab.ideas:my_loss',
                                              scale=1.0)


def test_a_process_that_fails_says_it_with_its_status():
  process = tiny.start('--config=configs/dcgann.py')
  printed, said = process.communicate(timeout=100)
  assert process.returncode == 2
  assert printed == ''
  assert said.startswith('gan_jax: ') and 'did you mean' in said


@pytest.mark.parametrize('overrides', [
    ['--config.batch_size=12', '--config=configs/keras_mlp.py:quick'],
    ['--dry_run', '--config.batch_size', '12', '--config',
     'configs/keras_mlp.py:quick']])
def test_flags_in_any_order(overrides):
  line = command_line.parse(['main', *overrides])
  assert line.problems == []
  assert line.config.batch_size == 12
  assert line.name == 'keras_mlp-quick-batch_size=12'


@pytest.mark.parametrize('name', ['dcgan', 'dcgan.py', 'configs/dcgan',
                                  'configs/dcgan.py'])
def test_a_recipe_by_name_from_anywhere(name, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  line = command_line.parse(['main', f'--config={name}:loss=hinge'])
  assert line.problems == []
  assert line.config.loss.name == 'hinge'
  assert line.name == 'dcgan-loss=hinge'


def test_a_file_beside_you_goes_before_a_recipe(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'dcgan.py').write_text(
      'from gan_jax.config import recipe\n'
      'def get_config(arg=None):\n'
      '  config = recipe.base()\n'
      '  config.seed = 7\n'
      '  return recipe.finish(config, arg)\n')
  assert parsed('--config=dcgan').seed == 7


@pytest.mark.parametrize('letter', ['a', '\u5b57', '\U0001f600'])
def test_a_long_name_of_a_run_fits_a_file_system(letter, tmp_path):
  path = f'{letter}' * 250
  lines = [command_line.parse([
      'main', '--config=configs/dcgan.py:data=npz',
      f'--config.data.path={path}{end}']) for end in '12']
  for line in lines:
    assert len(line.name.encode()) <= 255
    (tmp_path / line.name).mkdir()  # ... and the disk agrees.


def test_an_out_of_the_wrong_kind_is_told_before_anything_is_read(
    cli, tmp_path):
  (tmp_path / 'file').write_text('mine')
  for name in ('a.png', 'a.onnx', 'a.npz', 'a.jsonl', 'a.html'):
    (tmp_path / name).mkdir()
  for mode, name, why in (
      ('sample', 'a.png', 'it is a folder'),
      ('export', 'a.onnx', 'it is a folder'),
      ('invert', 'a.npz', 'it is a folder'),
      ('evaluate', 'a.jsonl', 'it is a folder'),
      ('compare', 'a.html', 'it is a folder'),
      *((mode, 'file', f'{tmp_path}/file is in the way and is no folder')
        for mode in ('sample', 'export', 'inspect', 'report'))):
    status, _, said = cli(f'--mode={mode}', f'--out={tmp_path}/{name}')
    assert status == 2 and said == (
        f'gan_jax: --out={tmp_path}/{name}: cannot write it: {why}; give '
        'another name\n')
  # Where --out is one file, its suffix is what is wrong.
  status, _, said = cli('--mode=compare', tmp_path, f'--out={tmp_path}/file')
  assert status == 2 and f'--out={tmp_path}/file: must end in' in said
