"""Vectors instead of images, from the data to the samples of a run."""

import numpy as np
import pytest
import tiny
from PIL import Image

from gan_jax import pictures
from gan_jax.base.errors import ConfigError, RequestError
from gan_jax.config import experiment
from gan_jax.run import evaluator, train
from gan_jax.views import sample

RING = dict(name='ring', num_examples=4000)


def config(**changes):
  return tiny.config('', **{**dict(
      data=RING, batch_size=128, train_steps=200, steps_per_call=50,
      log_every=50, sample_every=100, checkpoint_every=200,
      latent=dict(name='normal', size=2),
      generator=dict(name='mlp.Generator', widths=(32, 32),
                     activation='relu'),
      discriminator=dict(name='mlp.Discriminator', widths=(32, 32)),
      gen_optimizer=dict(name='adam', learning_rate=1e-3, b1=0.5),
      disc_optimizer=dict(name='adam', learning_rate=1e-3, b1=0.5),
      ema_decay=0.9), **changes})


@pytest.fixture(autouse=True, scope='module')
def _quick():
  """Instead of that of conftest.py: here curves and films are drawn."""


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  """200 steps on the ring: (experiment, folder)."""
  folder = tmp_path_factory.mktemp('ring')
  found = experiment.load(config())
  assert train.train(found, str(folder)) == 0
  return found, folder


def test_a_run_draws_points(run):
  _, folder = run
  names = sorted(path.name for path in (folder / 'samples').iterdir())
  assert names == [f'step_{step:08d}.png' for step in (0, 100, 200)]
  frames = [pictures.read_png((folder / 'samples' / n).read_bytes())
            for n in names]
  assert [f.shape for f in frames] == [(600, 600, 3)] * 3
  assert (frames[0] != frames[2]).any()
  # Axes and real points stay: where nothing was generated, no pixel changes.
  assert (frames[0] == frames[2]).all(-1).mean() > 0.8
  with Image.open(folder / 'training.gif') as film:
    assert film.n_frames == 3 and film.size == (600, 600)
  assert pictures.read_png((folder / 'curves.png').read_bytes()).std() > 10


def test_the_generator_went_to_the_ring(run, tmp_path):
  _, folder = run
  text = sample.sample(str(folder), str(tmp_path / 'a.npz'), count=500)
  assert text.startswith('500 vectors of step 200')
  with np.load(tmp_path / 'a.npz') as file:
    points = file['images']
    assert 'labels' not in file  # It is not conditional.
  assert points.shape == (500, 2) and points.dtype == np.float32
  assert np.isfinite(points).all()
  # Floats as they are made: not rounded to grey levels, not within [-1, 1].
  assert len(np.unique(points)) > 900
  radius = np.hypot(*points.T)
  assert 0.4 < np.median(radius) < 1.6


def test_a_sample_is_a_plot_or_numbers(run, tmp_path):
  _, folder = run
  sample.sample(str(folder), str(tmp_path / 'a.png'), interpolate=4)
  picture = pictures.read_png((tmp_path / 'a.png').read_bytes())
  assert picture.shape == (600, 600, 3)
  with pytest.raises(RequestError, match='vectors of 2 numbers.*F.npz'):
    sample.sample(str(folder), str(tmp_path / 'a.gif'))


def test_points_of_a_conditional_run_are_of_all_classes(monkeypatch):
  monkeypatch.setattr(experiment.tracing, 'trace', lambda *_: None)
  spec = dict(name='mlp.Generator', widths=(8,), conditioning='onehot')
  found = experiment.load(config(generator=spec))
  assert np.bincount(evaluator.grid_labels(found)).tolist() == [250] * 8
  assert set(evaluator.grid_labels(experiment.load(config()))) == {0}


def test_gradient_penalties_take_vectors():
  experiment.load(config(penalties=tuple(
      dict(name=name, weight=1.0) for name in ('wgan_gp', 'dragan', 'r1', 'r2')
  )))


@pytest.mark.parametrize('changes, words', [
    (dict(generator=dict(name='dcgan.Generator')),
     r'dcgan.Generator needs signals, images or volumes, .* vectors \[2\]'),
    (dict(discriminator=dict(name='pooling_cnn.Discriminator')),
     'use discriminator=mlp.Discriminator'),
    (dict(augment=(dict(name='translation'),)),
     r'translation: made for images, the data are vectors \[2\]; leave'),
    (dict(augment=(dict(name='ada'), dict(name='horizontal_flip'))),
     'ada, horizontal_flip: made for images'),
    (dict(evaluators=(dict(name='stacked_coverage'),)),
     'not three digits in the channels'),
    (dict(data=RING | dict(flip=True)), 'data.flip.* are vectors'),
])
def test_what_needs_images_says_so(changes, words):
  with pytest.raises(ConfigError, match=words):
    experiment.load(config(**changes))


def test_resizing_vectors_is_refused():
  with pytest.raises(ValueError, match='is for images, and'):
    experiment.load(config(data=RING | dict(resize=(8, 8))))


