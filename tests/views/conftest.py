"""Folders of runs that the tests of all views look at."""

import functools
import shutil

import kinds
import numpy as np
import pandas as pd
import pytest
import tiny
from PIL import Image
from untrained import write_run


@pytest.fixture(scope='session')
def made_run(tmp_path_factory):
  """made_run(name) -> Path of a run with checkpoints 2 and 4, not to change.

  cgan: grey, conditional, of the classes 0, 1, 2; bees: of nine bees to one
  ant; numbered: of the classes named 1, 2, 3; judged: of classes that the
  discriminator alone looks at; patients: of label vectors, '0' from 20 to 80,
  and '1'; plain: the same without labels; sigmoid: with images in [0, 1];
  colour: 9 x 9 x 4 without labels; standing: with standing statistics;
  styles: with a style space;
  encoded: with an encoder beside the discriminator, alone: without the latter;
  infogan: 70 x 70 x 3, of codes; ring: vectors; table: the columns x and kind;
  and those of `kinds.DATA`, signals with classes.
  """
  base = tmp_path_factory.mktemp('runs')
  rows = pd.DataFrame({'x': np.linspace(0, 3, 40).round(1),
                       'kind': ['a', 'b', None, 'b'] * 10})
  rows.to_csv(base / 'rows.csv', index=False)
  grey = tiny.write_images(base / 'grey.npz')
  colour = tiny.write_images(base / 'colour.npz', size=9, channels=4, classes=0)
  patients = tiny.write_images(base / 'patients.npz', labels=np.column_stack([
      np.linspace(20, 80, 40), np.arange(40) % 2]))
  numbered = tiny.write_images(base / 'numbered.npz',
                               labels=1 + np.arange(40) % 3)
  plain = tiny.config(grey)
  bees = tiny.write_images(base / 'bees.npz', labels=['bee'] * 36 + ['ant'] * 4)
  configs = {
      'plain': plain, 'colour': tiny.config(colour),
      'cgan': plain | {key: plain[key] | dict(conditioning='onehot')
                       for key in ('generator', 'discriminator')},
      'bees': tiny.config(bees, **{
          key: plain[key] | dict(conditioning='onehot')
          for key in ('generator', 'discriminator')}),
      'numbered': tiny.config(numbered, **{
          key: plain[key] | dict(conditioning='onehot')
          for key in ('generator', 'discriminator')}),
      'judged': plain | dict(discriminator=plain['discriminator'] | dict(
          conditioning='onehot')),
      'patients': tiny.config(patients, **{
          key: plain[key] | dict(conditioning='onehot')
          for key in ('generator', 'discriminator')}),
      'sigmoid': plain | dict(image_range=(0.0, 1.0)),
      'table': tiny.config('', data=dict(
          name='table', path=str(base / 'rows.csv')),
          generator=dict(name='table.Generator', widths=(8,))),
      'encoded': plain | dict(
          encoder=dict(name='mlp.Encoder', widths=(8,)),
          penalties=(dict(name='latent_regression', weight=1.0, every=1),)),
      'alone': plain | dict(
          encoder=dict(name='mlp.Encoder', widths=(8,)),
          discriminator=dict(name='none.Discriminator'),
          loss=dict(name='none'), image_range=(0.0, 1.0),
          penalties=(dict(name='elbo', weight=1.0, every=1),)),
      'standing': plain | dict(standing_batches=2, generator=dict(
          name='mlp.Generator', widths=(8,), norm='batch')),
      'styles': plain | dict(generator=dict(
          name='stylegan2.Generator', width=4, style=6, mapping_layers=2)),
      'infogan': tiny.config(
          tiny.write_images(base / 'large.npz', size=70, channels=3, classes=0),
          latent=dict(name='infogan', categories=(3, 2), continuous=2,
                      noise=4)),
      'ring': tiny.config('', data=dict(name='ring', num_examples=80)),
      **{name: plain | dict(data=data) for name, data in kinds.DATA.items()}}
  configs['signals'] |= {key: configs['cgan'][key]
                         for key in ('generator', 'discriminator')}

  @functools.cache
  def made(name):
    write_run(configs[name], base / name)
    return base / name

  return made


@pytest.fixture
def untraced(monkeypatch):
  """A config loads without a trace of its step, for tests that take none."""
  monkeypatch.setattr('gan_jax.config.tracing.trace', lambda *_: None)


@pytest.fixture
def copied_run(made_run, tmp_path):
  """copied_run(name, to='run') -> Path of a copy that a test may change."""
  return lambda name, to='run': shutil.copytree(made_run(name), tmp_path / to)


@pytest.fixture
def given_sets(tmp_path, monkeypatch):
  """The working folder, with sets of three images, grey and of 8 px.

  right.npz, large.npz of 9 px, colour.npz, bare.npz without labels, nan.npz.
  """
  monkeypatch.chdir(tmp_path)
  for name, how in (('right', {}), ('large', dict(size=9)),
                    ('colour', dict(channels=3)), ('bare', dict(classes=0))):
    tiny.write_images(f'{name}.npz', count=3, **how)
  np.savez('nan.npz', images=np.full((2, 8, 8, 1), np.nan, np.float32))
  return tmp_path


@pytest.fixture
def pictures_8(tmp_path):
  """A folder of two grey PNGs of 8 px, a.png and b.png."""
  folder = tmp_path / 'pictures'
  folder.mkdir()
  noise = np.random.default_rng(0).integers(0, 256, (2, 8, 8), np.uint8)
  for name, pixels in zip('ab', noise, strict=True):
    Image.fromarray(pixels).save(folder / f'{name}.png')
  return folder
