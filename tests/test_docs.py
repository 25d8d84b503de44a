"""What README and docs show is run, not only read."""

import importlib.util
import json
import pathlib
import re
import shlex

import jax.numpy as jnp
import numpy as np
import pytest
import tiny
from jax import random
from recipes import parsed
from shown_code import EXPERIMENTS, PAGES, ROOT, commands, configs, example

import gan_jax
from gan_jax.base import lookup
from gan_jax.config import (
  command_line,
  experiment,
  key_rules,
  population,
  rules,
)
from gan_jax.data import load as data

pytestmark = tiny.READS_CONFIGS


@pytest.mark.parametrize('command', commands())
def test_a_command_parses_and_its_config_is_valid(command):
  line = command_line.parse(shlex.split(command)[2:])
  if 'my_lab' in command:
    return  # Run below, with the examples.
  assert line.problems == []
  if line.config is not None and '=[' not in command:  # Lists are for members.
    config = experiment.plain(line.config)
    assert key_rules.check(config) + rules.of_config(config, 4, []) == []


# Scores, held-out data, a lazy penalty.
_LOADED = 'best_metric=fd', 'holdout=', '.every='


@pytest.mark.parametrize('flags', [
    # The others with -m slow: their recipes load in config/test_config_numbers.
    pytest.param(flags, marks=() if any(word in str(flags) for word in _LOADED)
                 else pytest.mark.slow) for flags in configs()
    # Those of a reader's own files have none here.
    if not any('path=' in flag or 'my_lab' in flag for flag in flags)], ids=str)
def test_a_config_loads(flags):
  if 'fashion_mnist' in str(flags) and not pathlib.Path(
      '/usr/share/datasets/fashion-mnist').exists():
    pytest.skip('needs the Debian package dataset-fashion-mnist')
  population.load(parsed(*flags))


@pytest.fixture
def my_lab(tmp_path, monkeypatch):
  """The examples of the pages in files of one's own."""
  (tmp_path / 'my_lab').mkdir()
  for name, texts in {
      'ideas': ('def exponential', 'def settled_hinge', 'def centred',
                'def domains', 'def steady', 'class RMS'),
      'nets': ('class Discriminator', 'class Dropped'),
      'data': ('def stripes', 'def from_dataset'),
      'icons': ('def get_config',),
      'scores': ('def brightness',),
      'logs': ('class CSV',)}.items():
    (tmp_path / 'my_lab' / f'{name}.py').write_text(
        '\n'.join(map(example, texts)))
  monkeypatch.syspath_prepend(tmp_path)
  return tmp_path


def test_the_loss_is_what_it_says(my_lab):
  assert len(example('def exponential').strip().splitlines()) <= 10
  loss = lookup.build('gan_jax.losses', dict(
      name='my_lab.ideas:exponential', scale=2.0))
  real, fake = jnp.array([0.5, -1.0]), jnp.array([0.0, 1.0])
  np.testing.assert_allclose(
      loss.disc(real, fake), np.exp([-1.0, 2.0]) + np.exp([0.0, 2.0]),
      rtol=1e-6)


def test_the_loss_with_a_memory_is_what_it_says(my_lab):
  loss = lookup.build('gan_jax.losses', dict(
      name='my_lab.ideas:settled_hinge', decay=0.5, updates=4),
                      batch_mean=jnp.mean)
  real, fake = jnp.array([2.0, 0.0]), jnp.array([0.5, -1.0])
  after = loss.remember(loss.memory, real, fake)
  assert after == dict(count=1.0, centre=0.5)  # half of the mean, 1
  # A margin of 1/4, of real 1.5 and -0.5, of generated 0 and -1.5.
  np.testing.assert_allclose(loss.disc(real, fake, after), [0.25, 0.75])


def test_the_set_of_texts_is_what_it_says(my_lab):
  source = data.load(dict(name='my_lab.data:from_dataset'))
  assert source.class_names == ('cat', 'dog') and source.num_classes == 2
  assert source.labels.tolist() == [0, 1] * 16
  assert source.images[3].max() == 24 == source.images[3].min()


def test_own_config_loss_networks_data_metric_and_logger_train(
    my_lab, cli, no_pictures):
  status, _, said = cli(
      f'--config={my_lab}/my_lab/icons.py:generator=my_lab.nets:Generator,'
      'data=my_lab.data:stripes,logger=my_lab.logs:CSV,quick',
      '--config.evaluators[0].num_samples=8',
      '--config.best_metric=brightness_error_8', f'--workdir={my_lab / "run"}')
  assert status == 0, said
  config = json.loads((my_lab / 'run' / 'config.json').read_text())
  assert config['loss'] == dict(name='my_lab.ideas:exponential', scale=0.5)
  assert config['penalties'] == [dict(name='r1', weight=0.5, every=4)]
  assert (my_lab / 'run' / 'samples' / 'step_00000004.png').exists()
  assert (my_lab / 'run' / 'loss.csv').read_text().startswith('2,')
  path = my_lab / 'run' / 'scores.jsonl'
  assert path.exists() and 'brightness_error_8' in path.read_text(), said


def test_an_own_network_draws(my_lab, images):
  run = experiment.load(tiny.config(  # Loading traces a step.
      images, discriminator=dict(name='my_lab.nets:Dropped')))
  state, image = run.init(), jnp.ones((2, *run.info.image_shape))
  label, keys = jnp.zeros(2, jnp.int32), random.split(random.key(0))
  logits = [run.game.disc.apply(
      state.disc.params, {}, image, label, train=train, keys=keys)[0].logits
            for train in (False, True)]
  assert logits[0][0] == logits[0][1] and logits[1][0] != logits[1][1]


def test_own_terms_and_norm_train(my_lab, cli, no_pictures):
  status, _, said = cli(
      '--config=configs/keras_mlp.py:penalty=my_lab.ideas:centred'
      '+my_lab.ideas:domains+my_lab.ideas:steady,quick',
      '--config.discriminator.norm=my_lab.ideas:RMS',
      '--config.generator.conditioning=onehot',
      f'--workdir={my_lab / "run"}')
  assert status == 0, said
  row = tiny.rows(my_lab / 'run')[-1]
  assert 'memory/my_lab.ideas:steady/real' in row
  assert {k for k in row if k.startswith('penalty/')} == {
      'penalty/my_lab.ideas:centred', 'penalty/my_lab.ideas:domains',
      'penalty/my_lab.ideas:domains_gen', 'penalty/my_lab.ideas:steady'}


# --- the pages -------------------------------------------------------------


def test_the_readme_is_short():
  assert len((ROOT / 'README.md').read_text().splitlines()) <= 160


def test_every_file_that_a_page_names_is_there():
  for page in PAGES:
    for path in re.findall(
        r'`((?:gan_jax|configs|experiments|tests|docs|game|run|config|data|ops'
        r'|losses|penalties|base|augment)/[\w./-]*)', page.read_text()):
      places = ROOT / path, ROOT / 'gan_jax' / path
      assert any(place.exists() for place in places), (page.name, path)
  templates = [path for path in (ROOT / 'gan_jax').rglob('templates/*')
               if path.suffix in ('.html', '.md', '.txt', '.js')]
  assert len(templates) > 5
  for page in [*PAGES, *EXPERIMENTS, *templates]:
    for path in re.findall(r'\b(?:gan_jax|configs|experiments|tests)/[\w/-]+'
                           r'\.(?:py|sh|sbatch|yaml)', page.read_text()):
      assert (ROOT / path).exists(), (page, path)


def test_every_table_has_a_head():
  """An empty line inside a table makes text of the rows below it."""
  for page in [*PAGES, *EXPERIMENTS]:
    for block in re.split(r'\n\s*\n', page.read_text()):
      rows = re.findall(r'^\|.*\|$', block, re.M)
      assert not rows or re.fullmatch(r'\|(?:[ :-]+\|)+', rows[1]), (
          page, rows[0])


def test_every_test_that_an_experiment_names_is_there():
  """`file::name`, `::name` of the file before it, or a file alone."""
  names = 0
  for page in EXPERIMENTS:
    for file, name, another in re.findall(
        r'((?:\w+/)*test_\w+)(?:\.py|::(\w+))?|::(\w+)', page.read_text()):
      if file:
        found = list((ROOT / 'tests').rglob(
            f'{file.removeprefix("tests/")}.py'))
        assert len(found) == 1, (page, file)
      name = name or another
      if name:
        names += 1
        assert f'\ndef {name}(' in found[0].read_text(), (page, file, name)
  assert names > 70


def test_the_sections_that_pages_take_are_there():
  pytest.importorskip('mkdocs')
  taken = [found for page in (ROOT / 'docs').glob('*.md') for found in (
      re.findall(r'<!-- include: (\S+) (.+?) -->', page.read_text()))]
  assert taken and all(_hooks().section(*found).strip() for found in taken)


def _hooks():
  spec = importlib.util.spec_from_file_location('hooks', ROOT / 'docs/hooks.py')
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


@pytest.mark.parametrize('room, kind', [
    ('gan_jax.losses', ''), ('gan_jax.penalties', ''), ('gan_jax.augment', ''),
    ('gan_jax.models', 'Generator'), ('gan_jax.models', 'Discriminator'),
    ('gan_jax.game.latents', ''), ('gan_jax.game.latent_steps', ''),
    ('gan_jax.game.schedules', ''),
    ('gan_jax.data.sources', ''), ('gan_jax.evaluators', ''),
    ('gan_jax.loggers', '')])
def test_every_choice_has_a_line_in_its_table(room, kind):
  pytest.importorskip('mkdocs')
  for name in lookup.names(room, kind):
    what, paper = _hooks().described(lookup.find(room, name, kind))
    assert 10 < len(what) < 160, (name, what)
    if room in ('gan_jax.losses', 'gan_jax.penalties', 'gan_jax.augment'):
      assert paper or name in ('horizontal_flip', 'none'), name
  assert any('arxiv.org' in line
             for line in _hooks().choices('gan_jax.losses').splitlines())


def test_the_program_from_python(tmp_path, monkeypatch, capsys):
  monkeypatch.chdir(tmp_path)
  exec(example('config = gan_jax.get_config'), {'gan_jax': gan_jax})
  assert 'loss/disc' in capsys.readouterr().out
  shown = {'gan_jax': gan_jax}
  exec(example("gan_jax.load('runs/dcgan')").replace('dcgan', 'first'), shown)
  assert shown['images'].shape == (64, 28, 28, 1)
  assert shown['run'].config['loss']['name'] == 'hinge'


def test_a_command_of_the_pages_can_fail():
  """The tests above would see a mistake."""
  with pytest.raises(AssertionError, match='los'):
    parsed('--config=configs/dcgan.py', '--config.los.name=hinge')
