"""The command line: what is wrong is said at once, before anything compiles."""

import re

import numpy as np
import pytest
import tiny
from PIL import Image
from tiny import MLP

from gan_jax.base.errors import ConfigError
from gan_jax.config import command_line, experiment

pytestmark = tiny.READS_CONFIGS


def _problems(said):
  """{path: the rest} of the lines of a report."""
  return dict(line.strip().removeprefix('config.').split(' = ', 1)
              for line in said.splitlines() if line.startswith('  config.'))


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
    ('gen_optimizer.lr=0.1', 'gen_optimizer.lr', '0.1',
     'did you mean "learning_rate"'),
    ('latent.size=0', 'latent.size', '0', 'must be 1 or more'),
    ('generator.widths=(8,0)', 'generator.widths', '(8, 0)',
     'must be 1 or more'),
    ('gen_optimizer.b3=0.9', 'gen_optimizer.b3', '0.9', 'Known: b1, b2,'),
    ('batch_size=6', 'batch_size', '6', 'not divisible by 4 devices; try 4 or 8'
     ),
    ('batch_size=0', 'batch_size', '0', 'must be an int >= 1'),
    ('log_every=2.5', 'log_every', '2.5', 'must be a whole number of steps'),
    ('data.path=x', 'data.path', "'x'", 'mnist10k takes no such argument'),
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
    ('best_metric=fd_x', 'best_metric', "'fd_x'", 'needs an evaluator'),
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
      '--config.disc_optimizer.learning_rate=-1.0', '--config.log_every=-3',
      '--config.generator.widht=3', '--config.dtype=half',
      '--config.seed=x', '--config.gen_steps=x', '--mod=sample', 'stray')
  assert status == 2
  assert set(_problems(said)) == {
      'batchsize', 'batch_size', 'loss.name', 'penalties[0].weight',
      'penalties[0].targt', 'disc_optimizer.learning_rate',
      'generator.widht', 'dtype', 'log_every', 'seed'}, said
  # What the parser of flags refuses stands beside it.
  assert '--config.gen_steps=x' in said
  assert re.search(r'--mod=sample: .*mode', said)
  assert 'stray' in said
  assert 'Traceback' not in said


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
  assert set(_problems(said)) == {
      *(f'data.{key}' for key in (
          'channels', 'resize', 'holdout', 'labelled', 'repeat', 'max_bad',
          'value_range', 'fit')), 'loss.label_smothing', 'log_every'}, said
  assert "digit': no such file or folder; did you mean 'digits' in" in said
  # What is known without the data is said beside what is not.
  status, _, said = cli(
      '--config=configs/dcgan.py:quick', '--config.data.classes=(12,)',
      '--config.eval_every=often', '--config.checkpoint_every=-1')
  assert status == 2 and set(_problems(said)) == {
      'data.classes', 'eval_every', 'checkpoint_every'}, said


def test_quick_is_said_once_and_beside_no_mistake(
    cli, not_compiled, monkeypatch, tmp_path):
  monkeypatch.setattr('gan_jax.studies.search.worker._Worker.run',
                      lambda *_: 1)
  flags = ('--mode=search', '--config=dcgan:evaluator=scores,quick',
           f'--workdir={tmp_path}/search', ':loss=hinge,minimax')
  assert cli(*flags)[2].count('quick: a smoke test') == 1
  status, _, said = cli(*flags, '--trials=x')
  assert status == 2 and 'quick:' not in said


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
    (('--config=configs/dcgan.py:loss=hing',),
     ['dcgan.py:loss=hing: loss=hing: no such', 'did you mean "hinge"']),
    (('--config=configs/wgan.py:network=cnn',), ['network=cnn', 'dcgan, mlp']),
    (('--config=configs/cgan.py:game=go',), ['game=go', 'gan, critic']),
    (('--config=configs/pooling_cnn.py:optimizer=lion',), ['sgd, momentum']),
    (('--config=configs/pooling_cnn.py:digit=x',),
     ['digit=x: must be a whole number']),
    (('--config=vae:beta=x',), ['beta=x: must be a number']),
    (('--config=configs/pooling_cnn.py:k=',), ['k=']),
    (('--config=configs/sngan.py:size=32,size=64',), ['size is given twice']),
    (('--config=configs/r3gan.py:imagenet=64,size=32',),
     ['size and imagenet each choose networks', 'give one']),
    (('--config=configs/stylegan2.py:size=64,cifar',),
     ['size and cifar each choose']),
    (('--config=configs/sngan.py:small=2',),
     ['small=2: small takes no value; use small']),
    (('--config=configs/dcgan.py:quick=1',), ['quick takes no value']),
    (('--config=configs/dcgan.py:paper=no',), ['paper takes no value']),
    (('--config=configs/r3gan.py:size',), ['size needs a value, as in size=']),
    (('--config=configs/cgan.py:game',), ['game needs a value']),
    (('--config=configs/dcgan.py:loss',), ['loss needs a value']),
    (('--config=configs/sngan.py:generator=dcgan.Generator,network=cnn',),
     ['generator=dcgan.Generator and network each choose the generator: give '
      'one of them']),
    (('--config=configs/rpgan.py:schedule,augment=apa',),
     ['augment=apa and schedule each choose the augment: give one']),
    ((MLP, '--wrkdir=x'), ['--wrkdir', 'workdir']),
    ((MLP, '--mode=trian'), ['--mode=trian', 'train']),
    ((MLP, '--num_samples=many'),
     ['cannot read --num_samples=many: must be a whole number']),
    ((MLP, '--truncation='), ['--truncation=: must be a number']),
    ((MLP, '--strict=maybe'), ['--strict=maybe: must be true or false']),
    ((MLP, '--mode=trian'), ['--mode=trian: value should be one of <train|']),
    ((MLP, '--allow_changed=batch_sise,data.path'),
     ['--allow_changed=batch_sise: no such key; did you mean "batch_size"?']),
    (('--mode=evaluate', '--workdir=x', '--num_samples=0'),
     ['--num_samples=0 must be 1 or more']),
    ((MLP, '--config.batch_size=many'), ['--config.batch_size=many',
                                         'must be an int']),
    (('configs/dcgan.py',), ['did you mean --config=configs/dcgan.py?']),
    (('train', MLP), ['train: not a flag; did you mean --mode=train?']),
    (('--config=config/dcgan.py',), ['did you mean "configs/dcgan.py"']),
    (('--config.batch_size=8',), ['give --config too']),
    (('--config=configs/wgan_gp.py', '--config.penalties[3].weight=1'),
     ['penalties has 1 entry;', 'dcgan:penalty=r1+r2']),
    ((MLP, '--config.los.name=hinge'), ['--config.los.name', 'mean "loss"']),
    ((MLP, '--config.penalties[0].weight=1'),
     ['penalties has no entries', 'penalty=']),
    ((MLP, '--config.loss=hinge'),
     ['cannot read --config.loss=hinge: holds several values: loss.KEY=value ',
      'dcgan:loss=NAME']),
    ((MLP, 'config.loss.name=hinge'), ['config.loss.name=hinge']),
    ((MLP, '--mode=search', 'x=2..1', 'disc_steps'),
     ['x=2..1: the range is empty', 'disc_steps: is neither']),
    ((MLP, '--mode=search'), ['nothing to search']),
    (('--mode=search', 'x=1,2'), ['give --config=']),
    (('--config=configs/dcgan.py:quick', '--mode=search', 'disc_steps=1,2'),
     ['append :evaluator=scores']),
])
def test_a_command_line_that_cannot_be_read(cli, not_compiled, args, words):
  status, _, said = cli(*args)
  assert status == 2, said
  for word in words:
    assert word in said, said
  assert 'Traceback' not in said and 'ValueError' not in said
  assert len(said.splitlines()) < 12, said


@pytest.mark.parametrize('args, message', [
    (('--mode=compare', 'runs/*', '--num_samples=3'),
     '--num_samples is of --mode=sample or evaluate; --mode=compare does not '
     'read it: leave it out'),
    ((MLP, '--mode=sample', '--workdir=runs/x'),
     '--config is of --mode=train or inspect or advise or search'),
    ((MLP, '--interpolate=3'), '--interpolate is of --mode=sample; '
     '--mode=train does not'),
    ((MLP, '--mode=advise', '--dry_run'), '--dry_run is of --mode=train;'),
    ((MLP, '--trials=3'), '--trials is of --mode=search; --mode=train does'),
    ((MLP, '--mode=search', 'disc_steps=1..2', '--dry_run'),
     '--dry_run is of --mode=train;'),
    (('--mode=export', '--workdir=x', '--out=y.onnx', '--seed', '4'),
     '--seed is of --mode=sample or report'),
    (('--mode=evaluate', '--workdir=x', '--resize=8,8'),
     '--out, --resize and --channels are of --images and'),
    (('--mode=evaluate', '--workdir=x', '--images=y', '--reference=z'),
     'give the one or the other'),
    (('--mode=report', 'runs/a', 'runs/b', '--seed=0'),
     '--extractor, --weights and --seed are of a report on one run')])
def test_a_flag_that_would_not_be_read_is_refused(
    cli, not_compiled, monkeypatch, args, message):
  monkeypatch.setattr('gan_jax.views.report.runs', lambda patterns: patterns)
  status, _, said = cli(*args)
  assert status == 2 and message in said, said
  assert len(said.splitlines()) == 1, said


def test_every_flag_says_which_modes_read_it(cli):
  status, text, _ = cli('--help')
  assert status == 0
  for name, modes in command_line._READ_BY.items():
    assert modes and set(modes) <= set(command_line.MODES), name
    assert f'--{name}:' in text or f'--[no]{name}:' in text
  # All but --help itself.
  assert ' '.join(text.split()).count('(Read by ') == len(
      command_line._READ_BY) - 1


def test_a_config_with_a_bug_is_named_and_not_hidden(
    cli, not_compiled, tmp_path):
  path = tmp_path / 'mine.py'
  path.write_text('def get_config(arg=None):\n  return undefined_name\n')
  status, _, said = cli(f'--config={path}')
  assert status == 2
  assert 'undefined_name' in said


def test_a_file_that_is_no_recipe(cli, tmp_path):
  path = tmp_path / 'mine.py'
  path.write_text('x = 1\n')
  status, _, said = cli(f'--config={path}')
  assert status == 2 and said == (
      f'gan_jax: cannot read --config: {path}: needs a function '
      'get_config(arg=None) that returns the config\n')
  path.write_text('from gan_jax.config import recipe\n'
                  'def get_config(arg="b"):\n'
                  '  recipe.known("a", arg, ("c", "d"))\n')
  for given in ('', ':e'):
    status, _, said = cli(f'--config={path}{given}')
    assert status == 2 and said == (
        f'gan_jax: cannot read --config: {path}{given}: a={given[1:] or "b"} '
        'is not one of c, d\n')


@pytest.mark.parametrize('content', [b'', b'no zip at all', None])
def test_a_bad_data_file_is_status_3(cli, not_compiled, tmp_path, content):
  path = tmp_path / 'bad.npz'
  if content is not None:
    path.write_bytes(content)
  status, _, said = cli('--config=configs/keras_mlp.py:data=npz,quick',
                        f'--config.data.path={path}')
  assert status == 3, said
  assert str(path) in said and 'Traceback' not in said


FOLDER, NPZ = 'folder', 'npz'


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
    (NPZ, dict(path=''), 'path', "'': a non-empty string is needed"),
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


def test_the_folder_of_a_run_is_no_recipe_and_no_study(
    cli, not_compiled, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'run').mkdir()
  (tmp_path / 'run' / 'config.json').write_text('{}')
  with monkeypatch.context() as here:
    here.chdir(tmp_path / 'run')
    assert 'no such file' in cli('--config=:quick')[2]
  for given in ('run', 'run/', 'run/config.json'):
    status, _, said = cli(f'--config={given}')
    assert status == 2 and said == (
        f'gan_jax: cannot read --config: {given}: this is a run, which '
        '--workdir=run names; a recipe is needed, as in --config=dcgan\n')
  for flags in (('--mode=search', MLP, 'disc_steps=1,2'),
                ('--mode=advise', MLP), ('--mode=judge', '--idea=loss=hinge')):
    status, _, said = cli('--workdir=run', *flags)
    assert status == 2 and said.endswith(
        'gan_jax: --workdir=run holds a run; give a folder for the study\n')
  assert [path.name for path in (tmp_path / 'run').iterdir()] == ['config.json']


@pytest.mark.parametrize('flags', [
    ('--mode=search', 'configs/ring.py', 'disc_steps=1,2'),
    ('--mode=judge', '--idea=loss=hinge', '--tasks=ring')])
def test_a_file_in_the_way_of_a_study_is_named(cli, tmp_path, flags):
  (tmp_path / 'file').write_text('mine')
  mode, *rest = (f'--config={flag}' if flag.startswith('configs/') else flag
                 for flag in flags)
  status, _, said = cli(mode, *rest, f'--workdir={tmp_path}/file/study')
  assert status == 4 and f'{tmp_path}/file is in the way and is no' in said
  assert (tmp_path / 'file').read_text() == 'mine'


def test_a_flag_that_no_files_allow_is_status_2(cli, tmp_path):
  path = tiny.write_images(tmp_path / 'few.npz', count=7)
  status, _, said = cli('--mode=evaluate', f'--images={path}',
                        f'--reference={path}', '--resize=0,8')
  assert status == 2 and '--resize=(0, 8): (height, width) of' in said, said


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
  assert _problems(said) == {
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
  assert 'no_set:nothing returned NoneType; a data set is a Source' in said


def test_data_without_a_path_say_what_they_need(cli, not_compiled):
  status, _, said = cli('--config=configs/keras_mlp.py:data=npz,quick')
  assert status == 2
  assert 'npz also needs path' in _problems(said)['data']
