"""Data of which some labels are withheld."""

import json
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny
from semi_supervised_terms import FORMS

from gan_jax import parallel, pictures
from gan_jax.base.errors import ConfigError
from gan_jax.config import experiment, rules
from gan_jax.config.build import make_game
from gan_jax.data import load as data
from gan_jax.data.pipeline import Batches
from gan_jax.game.state import init_state
from gan_jax.game.step import train_step
from gan_jax.views import inspect


@pytest.fixture(scope='module')
def path(tmp_path_factory):
  """Forty pictures of three classes, each of one grey level and noise."""
  rng = np.random.default_rng(0)
  labels = np.arange(40) % 3
  images = (40 + 80 * labels)[:, None, None, None] + rng.integers(
      -20, 20, (40, 8, 8, 1))
  path = str(tmp_path_factory.mktemp('data') / 'levels.npz')
  np.savez(path, images=images.astype(np.uint8), labels=labels)
  return path


def config(path, *, term='semi_supervised', labelled=0.3, balanced=False,
           **changes):
  spec = dict(name='npz', path=path, labelled=labelled, balanced=balanced)
  return tiny.config('unused', **dict(
      data=spec, penalties=(dict(name=term, weight=1.0),)) | changes)


ONEHOT = dict(name='mlp.Generator', conditioning='onehot')
TERM = dict(name='semi_supervised', weight=1.0)


@pytest.mark.parametrize('changes,message', [
    (dict(generator=ONEHOT), 'generator.conditioning = .* data.labelled=1.0'),
    (dict(discriminator=dict(name='mlp.Discriminator',
                             conditioning='projection')),
     'discriminator.conditioning = .*data.labelled=1.0'),
    (dict(generator=dict(name='mlp.Generator', norm='conditional_batch')),
     'generator.norm = .* conditional norm'),
    (dict(term='acgan', generator=ONEHOT), 'acgan.*or semi_supervised'),
    (dict(balanced=True), 'data.balanced = True: needs the label of every'),
    (dict(penalties=(TERM, TERM)), 'each say what the logits'),
    (dict(loss=dict(name='mmd')), 'which mmd does not read'),
    (dict(loss=dict(name='disc_only')), 'leaves the generator to its terms'),
    (dict(packing=2), 'semi_supervised needs one'),
    (dict(discriminator=dict(name='autoencoder.Discriminator', width=4),
          loss=dict(name='ebgan')), 'which ebgan does not read')])
def test_what_does_not_fit_is_refused(path, changes, message):
  with pytest.raises(ConfigError) as refused:
    experiment.load(config(path, **changes))
  assert re.search(message, str(refused.value)), refused.value


def test_a_term_that_asks_for_labelled_examples_needs_some(
    tmp_path, monkeypatch):
  (tmp_path / 'own_terms.py').write_text(
      'def told():\n'
      '  return lambda critique, labelled: critique(labelled.image).logits\n')
  monkeypatch.syspath_prepend(str(tmp_path))
  for labels, message in (
      (dict(), 'told needs the class of some examples, and no example of'),
      (dict(labels=np.eye(3)[[0, 1, 1, 2] * 10] + 1), 'told needs one class')):
    path = str(tmp_path / f'{len(labels)}.npz')
    np.savez(path, images=np.arange(640).reshape(40, 4, 4, 1).astype(np.uint8),
             **labels)
    with pytest.raises(ConfigError, match=message):
      experiment.load(config(path, term='own_terms:told', labelled=1.0))


def test_all_labels_may_go_with_everything(path):
  spec = config(path, labelled=1.0, generator=ONEHOT,
                augment=(dict(name='apa'),), balanced=True)
  source = data.load(spec['data'])
  info = experiment.info_of(source)
  assert info.unlabelled == 0 and not list(rules.of_data(spec, source))
  make_game(spec, info, 4)  # refuses nothing


def test_description_counts_the_unlabelled(path):
  run = experiment.load(config(path))
  assert run.info.unlabelled == 28 and list(run.info.classes) == [0, 1, 2]
  assert '3 classes, 28 without a label' in experiment.describe(run)


@pytest.mark.parametrize('form,more', [
    (FORMS[0], (dict(name='feature_matching', weight=1.0),)), (FORMS[1], ())])
def test_it_learns_the_classes_of_the_unlabelled(path, form, more):
  """Four labels of each class."""
  sgd = dict(name='sgd', learning_rate=0.1)
  spec = config(path, gen_optimizer=sgd, disc_optimizer=sgd,
                penalties=(TERM | dict(form=form), *more))
  source = data.load(spec['data'])
  game = make_game(spec, experiment.info_of(source), 150, axis_name=None)
  images = source.images / np.float32(127.5) - 1.0
  rows = np.flatnonzero(source.labels >= 0)
  assert len(rows) == 12

  @jax.jit
  def classes(index):
    def step(state, index):
      batch = parallel.Batch(jnp.asarray(images)[index],
                             jnp.asarray(source.labels)[index], jnp.arange(8))
      return train_step(state, batch, jax.random.key(0), game=game)

    state = init_state(game, jax.random.key(1), images[:2], jnp.zeros(2, int))
    state, scalars = jax.lax.scan(step, state, index)
    out, _ = game.disc.apply(state.disc.params, state.disc.stats, images,
                             jnp.zeros(40, int), train=False)
    return jnp.argmax(out.heads['semi_supervised'][:, :3], axis=1), scalars

  found, scalars = classes(np.stack(
      [Batches(40, 8, 0)(0, 150), Batches(12, 8, 0, rows=rows)(0, 150)], 1))
  assert all(np.isfinite(v).all() for v in scalars.values())
  assert np.mean(found == np.arange(40) % 3) > 0.9


def test_inspect_counts_the_unlabelled(path, tmp_path, monkeypatch):
  named, draw = [], pictures.contact_sheet

  def sheet(rows, names, **more):
    named.extend(names)
    return draw(rows, names, **more)

  monkeypatch.setattr(pictures, 'contact_sheet', sheet)
  words = inspect.inspect(config(path), str(tmp_path / 'out'))
  report = json.loads((tmp_path / 'out' / 'report.json').read_text())
  assert [c['count'] for c in report['classes']] == [4, 4, 4]
  assert report['without_label'] == 28
  assert named == ['no label', '0', '1', '2']
  assert '28 examples have no label' in words
