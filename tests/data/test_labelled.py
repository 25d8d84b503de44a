"""Data of which some labels are withheld."""

import json
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny
from semi_supervised_terms import FORMS

from gan_jax import main, parallel
from gan_jax.base.errors import ConfigError, DataError
from gan_jax.config import experiment
from gan_jax.data import load as data
from gan_jax.views import inspect

# Data with some labels.


def test_labels_are_kept_of_a_share_of_each_class():
  whole = data.load(dict(name='mnist10k'))
  some = data.load(dict(name='mnist10k', labelled=0.01))
  known = some.labels >= 0
  np.testing.assert_array_equal(some.labels[known], whole.labels[known])
  np.testing.assert_array_equal(
      np.bincount(some.labels[known], minlength=10),
      [max(1, round(0.01 * n)) for n in np.bincount(whole.labels)])
  assert some.num_classes == 10 and (some.labels[~known] == -1).all()
  np.testing.assert_array_equal(some.images[:9], whole.images[:9])
  # More of them hold the same ones, and so does another order.
  more = data.load(dict(name='mnist10k', labelled=0.05))
  assert known[more.labels < 0].sum() == 0 and (more.labels >= 0).sum() > 400
  few = data.load(dict(name='mnist10k', labelled=1e-6))
  assert (few.labels >= 0).sum() == 10
  assert len({s.fingerprint for s in (whole, some, more, few)}) == 4
  info = experiment.info_of(some)
  assert info.classes == tuple(range(10)) or info.classes == list(range(10))
  assert info.unlabelled == (~known).sum()
  assert experiment.info_of(whole).unlabelled == 0


def test_held_out_examples_keep_their_labels():
  some = data.load(dict(name='mnist10k', labelled=0.1, holdout=0.5,
                        classes=(1, 7)))
  alone = data.load(dict(name='mnist10k', holdout=0.5, classes=(1, 7)))
  assert (some.held_out.labels >= 0).all()
  assert some.held_out.fingerprint == alone.held_out.fingerprint
  assert some.fingerprint != alone.fingerprint
  assert set(np.unique(some.labels)) == {-1, 1, 7}


@pytest.mark.parametrize('spec,message', [
    (dict(name='mnist10k', labelled=0.0), r'must be a share in \(0, 1\]'),
    (dict(name='mnist10k', labelled=1.5), r'must be a share in \(0, 1\]')])
def test_shares_that_are_none(spec, message):
  with pytest.raises(DataError, match=message):
    data.load(spec)


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


def test_labels_of_data_that_have_none(tmp_path):
  path = tiny.write_images(tmp_path / 'set.npz', classes=0)
  with pytest.raises(DataError, match='labelled=0.5 of a data set without'):
    data.load(dict(name='npz', path=path, labelled=0.5))


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
    (dict(augment=(dict(name='apa'),)), 'apa would give the labels of real'),
    (dict(penalties=(TERM, TERM)), 'each say what the logits'),
    (dict(loss=dict(name='mmd')), 'which mmd does not read'),
    (dict(packing=2), 'semi_supervised.* asks for one'),
    (dict(discriminator=dict(name='autoencoder.Discriminator', width=4),
          loss=dict(name='ebgan')), 'which ebgan does not read')])
def test_what_does_not_fit_is_refused(path, changes, message):
  with pytest.raises(ConfigError) as refused:
    experiment.load(config(path, **changes))
  assert re.search(message, str(refused.value)), refused.value


def test_all_labels_may_go_with_everything(path):
  run = experiment.load(config(path, labelled=1.0, generator=ONEHOT,
                               augment=(dict(name='apa'),), balanced=True))
  assert run.info.unlabelled == 0
  text = experiment.describe(experiment.load(config(path)))
  assert '3 classes, 28 without a label' in text


def played(run, steps):
  mesh = parallel.make_mesh(1)
  runner = parallel.make_runner(run.step, mesh, seed=0, image_range=(-1., 1.))
  return runner(
      parallel.replicate(jax.tree.map(np.array, run.init()), mesh),
      parallel.replicate(parallel.Data(run.source.images, run.source.labels),
                         mesh), run.batches(0, steps).reshape(steps, 1, -1))


@pytest.mark.parametrize('form', FORMS)
def test_it_learns_the_classes_of_the_unlabelled(path, form):
  """Four labels of each class, feature matching beside."""
  adam = dict(name='adam', learning_rate=0.01, b1=0.5)
  run = experiment.load(config(
      path, gen_optimizer=adam, disc_optimizer=adam, penalties=(
          TERM | dict(form=form), dict(name='feature_matching', weight=1.0))))
  state, scalars = played(run, 150)
  assert all(np.isfinite(v).all() for v in scalars.values())
  image = run.source.images / np.float32(127.5) - 1.0
  out, _ = run.game.disc.apply(state.disc.params, state.disc.stats, image,
                               jnp.zeros(40, jnp.int32), train=False)
  found = np.argmax(out.heads['semi_supervised'][:, :3], axis=1)
  assert np.mean(found == np.arange(40) % 3) > 0.9


# What people see of it.


def test_inspect_counts_the_unlabelled(path, tmp_path, capsys, monkeypatch):
  shown = {}
  sheet = inspect.pictures.contact_sheet
  monkeypatch.setattr(inspect.media, 'contact_sheet',
                      lambda rows, names, **kw: (
                          shown.update(names=names), sheet(rows, names, **kw)
                      )[1])
  out = tmp_path / 'out'
  assert main.main([
      'main', '--mode=inspect', '--config=configs/dcgan.py:data=npz',
      f'--config.data.path={path}', '--config.data.labelled=0.3',
      f'--out={out}']) == 0
  report = json.loads((out / 'report.json').read_text())
  assert [c['count'] for c in report['classes']] == [4, 4, 4]
  assert report['without_label'] == 28
  assert shown['names'] == ['no label', '0', '1', '2']
  assert '28 examples have no label' in capsys.readouterr().out
