"""The command line: what is wrong is said at once, before anything compiles."""

import re

import pytest
import tiny
from problems import problems_of
from tiny import MLP

from gan_jax.config import command_line

pytestmark = tiny.READS_CONFIGS


@pytest.mark.parametrize('flag, path, value, rule', [
    ('batchsize=3', 'batchsize', '3', 'did you mean "batch_size"'),
    ('loss.name=hing', 'loss.name', "'hing'", 'did you mean "hinge"'),
    ('loss.label_smothing=0.1', 'loss.label_smothing', '0.1',
     'did you mean "label_smoothing"'),
    ('loss.label_smoothing=1.5', 'loss', '1.5', 'not in [0, 1)'),
    ('loss.name=hinge', 'loss.label_smoothing', '0.1',
     ':loss=NAME after the config begins with its own'),
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
    ('data.path=x', 'data.path', "'x'", 'mnist10k takes no such argument; a '
     'path is of files of yours: dcgan:data=auto, after the colon, reads'),
    ('steps=600', 'steps', '600', 'did you mean train_steps or'),
    ('lr=0.1', 'lr', '0.1', 'mean gen_optimizer.learning_rate=0.1 and disc_'),
    ('epochs=3', 'epochs', '3', "did you mean train_steps='3 epochs'?"),
    ('gen_optimizer.name=AdamW', 'gen_optimizer.name', "'AdamW'",
     'did you mean "adamw"'),
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
  problems = problems_of(said)
  assert list(problems) == [path], said
  assert value in problems[path] and rule in problems[path], said
  assert not folder.exists()


def test_a_number_of_layers_below_0_is_no_way_to_say_none(
    cli, not_compiled, tmp_path):
  folder = tmp_path / 'run'
  status, _, said = cli('--config=configs/wgan_gp.py:network=resnet,quick',
                        '--config.discriminator.flat_blocks=-1',
                        f'--workdir={folder}')
  assert status == 2 and problems_of(said) == {
      'discriminator.flat_blocks': '-1: must be 0 or more'}
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
  assert set(problems_of(said)) == {
      'batchsize', 'batch_size', 'loss.name', 'penalties[0].weight',
      'penalties[0].targt', 'disc_optimizer.learning_rate',
      'generator.widht', 'dtype', 'log_every', 'seed'}, said
  # What the parser of flags refuses stands beside it.
  assert '--config.gen_steps=x' in said
  assert re.search(r'--mod=sample: .*mode', said)
  assert 'stray' in said
  assert 'Traceback' not in said


def test_quick_is_said_once_and_beside_no_mistake(
    cli, not_compiled, monkeypatch, tmp_path):
  monkeypatch.setattr('gan_jax.studies.search.worker._Worker.run',
                      lambda *_: 1)
  flags = ('--mode=search', '--config=dcgan:evaluator=scores,quick',
           f'--workdir={tmp_path}/search', ':loss=hinge,minimax')
  assert cli(*flags)[2].count('quick: a smoke test') == 1
  status, _, said = cli(*flags, '--trials=x')
  assert status == 2 and 'quick:' not in said


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
    ((MLP, '--wrkdir=x'), ['--wrkdir=x: no such flag; did you mean --workdir=x'
                           ]),
    ((MLP, '--num_samples=many'),
     ['cannot read --num_samples=many: must be a whole number']),
    ((MLP, '--truncation='), ['--truncation=: must be a number']),
    ((MLP, '--strict=maybe'), ['--strict=maybe: must be true or false']),
    ((MLP, '--mode=smaple'),
     ['--mode=smaple: no such mode; did you mean "sample"? Known: advise, ']),
    ((MLP, '--steps=100'), ['--steps=100: no such flag; did you mean '
                            '--config.train_steps=100? Or --config.']),
    ((MLP, '--batch-size=8'), ['did you mean --config.batch_size=8?']),
    ((MLP, '--loss=hinge'), ['mean --config=dcgan:loss=hinge, after the colon?'
                             ]),
    ((MLP, '--xyzzy'), ['--xyzzy: no such flag; --help lists them']),
    ((MLP, '--config.loss.name=json:laods'),
     ["there is no 'laods' in 'json'; did you mean \"loads\"?"]),
    ((MLP, '--allow_changed=batch_sise,data.path'),
     ['--allow_changed=batch_sise: no such key; did you mean "batch_size"?']),
    (('--mode=evaluate', '--workdir=x', '--num_samples=0'),
     ['--num_samples=0 must be 1 or more']),
    ((MLP, '--config.batch_size=many'), ['--config.batch_size=many',
                                         'must be an int']),
    (('configs/dcgan.py',), ['did you mean --config=configs/dcgan.py?']),
    (('loss=hinge', MLP), ['not a flag; did you mean --config=dcgan:loss=hinge'
                           ]),
    (('--mode=sample', '--workdir=x', 'tests'), ['did you mean --workdir=tests?'
                                                 ]),
    (('--mode=invert', '--workdir=x', 'README.md'),
     ['did you mean --images=README.md?']),
    ((MLP, '--epochs=3', '--gpus=8', '--precision=32', '--kimg=2.5'), [
        "did you mean --config.train_steps='3 epochs'?",
        'did you mean --config.dtype=bfloat16 (or float32)?',
        "train_steps='... examples', a thousand for each kimg?",
        'did you mean CUDA_VISIBLE_DEVICES=0,1,..., before the command (all']),
    ((MLP, '--lr=3', '--gpu=0', '--outdir=x', '--n-critic=5'), [
        'did you mean --config.gen_optimizer.learning_rate=3 and --config.disc',
        'did you mean CUDA_VISIBLE_DEVICES=0, before the command?',
        'did you mean --workdir=x?', 'did you mean --config.disc_steps=5?']),
    ((MLP, '--config.lr=3', '--config.nz=4', '--config.niter=25',
      '--config.betas=0.5,0.9'), [
        "did you mean train_steps='25 epochs'?",
        'did you mean gen_optimizer.learning_rate=3 and disc_optimizer.lear',
        'did you mean latent.size=4?', 'did you mean gen_optimizer.b1=... and'
        ]),
    (('train', MLP), ['train: not a flag; did you mean --mode=train?']),
    (('--config=config/dcgan.py',), ['did you mean "configs/dcgan.py"']),
    (('--config=configs',), ['configs: a folder; a file of it is needed']),
    (('--config.batch_size=8',), ['give --config too']),
    (('--config=configs/wgan_gp.py', '--config.penalties[3].weight=1'),
     ['penalties has 1 entry;', 'dcgan:penalty=r1+r2']),
    ((MLP, '--config.los.name=hinge'), ['--config.los.name', 'mean "loss"']),
    ((MLP, '--config.lerning_rate=1'),
     ['did you mean disc_optimizer.learning_rate or gen_optimizer.learning_']),
    ((MLP, '--config.penalties[0].weight=1'),
     ['penalties has no entries', 'penalty=']),
    ((MLP, '--config.loss=hinge'),
     ['cannot read --config.loss=hinge: holds several values: loss.KEY=value ',
      'dcgan:loss=NAME']),
    ((MLP, 'config.loss.name=hinge'), ['config.loss.name=hinge']),
    ((MLP, '--config=dcgan'), [f'--config is given twice, as {MLP[9:]} and as '
                               'dcgan: give one']),
    (('dcgan:quick',), ['did you mean --config=dcgan:quick?']),
    (('--mode=evaluate', '--images=a', '--metrics=FD',
      '--reference=b'), ['no such metric; did you mean "fd"?']),
    (('--config=dcgan', '--config.penalties.weight=5'),
     ['several, by their numbers: --config.penalties[0].weight=']),
    (('--config=dcgan', '--config.penalties.0.weight=5'),
     ['several, by their numbers: --config.penalties[0].weight=']),
    ((MLP, '--config.penalty=r1'),
     ['no such key; :penalty=r1 after the config, as in dcgan:penalty=r1, ']),
    ((MLP, '--config.evaluators=scores'),
     ['(name=..., **kwargs); :evaluator=scores after the config, as in ']),
    ((MLP, '--config.train_steps=1e4'), ['train_steps); write 10000']),
    (('--config=configs/dcgan.py,loss=hinge',),
     ('a colon comes before the choices: configs/dcgan.py:loss=hinge',)),
    (('--config=dcgan:data=tests',),
     ('data=auto, with --config.data.path=tests',)),
    (('--config=dcgan:data=no/photos',),
     ('data=auto, with --config.data.path=no/photos',)),
    (('--config=dcgan:path=photos,data=folder',),
     ["no argument 'path'; values are set by flags: --config.data.path=photos"
      ]),
    (('--config=dcgan:batch_size=8',), ['by flags: --config.batch_size=8']),
    (('--config=dcgan:weight=8',), ['--config.penalties[0].weight=8']),
    (('--config=dcgan:learning_rate=8',),
     ['--config.disc_optimizer.learning_rate=8 or --config.gen_optimizer.']),
    (('--config=dcgan:loss=hinge penalty=r1',),
     ['separated by commas, as in loss=hinge,penalty=r1']),
    (('--config=dcgan:penalty=r1:loss=hinge',),
     ['separated by commas, as in penalty=r1,loss=hinge']),
    (('--mode=sample', '--workdir=x', '--config.seed=3'),
     ['--mode=sample reads none; did you mean --seed=3?']),
    (('--mode=sample', '--workdir=x', '--config.loss.name=hinge'),
     ['a run keeps its config; --mode=sample reads none']),
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
     '--extractor, --weights and --seed are of a report on one run'),
    (('--mode=report', '--workdir=x', '--weights=y'),
     '--weights is of --extractor: give both')])
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
    ('--mode=advise', 'configs/ring.py'),
    ('--mode=judge', '--idea=loss=hinge', '--tasks=ring')])
def test_a_file_in_the_way_of_a_study_is_named_first(
    cli, tmp_path, monkeypatch, flags):
  for module in ('search.plan', 'judge.plan'):
    monkeypatch.delattr(f'gan_jax.studies.{module}.make')
  monkeypatch.delattr('gan_jax.studies.advise.advise')
  (tmp_path / 'file').write_text('mine')
  mode, *rest = (f'--config={flag}' if flag.startswith('configs/') else flag
                 for flag in flags)
  status, _, said = cli(mode, *rest, f'--workdir={tmp_path}/file/study')
  assert status == 4 and f'{tmp_path}/file is in the way and is no' in said
  assert (tmp_path / 'file').read_text() == 'mine'


def test_an_out_below_a_file_is_told_before_anything_is_read(cli, tmp_path):
  (tmp_path / 'file').write_text('mine')
  for mode, name in (('sample', 'a.png'), ('export', 'a.onnx'), ('report', 'a'),
                     ('inspect', 'a')):
    status, _, said = cli(f'--mode={mode}', f'--out={tmp_path}/file/{name}')
    assert status == 2 and said == (
        f'gan_jax: --out={tmp_path}/file/{name}: cannot write it: '
        f'{tmp_path}/file is in the way and is no folder; give another name\n')


def test_a_workdir_that_is_a_file_is_named(cli, tmp_path):
  (tmp_path / 'file').write_text('mine')
  status, _, said = cli(MLP, f'--workdir={tmp_path}/file')
  assert status == 4 and f'{tmp_path}/file is in the way and is no' in said
  (tmp_path / 'run' / 'config.json').mkdir(parents=True)
  status, _, said = cli(MLP, f'--workdir={tmp_path}/run')
  assert status == 4 and 'config.json cannot be read: Is a directory' in said


def test_a_flag_that_no_files_allow_is_status_2(cli, tmp_path):
  path = tiny.write_images(tmp_path / 'few.npz', count=7)
  status, _, said = cli('--mode=evaluate', f'--images={path}',
                        f'--reference={path}', '--resize=0,8')
  assert status == 2 and '--resize=(0, 8): (height, width) of' in said, said
