"""Every recipe runs as documented, with every loss, penalty, augmentation."""

import ast
import os
import re

import jax
import numpy as np
import pytest
import tiny
from ml_collections import ConfigDict
from recipes import CONFIGS, config_of

from gan_jax import parallel
from gan_jax.base import lookup
from gan_jax.base.errors import ConfigError
from gan_jax.config import durations, experiment, overrides, recipe
from gan_jax.config.keys import DURATIONS
from gan_jax.run.loader import indices

pytestmark = tiny.READS_CONFIGS

# Examples as small as the networks allow.
_EIGHT = '--config.data.pad=()', '--config.data.resize=(8,8)'
SMALLER = {'stylegan2': _EIGHT, 'r3gan': _EIGHT,
           'wavegan': ('--config.data.length=128',),
           'solids': ('--config.data.side=8',)}
FASHION = '/usr/share/datasets/fashion-mnist'


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


@pytest.mark.parametrize('name', CONFIGS)
def test_a_short_run_writes_few_sheets(name):
  """Of 200 steps 10 at most, whatever a whole run writes."""
  config = config_of(name)
  units = durations.Units(config['batch_size'], 10_000, 200, 1)
  every = durations.steps(config['sample_every'], units)
  assert every == 0 or 200 // every <= 10


def _play(run):
  """Two steps on all devices, for which they are traced when the config loads.

  (state before, state after, scalars [2]).
  """
  mesh = parallel.make_mesh()
  config = run.config
  runner = parallel.make_runner(run.step, mesh, seed=config['seed'],
                                image_range=config['image_range'])
  before = run.init()
  after, scalars = runner(
      parallel.replicate(jax.tree.map(np.array, before), mesh),
      parallel.replicate(parallel.Data(np.asarray(run.source.images),
                                      run.source.labels),
                         mesh), indices(run, 0, 2))
  return before, after, jax.device_get(scalars)


def _runs(config):
  """Asserts that two quick steps train the players; -> the experiment."""
  run = experiment.load(config)
  assert run.train_steps == 4 and run.config['batch_size'] == 8
  before, after, scalars = _play(run)
  assert int(after.step) == 2
  for name, values in scalars.items():
    assert values.shape == (2,) and np.isfinite(values).all(), name
  players = ('gen', 'disc') if run.game.disc else ('gen',)
  for player in players:
    moved = [np.abs(np.asarray(a) - np.asarray(b)).max() for a, b in zip(
        jax.tree.leaves(getattr(before, player).params),
        jax.tree.leaves(getattr(after, player).params), strict=True)]
    assert max(moved) > 0, f'{player} does not learn'
  assert {'loss/gen', 'grad_norm/gen'} <= set(scalars)
  of_disc = {'loss/disc', 'logits/real', 'logits/fake', 'prob/real',
             'prob/fake', 'grad_norm/disc'}
  assert of_disc & set(scalars) == (of_disc if run.game.disc else set())
  return run, scalars


@pytest.mark.parametrize('name, arg', [
    # Between them these have pairs, codes, volumes, tables, one player, and
    # sounds under a gradient penalty. All others with -m slow: what is theirs
    # is tested beside it, and test_every_recipe_loads_as_it_is traces them.
    pytest.param(*case, marks=() if case in [(name, '') for name in (
        'bigan', 'infogan', 'solids', 'table', 'vae', 'wavegan')]
                 else pytest.mark.slow) for case in _documented()])
def test_every_documented_command_runs(name, arg, own_data):
  if 'fashion_mnist' in arg and not os.path.isdir(FASHION):
    pytest.skip('needs the Debian package dataset-fashion-mnist')
  flags = [flag for flag in own_data.get(name, ()) if 'batch' not in flag]
  _runs(config_of(name, f'{arg},quick', *flags, *SMALLER.get(name, ())))


def test_quick_blocks_hold_whole_groups():
  config = config_of('r3gan', 'imagenet=64,quick')  # It asks for 32 channels.
  for net in (config.generator, config.discriminator):
    assert (net.width, net.max_width, net.group_width) == (8, 8, 8)


def test_the_headers_document_what_the_recipes_ask_for():
  found = _documented()
  for case in [('dcgan', 'data=fashion_mnist'), ('cgan', 'game=critic'),
               ('original_gan', 'loss=minimax'), ('pooling_cnn', 'digit=4'),
               ('original_gan', 'schedule=more_gen'), ('critic_mlp', 'full'),
               ('pooling_cnn', 'optimizer=sgd'), ('pooling_cnn', 'k=2'),
               ('wgan', 'network=mlp'), ('wgan_gp', 'network=mlp'),
               ('wgan_gp', 'network=resnet')]:
    assert case in found


@pytest.mark.parametrize('loss', [
    # A memory and a judge that paints; no discriminator that learns; a mean
    # over the whole batch. The values of each are tested in tests/losses.
    pytest.param(name, marks=() if name in (
        'began', 'mmd', 'relativistic_average') else pytest.mark.slow)
    for name in lookup.names('gan_jax.losses')
    # projected.py, semi_supervised.py and vae.py play these.
    if name not in ('hinge_each', 'disc_only', 'none')])
def test_every_loss(loss):
  judge = lookup.build('gan_jax.losses', dict(name=loss)).needs
  network = ',discriminator=autoencoder.Discriminator' if judge else ''
  run, _ = _runs(config_of('keras_mlp', f'loss={loss}{network},quick'))
  assert run.config['loss']['name'] == loss


@pytest.mark.slow
def test_every_penalty():
  # vae.py and encoder.py play those of an encoder.
  penalties = [name for name in lookup.names('gan_jax.penalties')
               if name not in ('elbo', 'latent_regression')]
  assert len(penalties) > 15
  run, scalars = _runs(config_of(
      'keras_mlp', f'penalty={"+".join(penalties)},latent=infogan,quick',
      '--config.generator.conditioning=onehot'))
  assert [term.name for term in run.game.penalties] == penalties
  for term in run.game.penalties:
    for side, scalar in (('disc', f'penalty/{term.name}'),
                         ('gen', f'penalty/{term.name}_gen')):
      assert (scalar in scalars) == (getattr(term.parts, side) is not None)
  assert 'memory/lecam/real' in scalars
  weights = {t['name']: t['weight'] for t in run.config['penalties']}
  assert [weights[name] for name in ('wgan_gp', 'dragan', 'r1', 'r2')] == [
      10, 10, 10, 10]


@pytest.mark.slow
def test_every_augmentation():
  augments = lookup.names('gan_jax.augment')
  assert len(augments) > 5
  run, scalars = _runs(config_of(
      'keras_mlp', f'augment={"+".join(augments)},quick'))
  assert 'memory/augment/ada/p' in scalars
  assert [spec['name'] for spec in run.config['augment']] == augments


@pytest.mark.parametrize('name, arg, flags, path, words', [
    ('dcgan', 'loss=began', (), 'loss.name', 'autoencoder.Discriminator'),
    ('dcgan', 'loss=hinge_each', (), 'loss.name', 'many logits of an image'),
    ('dcgan', 'discriminator=autoencoder.Discriminator', (),
     'discriminator.name', 'loss=ebgan'),
    ('dcgan', 'penalty=acgan', (), 'penalties[0].name', 'conditioning'),
    ('dcgan', 'penalty=r1', ('--config.penalties[0].wight=3',),
     'penalties[0].wight', 'did you mean "weight"? Known: every, weight'),
    ('dcgan', 'penalty=infogan', (), 'penalties[0]', 'categories=(10,)'),
    ('dcgan', 'data=noise,penalty=acgan', (), 'penalties[0]', 'labels'),
    ('cgan', 'penalty=contragan+reacgan', ('--config.penalties[0].size=8',),
     'penalties[1].size = 128', "reacgan asks for a head 'embedding' of 128 "
     'numbers, and penalties[0], contragan, for one of 8; use '
     'penalties[1].size=8, as there'),
    ('biggan', 'data=noise', (), 'generator.norm', 'labels'),
    ('dcgan', '', ('--config.packing=3',), 'packing', 'multiple of'),
    ('dcgan', 'paper', ('--config.gradient_normalization=True',),
     'gradient_normalization', "norm='none'"),
    ('dcgan', 'loss=mmd,augment=ada', (), 'augment', 'does not train'),
    ('dcgan', 'loss=mmd,penalty=drift+wgan_gp', (), 'penalties[1].name',
     'disc_weight_clip'),
    ('dcgan', 'loss=mmd,penalty=zcr', (), 'penalties[0].name', 'not train'),
    ('dcgan', 'loss=relativistic,augment=ada', (), 'augment', 'use bgc'),
    ('wgan', 'augment=apa', (), 'augment', 'the sign of D(real)'),
    ('dcgan', 'loss=top_k,augment=ada', ('--config.loss.base=wasserstein',),
     'augment', 'which is arbitrary with top_k'),
    ('unrolled', '', ('--config.accumulate_steps=2',), 'unrolled_steps',
     'accumulate_steps=1'),
    ('wgan', '', ('--config.accumulate_steps=2',), 'accumulate_steps',
     'multiple of disc_steps'),
    ('unrolled', '', ('--config.disc_optimizer.eps_root=0.0',),
     'disc_optimizer.eps_root', '1e-12'),
    ('unrolled', '', ('--config.max_grad_norm=1.0',), 'max_grad_norm',
     'use max_grad_norm=0.0, or unrolled_steps=0'),
    ('critic_mlp', 'augment=cutout', (), 'augment', '[-1, 1]'),
    ('cgan', '', ('--config.packing=2',), 'packing', 'several classes'),
    ('wgan', '', ('--config.updates=simultaneous',), 'updates',
     'disc_steps=1'),
    ('dcgan', '', ("--config.disc_frozen=('Conv_9',)",), '',
     "disc_frozen names ['Conv_9']"),
    ('dcgan', '', ('--config.discriminator.norm=adain',), '', 'adain'),
])
def test_combinations_without_meaning_are_refused(name, arg, flags, path,
                                                  words):
  with pytest.raises(ConfigError) as error:
    experiment.load(config_of(name, arg, *flags))
  found = [str(p) for p in error.value.problems]
  assert any(p.startswith(path) and words in p for p in found), found


def test_quick_leaves_the_generator_of_another_run_as_it_is():
  config = config_of('encoder', 'quick', '--config.init_from=runs/dcgan')
  assert config.generator.width == config_of('dcgan').generator.width == 24
  assert config.encoder.width == 8


def test_the_order_of_arguments_does_not_matter():
  one, other = (config_of('pooling_cnn', arg).to_dict() for arg in (
      'digit=4,data=fashion_mnist', 'data=fashion_mnist,digit=4'))
  assert one['data'] == other['data'] and one['data']['classes'] == (4,)


@pytest.mark.parametrize('arg, key, known', [
    ('bigan:small,encoder=dcgan.Encoder', 'encoder', 'width'),
    ('projected:small,discriminator=mlp.Discriminator', 'discriminator',
     'widths'),
    ('transformer:small,generator=mlp.Generator', 'generator', 'widths'),
    ('stylegan2:small,generator=mlp.Generator', 'generator', 'widths'),
    ('semi_supervised:small,generator=dcgan.Generator', 'generator', 'width'),
    ('biggan:small,latent=infogan', 'latent', 'noise')])
def test_sizes_of_a_recipe_are_not_those_of_another_network(arg, key, known):
  config = recipe.get_config(arg)
  # As of the component alone: no argument that it does not take, none changed.
  chosen = recipe.choice(key, config[key].name)
  assert {*config[key]} == {*chosen} and known in chosen
  assert config[key][known] == chosen[known]


def test_what_is_asked_of_another_network_is_not_dropped():
  config = recipe.get_config(
      'sngan:generator=mlp.Generator,discriminator=none.Discriminator,'
      'conditioning=projection')
  assert config.discriminator.conditioning == 'projection'


def test_terms_of_a_recipe_may_be_dicts():
  config = recipe.base()
  config.penalties = (dict(name='r1', weight=1), dict(name='lecam'))
  config.augment = ({'names': 'flip'},)  # Refused later, with its place.
  config = recipe.finish(config, 'loss=hinge')
  r1, lecam = config.penalties
  assert r1.to_dict() == dict(name='r1', weight=1, every=1)
  assert lecam.to_dict() == recipe.term('penalties', 'lecam').to_dict()
  overrides.apply(config, '--config.penalties[0].weight=0.5')
  overrides.apply(config, '--config.penalties[1].every=4')
  assert (r1.weight, lecam.weight, lecam.every) == (0.5, 0.3, 4)
  assert config.augment == ({'names': 'flip'},)

  def few(config):
    config.penalties = (dict(name='r2', weight=3),)
  assert recipe.finish(config, 'few', few=few).penalties[0].to_dict() == dict(
      name='r2', weight=3, every=1)


def test_the_players_have_rates_of_their_own():
  config = config_of('pooling_cnn', 'optimizer=sgd',
                  '--config.disc_optimizer.learning_rate=0.001')
  assert config.gen_optimizer.learning_rate == 0.02
  assert config_of('pooling_cnn', 'optimizer=sgd'
                ).disc_optimizer.learning_rate == 0.02


def _numbers(config):
  """(Part of a config, key) of each of its numbers and durations."""
  for key, value in config.items():
    for part in value if isinstance(value, tuple) else [value]:
      if isinstance(part, ConfigDict):
        yield from _numbers(part)
    if durations.is_text(value) or type(value) in (int, float):
      yield config, key


@pytest.mark.parametrize('name', CONFIGS)
def test_a_flag_changes_one_number(name):
  """A field that two keys share would change with either."""
  config = config_of(name)
  places = [*_numbers(config)]
  for i, (part, key) in enumerate(places):
    kind = float if isinstance(part[key], float) else int
    part[key] = kind(1000 + i)
  assert [part[key] for part, key in places] == [
      1000 + i for i in range(len(places))]
  for key in DURATIONS:  # Whatever a recipe has set, a text may follow.
    config[key] = '2 epochs'


def test_other_data_networks_and_optimisers(tmp_path):
  path = tiny.write_images(tmp_path / 'colour.npz', channels=3, classes=0)
  run, _ = _runs(config_of(
      'dcgan', 'paper,quick,data=npz,generator=mlp.Generator,'
      'discriminator=dcgan.Discriminator,gen_optimizer=rmsprop,'
      'disc_optimizer=sgd', f'--config.data.path={path}'))
  assert run.info.image_shape == (8, 8, 3)
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
