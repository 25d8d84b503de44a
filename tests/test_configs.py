"""Every recipe runs, has its paper's numbers, and is read to the last key."""

import ast
import glob
import json
import os
import re
import sys

import jax
import numpy as np
import pytest
import tiny
from PIL import Image

from configs import common
from gan_jax import experiment, lookup, main, parallel, train, validation

CONFIGS = sorted(os.path.basename(path)[:-3] for path in glob.glob(
    os.path.join(tiny.ROOT, 'configs', '*.py')) if 'common' not in path)
FASHION = '/usr/share/datasets/fashion-mnist'

FOLDERS = ('sprites', 'xray')

# Of ml_collections, when it reads a config file.
pytestmark = pytest.mark.filterwarnings('ignore:the load_module')


def _parse(*args):
  """The config of a command line, by the program's own parser."""
  values, bad = main.parse(['main', *args])
  assert not bad, bad
  return values.config


def _config(name, arg='', *flags):
  return _parse(f'--config=configs/{name}.py:{arg}', *flags)


def _documented():
  """(config, argument) of every command in a config's header, and none."""
  found = []
  for name in CONFIGS:
    with open(os.path.join(tiny.ROOT, 'configs', f'{name}.py')) as file:
      header = ast.get_docstring(ast.parse(file.read()))
    arguments = re.findall(
        rf'(?:configs/{name}\.py|\.\.\.):([\w=,+]+)', header)
    assert f'--config=configs/{name}.py' in header, f'{name}: no command'
    found += [(name, argument) for argument in ['', *arguments]]
  return found


def _play(run):
  """Two steps on one device: (state before, state after, scalars [2])."""
  mesh = parallel.make_mesh(1)
  config = run.config
  runner = parallel.make_runner(run.step, mesh, seed=config['seed'],
                                image_range=config['image_range'])
  before = run.init()
  count = config['steps_per_call'], config['disc_steps']
  indices = run.batches(0, count[0] * count[1]).reshape(*count, -1)
  after, scalars = runner(
      parallel.replicate(jax.tree.map(np.array, before), mesh),
      parallel.replicate(parallel.Data(run.source.images, run.source.labels),
                         mesh), indices)
  return before, after, jax.device_get(scalars)


def _runs(config):
  """Asserts that two quick steps train both networks; -> the experiment."""
  run = experiment.load(config)
  assert run.train_steps == 4 and run.config['batch_size'] == 8
  before, after, scalars = _play(run)
  assert int(after.step) == 2
  for name, values in scalars.items():
    assert values.shape == (2,) and np.isfinite(values).all(), name
  for player in ('gen', 'disc'):
    moved = [np.abs(np.asarray(a) - np.asarray(b)).max() for a, b in zip(
        jax.tree.leaves(getattr(before, player).params),
        jax.tree.leaves(getattr(after, player).params), strict=True)]
    assert max(moved) > 0, f'{player} does not learn'
  assert {'loss/disc', 'loss/gen', 'logits/real', 'logits/fake', 'prob/real',
          'prob/fake', 'grad_norm/gen', 'grad_norm/disc'} <= set(scalars)
  return run, scalars


@pytest.fixture(scope='module')
def pictures(tmp_path_factory):
  """A folder of PNGs for the recipes that start from one."""
  folder = tmp_path_factory.mktemp('pictures')
  rng = np.random.default_rng(0)
  for i in range(10):
    Image.fromarray(rng.integers(0, 256, (20, 24), np.uint8)).save(
        folder / f'{i}.png')
  return str(folder)


@pytest.mark.parametrize('name, arg', _documented())
def test_every_documented_command_runs(name, arg, pictures):
  if 'fashion_mnist' in arg and not os.path.isdir(FASHION):
    pytest.skip('needs the Debian package dataset-fashion-mnist')
  path = f'--config.data.path={pictures}'
  _runs(_config(name, f'{arg},quick',
                *([path] if name in FOLDERS else ())))


def test_the_headers_document_what_the_recipes_ask_for():
  found = _documented()
  for case in [('dcgan', 'data=fashion_mnist'), ('cgan', 'game=critic'),
               ('original_gan', 'loss=minimax'), ('pooling_cnn', 'digit=4'),
               ('original_gan', 'schedule=more_gen'), ('critic_mlp', 'full'),
               ('pooling_cnn', 'optimizer=sgd'), ('pooling_cnn', 'k=2'),
               ('wgan', 'network=mlp'), ('wgan_gp', 'network=mlp')]:
    assert case in found


@pytest.mark.parametrize('loss', lookup.names('gan_jax.losses'))
def test_every_loss(loss):
  judge = lookup.build('gan_jax.losses', dict(name=loss)).needs
  network = ',discriminator=autoencoder.Discriminator' if judge else ''
  run, _ = _runs(_config('keras_mlp', f'loss={loss}{network},quick'))
  assert run.config['loss']['name'] == loss


def test_every_penalty_and_every_augmentation():
  penalties = lookup.names('gan_jax.penalties')
  augments = lookup.names('gan_jax.augment')
  assert len(penalties) > 15 and len(augments) > 5
  run, scalars = _runs(_config(
      'keras_mlp', f'penalty={"+".join(penalties)},'
      f'augment={"+".join(augments)},latent=infogan,quick',
      '--config.generator.conditioning=onehot'))
  assert [term.name for term in run.game.penalties] == penalties
  for term in run.game.penalties:
    for side, scalar in (('disc', f'penalty/{term.name}'),
                         ('gen', f'penalty/{term.name}_gen')):
      assert (scalar in scalars) == (getattr(term.parts, side) is not None)
  assert {'memory/lecam/real', 'memory/augment/ada/p'} <= set(scalars)
  weights = {t['name']: t['weight'] for t in run.config['penalties']}
  assert (weights['wgan_gp'], weights['dragan'], weights['r1']) == (10, 10, 10)
  assert [spec['name'] for spec in run.config['augment']] == augments


@pytest.mark.parametrize('name, arg, flags, path, words', [
    ('dcgan', 'loss=began', (), 'loss.name', 'autoencoder.Discriminator'),
    ('dcgan', 'discriminator=autoencoder.Discriminator', (),
     'discriminator.name', 'loss=ebgan'),
    ('dcgan', 'penalty=acgan', (), 'penalties[0].name', 'conditioning'),
    ('dcgan', 'penalty=infogan', (), 'penalties[0]', 'categories=(10,)'),
    ('dcgan', 'data=noise,penalty=acgan', (), 'penalties[0]', 'labels'),
    ('biggan', 'data=noise', (), 'generator.norm', 'labels'),
    ('dcgan', '', ('--config.packing=3',), 'packing', 'multiple of'),
    ('dcgan', '', ('--config.gradient_normalization=True',),
     'gradient_normalization', "norm='none'"),
    ('dcgan', 'loss=mmd,augment=ada', (), 'augment', 'does not train'),
    ('unrolled', '', ('--config.accumulate_steps=2',), 'unrolled_steps',
     'accumulate_steps=1'),
    ('unrolled', '', ('--config.disc_optimizer.eps_root=0.0',),
     'disc_optimizer.eps_root', '1e-12'),
    ('critic_mlp', 'augment=cutout', (), 'augment', '[-1, 1]'),
    ('cgan', '', ('--config.packing=2',), 'packing', 'several classes'),
    ('wgan', '', ('--config.updates=simultaneous',), 'updates',
     'disc_steps=1'),
    ('dcgan', '', ("--config.disc_frozen=('Conv_9',)",), 'py',
     "disc_frozen names ['Conv_9']"),
    ('dcgan', '', ('--config.discriminator.norm=adain',), '', 'adain'),
])
def test_combinations_without_meaning_are_refused(name, arg, flags, path,
                                                  words):
  with pytest.raises(validation.ConfigError) as error:
    experiment.load(_config(name, arg, *flags))
  found = [str(p) for p in error.value.problems]
  assert any(p.startswith(path) and words in p for p in found), found


def test_the_order_of_arguments_does_not_matter():
  one, other = (_config('pooling_cnn', arg).to_dict() for arg in (
      'digit=4,data=fashion_mnist', 'data=fashion_mnist,digit=4'))
  assert one['data'] == other['data'] and one['data']['classes'] == (4,)


def test_the_players_have_rates_of_their_own():
  config = _config('pooling_cnn', 'optimizer=sgd',
                   '--config.disc_optimizer.learning_rate=0.001')
  assert config.gen_optimizer.learning_rate == 0.02
  assert _config('pooling_cnn', 'optimizer=sgd'
                 ).disc_optimizer.learning_rate == 0.02


def test_other_data_networks_and_optimisers(tmp_path):
  path = tiny.write_images(tmp_path / 'colour.npz', channels=3, classes=0)
  run, _ = _runs(_config(
      'dcgan', 'quick,data=npz,generator=mlp.Generator,'
      'discriminator=dcgan.Discriminator,gen_optimizer=rmsprop,'
      'disc_optimizer=sgd', f'--config.data.path={path}'))
  assert run.facts.image_shape == (8, 8, 3)
  assert run.config['gen_optimizer']['name'] == 'rmsprop'
  assert run.config['disc_optimizer']['name'] == 'sgd'
  assert run.config['disc_optimizer']['learning_rate'] == 2e-4


def test_bfloat16_and_a_schedule_and_a_bounded_gradient(tmp_path):
  path = tiny.write_images(tmp_path / 'noise.npz')
  schedule = dict(name='cosine_decay_schedule', init_value=0.1,
                  decay_steps='100%')
  run = experiment.load(tiny.config(
      path, dtype='bfloat16', max_grad_norm=1e-3, train_steps=4,
      disc_optimizer=dict(name='sgd', learning_rate=schedule)))
  before, after, _ = _play(run)
  change = jax.tree.map(lambda a, b: np.asarray(a) - np.asarray(b),
                        after.disc.params, before.disc.params)
  norm = np.sqrt(sum((x ** 2).sum() for x in jax.tree.leaves(change)))
  # Two steps at rates 0.1 and 0.1 (1 + cos(pi / 4)) / 2, gradients of 1e-3.
  assert 0 < norm <= 1e-4 * (1 + (1 + np.cos(np.pi / 4)) / 2) * 1.001
  assert all(x.dtype == np.float32 for x in jax.tree.leaves(after.gen.params))


# --- the papers' numbers ---------------------------------------------------


def _at(config, path):
  for key in path.split('.'):
    config = config[int(key)] if key.isdigit() else config[key]
  return config


_ADAM = {'gen_optimizer.name': 'adam', 'disc_optimizer.name': 'adam',
         'gen_optimizer.learning_rate': 2e-4, 'gen_optimizer.b1': 0.5,
         'disc_optimizer.learning_rate': 2e-4, 'disc_optimizer.b1': 0.5,
         'gen_optimizer.b2': 0.999, 'disc_optimizer.b2': 0.999}
_GAN = {'batch_size': 64, 'disc_steps': 1, 'gen_steps': 1,
        'disc_weight_clip': 0.0, 'penalties': (), 'loss.name': 'non_saturating',
        'latent.size': 100, 'image_range': (-1.0, 1.0)}
NUMBERS = {
    ('dcgan', ''): _GAN | _ADAM | {
        'latent.name': 'normal', 'generator.name': 'dcgan.Generator',
        'discriminator.name': 'dcgan.Discriminator'},
    ('keras_mlp', ''): _GAN | _ADAM | {
        'generator.widths': (128, 256, 512), 'generator.norm': 'batch',
        'generator.norm_momentum': 0.8, 'generator.first_std': 0.02,
        'generator.activation': 'leaky_relu', 'generator.leak': 0.2,
        'discriminator.widths': (512, 256, 128), 'discriminator.leak': 0.2,
        'loss.label_smoothing': 0.1, 'reuse_fakes': True},
    ('original_gan', ''): _GAN | {
        'latent.name': 'uniform', 'gen_optimizer.learning_rate': 2e-4,
        'disc_optimizer.learning_rate': 1e-4, 'gen_optimizer.b1': 0.5,
        'disc_optimizer.b1': 0.5, 'generator.activation': 'relu',
        'discriminator.activation': 'relu', 'sample_every': '10 epochs'},
    ('original_gan', 'schedule=more_disc'): {'disc_steps': 2, 'gen_steps': 1},
    ('original_gan', 'schedule=more_gen'): {'disc_steps': 1, 'gen_steps': 2},
    ('original_gan', 'schedule=alternating'): {'disc_steps': 1, 'gen_steps': 1},
    ('critic_mlp', ''): {
        'latent.name': 'uniform', 'generator.widths': (128,),
        'discriminator.widths': (128,), 'image_range': (0.0, 1.0),
        'loss.name': 'wasserstein', 'disc_steps': 1,
        'gen_optimizer.name': 'rmsprop', 'disc_optimizer.name': 'rmsprop',
        'gen_optimizer.learning_rate': 1e-4,
        'disc_optimizer.learning_rate': 1e-4},
    ('critic_mlp', 'full'): {'train_steps': 1_000_000},
    ('cgan', ''): {'generator.conditioning': 'onehot',
                   'discriminator.conditioning': 'onehot',
                   'loss.name': 'non_saturating', 'generator.widths': (256, 512)
                   },
    ('cgan', 'game=critic'): {'generator.conditioning': 'onehot',
                              'discriminator.conditioning': 'onehot',
                              'loss.name': 'wasserstein',
                              'disc_weight_clip': 0.01},
    ('pooling_cnn', ''): {'discriminator.leak': 0.01,
                          'discriminator.name': 'pooling_cnn.Discriminator'},
    ('pooling_cnn', 'full'): {'train_steps': 20_000},
    ('pooling_cnn', 'digit=1,k=2,optimizer=momentum'): {
        'data.classes': (1,), 'disc_steps': 2, 'gen_optimizer.name': 'sgd',
        'disc_optimizer.momentum': 0.9},
    ('wgan', ''): {
        'batch_size': 64, 'disc_steps': 5, 'disc_weight_clip': 0.01,
        'loss.name': 'wasserstein', 'gen_optimizer.name': 'rmsprop',
        'disc_optimizer.name': 'rmsprop', 'discriminator.norm': 'batch',
        'gen_optimizer.learning_rate': 5e-5,
        'disc_optimizer.learning_rate': 5e-5, 'reuse_fakes': False},
    ('wgan_gp', ''): {
        'batch_size': 64, 'disc_steps': 5, 'disc_weight_clip': 0.0,
        'loss.name': 'wasserstein', 'penalties.0.name': 'wgan_gp',
        'penalties.0.weight': 10.0, 'penalties.0.every': 1,
        'penalties.0.target': 1.0, 'penalties.0.one_sided': False,
        'discriminator.norm': 'none', 'gen_optimizer.learning_rate': 1e-4,
        'disc_optimizer.learning_rate': 1e-4, 'gen_optimizer.b1': 0.0,
        'disc_optimizer.b1': 0.0, 'gen_optimizer.b2': 0.9,
        'disc_optimizer.b2': 0.9},
    ('sngan', ''): {
        'loss.name': 'hinge', 'disc_steps': 5, 'batch_size': 64,
        'gen_optimizer.b1': 0.0, 'gen_optimizer.b2': 0.9,
        'disc_optimizer.learning_rate.init_value': 2e-4,
        'discriminator.weight_norm': 'spectral', 'latent.size': 128},
    ('sngan', 'conditioning=projection'): {
        'discriminator.conditioning': 'projection',
        'generator.norm': 'conditional_batch'},
    ('sagan', ''): {
        'loss.name': 'hinge', 'disc_steps': 1, 'gen_optimizer.b1': 0.0,
        'gen_optimizer.learning_rate': 1e-4, 'gen_optimizer.b2': 0.9,
        'disc_optimizer.learning_rate': 4e-4,
        'generator.weight_norm': 'spectral', 'generator.attention': 14},
    ('biggan', ''): {
        'loss.name': 'hinge', 'disc_steps': 2, 'ema_decay': 0.9999,
        'gen_optimizer.learning_rate': 5e-5, 'gen_optimizer.b1': 0.0,
        'disc_optimizer.learning_rate': 2e-4, 'gen_optimizer.b2': 0.999,
        'generator.weight_norm': 'spectral',
        'discriminator.conditioning': 'projection'},
    ('lsgan', ''): _ADAM | {
        'loss.name': 'least_squares', 'loss.real_target': 1.0,
        'loss.fake_target': 0.0, 'loss.gen_target': 1.0},
    ('dragan', ''): _ADAM | {
        'penalties.0.name': 'dragan', 'penalties.0.weight': 10.0,
        'penalties.0.scale': 0.5, 'discriminator.norm': 'none'},
    ('pacgan', ''): _ADAM | {'packing': 2},
    ('unrolled', ''): {
        'unrolled_steps': 5, 'batch_size': 512, 'latent.size': 256,
        'gen_optimizer.learning_rate': 1e-3,
        'disc_optimizer.learning_rate': 1e-4, 'disc_optimizer.b1': 0.5,
        'generator.widths': (128, 128)},
    ('acgan', ''): _ADAM | {
        'penalties.0.name': 'acgan', 'penalties.0.weight': 1.0,
        'generator.conditioning': 'onehot'},
    ('acgan', 'classifier=tac_gan'): {'penalties.0.name': 'tac_gan'},
    ('infogan', ''): {
        'latent.name': 'infogan', 'latent.categories': (10,),
        'latent.continuous': 2, 'latent.noise': 62,
        'gen_optimizer.learning_rate': 1e-3,
        'disc_optimizer.learning_rate': 2e-4, 'penalties.0.name': 'infogan'},
    ('rpgan', ''): {
        'loss.name': 'relativistic', 'penalties.0.name': 'r1',
        'penalties.1.name': 'r2', 'penalties.0.every': 1,
        'gen_optimizer.b1': 0.0, 'disc_optimizer.b1': 0.0},
    ('ring', ''): {'data.name': 'ring', 'data.modes': 8, 'data.std': 0.01,
                   'data.radius': 1.0, 'generator.widths': (128, 128)},
    ('sprites', ''): _ADAM | {
        'data.channels': 3, 'data.resize': (64, 64), 'data.fit': 'pad',
        'data.background': (255, 255, 255)},
    ('xray', ''): _ADAM | {'data.channels': 1, 'data.resize': (64, 64),
                           'loss.label_smoothing': 0.1},
    ('xray', 'size=128'): {'data.resize': (128, 128)},
    ('wgan', 'network=mlp'): {'generator.name': 'mlp.Generator',
                              'discriminator.name': 'mlp.Discriminator',
                              'disc_steps': 5, 'disc_weight_clip': 0.01},
}


@pytest.mark.parametrize('name, arg', NUMBERS)
def test_the_numbers_of_the_paper(name, arg):
  config = experiment.plain(_config(name, arg))
  assert {path: _at(config, path) for path in NUMBERS[name, arg]} == NUMBERS[
      name, arg]


def test_every_recipe_has_its_numbers_tested():
  assert {name for name, _ in NUMBERS} == set(CONFIGS)


@pytest.mark.parametrize('name', CONFIGS)
def test_every_recipe_loads_as_it_is(name, pictures):
  """Unabridged: intervals are multiples of the call, networks fit."""
  path = f'--config.data.path={pictures}'
  flags = [path, '--config.data.repeat=9'] if name in FOLDERS else []
  run = experiment.load(_config(name, '', *flags))
  assert run.train_steps >= 1000
  for every in ('log_every', 'sample_every', 'checkpoint_every'):
    assert 0 < getattr(run, every) <= run.train_steps


# --- keys ------------------------------------------------------------------


def test_common_has_all_keys_and_no_other():
  assert set(common.get_config()) == validation.KEYS
  for name in CONFIGS:
    assert set(_config(name)) == validation.KEYS


def test_every_key_is_read(tmp_path, monkeypatch):
  """By the program, that is: by more than the check of the config."""
  read = set()

  class Config(dict):
    def __getitem__(self, key):
      read.add(key)
      return super().__getitem__(key)

    def get(self, key, default=None):
      read.add(key)
      return super().get(key, default)

  path = tiny.write_images(tmp_path / 'noise.npz')
  config = tiny.config(path, train_steps=2, checkpoint_every=2)
  module = sys.modules['gan_jax.experiment.load']
  check = validation.check
  monkeypatch.setattr(module, 'plain', Config)
  monkeypatch.setattr(validation, 'check',
                      lambda config, count: check(dict(config), count))
  run = experiment.load(config)
  train.train(run, tmp_path / 'run')
  assert read == validation.KEYS


# --- flags -----------------------------------------------------------------


def test_flags_reach_into_the_config():
  config = experiment.plain(_config(
      'wgan_gp', '', '--config.loss.name=hinge',
      '--config.penalties[0].weight=1', '--config.penalties[0].every=16',
      '--config.train_steps=2 epochs', '--config.batch_size=32',
      '--config.generator.width=16', '--config.sample_grid=(3, 5)',
      '--config.ema_decay=0', '--config.gen_optimizer.learning_rate=1e-3',
      '--config.reuse_fakes=True', '--config.data.classes=(7,)'))
  assert config['loss']['name'] == 'hinge'
  assert config['penalties'][0]['weight'] == 1.0
  assert config['penalties'][0]['every'] == 16
  assert config['train_steps'] == '2 epochs'
  assert config['batch_size'] == 32
  assert config['generator']['width'] == 16
  assert config['sample_grid'] == (3, 5)
  assert config['ema_decay'] == 0.0
  assert config['gen_optimizer']['learning_rate'] == 1e-3
  assert config['reuse_fakes'] is True
  assert config['data']['classes'] == (7,)


@pytest.mark.parametrize('text, steps', [
    ('2 epochs', 320), ('500', 500), ('6400 examples', 100), ('40 steps', 40)])
def test_durations_by_flag(text, steps):
  run = experiment.load(_config(
      'dcgan', '', f'--config.train_steps={text}', '--config.log_every=20',
      '--config.checkpoint_every=50%'))
  assert run.train_steps == steps
  assert run.checkpoint_every == -(-steps // 40) * 20


def test_the_argument_behind_the_colon():
  config = experiment.plain(_config('dcgan', 'loss=hinge,quick'))
  assert config['loss'] == dict(name='hinge')
  assert config['train_steps'] == 4
  assert config['generator']['width'] == 8
  # `quick` is the last word, wherever it stands.
  for arg in ('quick,generator=mlp.Generator', 'generator=mlp.Generator,quick'):
    assert _config('dcgan', arg).generator.widths == (8, 8, 8)


def test_a_loss_with_arguments_has_them_within_reach_of_flags():
  config = _config('wgan', 'loss=least_squares',
                   '--config.loss.real_target=0.9')
  assert config.loss.to_dict() == dict(
      name='least_squares', real_target=0.9, fake_target=0.0, gen_target=1.0)


def test_the_configs_are_plain_values():
  for name in CONFIGS:
    config = experiment.plain(_config(name))
    assert experiment.plain(json.loads(json.dumps(config))) == config
