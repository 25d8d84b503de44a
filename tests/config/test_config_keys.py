"""Every key of a config is read, and flags reach it."""

import json
import sys

import pytest
import tiny
from recipes import CONFIGS, config_of

from gan_jax.config import experiment, key_rules, keys, recipe
from gan_jax.run import train

pytestmark = tiny.READS_CONFIGS

# --- keys ------------------------------------------------------------------


def test_common_has_all_keys_and_no_other():
  assert set(recipe.base()) == set(keys.KEYS)
  for name in CONFIGS:
    assert set(config_of(name)) == set(keys.KEYS)


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
  module = sys.modules['gan_jax.config.experiment']
  check = key_rules.check
  monkeypatch.setattr(module, 'plain', Config)
  monkeypatch.setattr(key_rules, 'check',
                      lambda config: check(dict(config)))
  run = experiment.load(config)
  monkeypatch.setattr('gan_jax.run.results.pictures.curves',
                      lambda *_, **__: b'')
  train.train(run, tmp_path / 'run')
  assert read == set(keys.KEYS) - {'population'}  # Of `population.load`.


# --- flags -----------------------------------------------------------------


def test_flags_reach_into_the_config():
  config = experiment.plain(config_of(
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
  run = experiment.load(config_of(
      'dcgan', 'paper', f'--config.train_steps={text}',
      '--config.log_every=20', '--config.steps_per_call=20',
      '--config.checkpoint_every=50%'))
  assert run.train_steps == steps
  assert run.checkpoint_every == -(-steps // 40) * 20


def test_the_argument_behind_the_colon():
  config = experiment.plain(config_of('dcgan', 'loss=hinge,quick'))
  assert config['loss'] == dict(name='hinge')
  assert config['train_steps'] == 4
  assert config['generator']['width'] == 8
  # `quick` is the last word, wherever it stands.
  for arg in ('quick,generator=mlp.Generator', 'generator=mlp.Generator,quick'):
    assert config_of('dcgan', arg).generator.widths == (8, 8, 8)


@pytest.mark.parametrize('name,fields', [
    ('sngan', dict(width=8, max_width=8, flat_blocks=0)),
    ('biggan', dict(width=8, max_width=8, flat_blocks=0)),
    ('stylegan2', dict(width=8, max_width=8)),
    ('r3gan', dict(width=8, max_width=8, stage_blocks=1, code=8)),
    ('transformer', dict(width=8, depth=1, code=8)),
    ('projected', dict(width=8, mix=8))])
def test_quick_leaves_few_and_narrow_layers_and_what_is_tested(name, fields):
  config = config_of(name, 'penalty=r1,augment=translation,quick')
  found = config.discriminator.to_dict()
  assert {key: found[key] for key in fields} == fields
  assert [term.name for term in config.penalties] == ['r1']
  assert [term.name for term in config.augment] == ['translation']
  gen = config.generator
  assert gen.width == gen.get('style', 8) == 8


def test_a_loss_with_arguments_has_them_within_reach_of_flags():
  config = config_of('wgan', 'loss=least_squares',
                  '--config.loss.real_target=0.9')
  assert config.loss.to_dict() == dict(
      name='least_squares', real_target=0.9, fake_target=0.0, gen_target=1.0)


def test_the_configs_are_plain_values():
  for name in CONFIGS:
    config = experiment.plain(config_of(name))
    assert experiment.plain(json.loads(json.dumps(config))) == config


def test_arguments_of_a_recipe_act_on_its_own_terms_alone():
  """A penalty that a user chose keeps its weight; 10 is Gulrajani et al.'s."""
  weights = {
      arg: [(term.name, term.weight) for term in config_of(
          'stylegan2', f'small,penalty={arg}').penalties]
      for arg in ('wgan_gp', 'r1', 'wgan_gp+drift')}
  assert weights == {'wgan_gp': [('wgan_gp', 10.0)], 'r1': [('r1', 0.5)],
                     'wgan_gp+drift': [('wgan_gp', 10.0), ('drift', 0.001)]}
  # `small` is without the recipe's augmentation, not without the user's.
  assert [term.name for term in config_of(
      'transformer', 'small,augment=ada').augment] == ['ada']
