"""--mode=inspect: numbers by hand, pictures that can be read, refusals."""

import json

import numpy as np
import pytest
import tiny

from gan_jax import main, pictures
from gan_jax.base.errors import ConfigError, DataError, RequestError
from gan_jax.data.load import Rows
from gan_jax.data.prepare import make_source
from gan_jax.views import inspect

pytestmark = tiny.READS_CONFIGS


def read(folder, name):
  return pictures.read_png((folder / name).read_bytes())


def test_values_of_bytes_by_hand():
  images = np.zeros((4, 1, 2, 2), np.uint8)
  images[..., 0] = [[[0, 0]], [[0, 255]], [[255, 255]], [[51, 51]]]
  images[..., 1] = 7
  found, histograms, edges = inspect.values_of(images)
  first = np.array([0, 0, 0, 255, 255, 255, 51, 51])
  np.testing.assert_allclose(found['mean'], [first.mean(), 7])
  np.testing.assert_allclose(found['std'], [first.std(), 0])
  assert found['min'].tolist() == [0, 7] and found['max'].tolist() == [255, 7]
  assert found['share_of_0'].tolist() == [3 / 8, 0]
  assert found['share_of_255'].tolist() == [3 / 8, 0]
  assert found['per'] == 'channel' and found['examples_looked_at'] == 4
  assert histograms[:, [0, 7, 51, 255]].tolist() == [[3, 0, 2, 3],
                                                     [0, 8, 0, 0]]
  assert (edges[0], edges[-1]) == (-0.5, 255.5)


def test_values_of_vectors_by_hand():
  found, histograms, edges = inspect.values_of(
      np.float32([[1, -2], [3, -2], [5, -2]]))
  np.testing.assert_allclose(found['mean'], [3, -2])
  np.testing.assert_allclose(found['std'], [np.sqrt(8 / 3), 0])
  assert (found['min'].tolist(), found['max'].tolist()) == ([1, -2], [5, -2])
  assert 'share_of_0' not in found and found['per'] == 'coordinate'
  assert histograms.sum(1).tolist() == [3, 3]
  assert (edges[0], edges[-1]) == (-2, 5)
  constant, _, edges = inspect.values_of(np.ones((2, 1), np.float32))
  assert constant['std'].tolist() == [0]
  assert (edges[0], edges[-1]) == (0.5, 1.5)  # It has a bin, too.
  with pytest.raises(DataError, match='must be finite'):
    inspect.values_of(np.float32([[np.nan], [0]]))


@pytest.mark.parametrize('shape', [(8, 8, 3), (2,)])
def test_chunks_and_lazy_rows_change_nothing(monkeypatch, shape):
  rng = np.random.default_rng(0)
  images = rng.integers(0, 256, (300, *shape)).astype(
      np.uint8 if len(shape) == 3 else np.float32)
  whole = inspect.values_of(images)
  monkeypatch.setattr(inspect, '_CHUNK', 7 * images[0].nbytes)
  lazy = Rows(images, np.arange(300))
  for array in (images, lazy):
    found = inspect.values_of(array)
    for a, b in zip(whole[1:], found[1:], strict=True):
      np.testing.assert_allclose(a, b, rtol=1e-12)
    for key in ('mean', 'std', 'min', 'max'):
      np.testing.assert_allclose(whole[0][key], found[0][key], rtol=1e-12)
  monkeypatch.setattr(inspect, '_LOOKED_AT', 100)
  assert inspect.values_of(lazy)[0]['examples_looked_at'] == 100


def test_values_of_floats_in_units_by_hand(monkeypatch):
  # -1 is 0, 1 is 400: 0, 100, 400 and 200 in the first channel.
  signals = np.zeros((2, 2, 2), np.float32)
  signals[..., 0] = [[-1, -0.5], [1, 0]]
  for chunk in (1, 2**24):
    monkeypatch.setattr(inspect, '_CHUNK', chunk)
    found, histograms, edges = inspect.values_of(signals, (0.0, 400.0))
    first = np.array([0, 100, 400, 200])
    np.testing.assert_allclose(found['mean'], [first.mean(), 200])
    np.testing.assert_allclose(found['std'], [first.std(), 0])
    assert found['min'].tolist() == [0, 200]
    assert found['max'].tolist() == [400, 200]
    assert found['per'] == 'channel' and 'share_of_0' not in found
    assert (edges[0], edges[-1]) == (0, 400)
    # 200 bins of 2.
    assert np.flatnonzero(histograms[0]).tolist() == [0, 50, 100, 199]
    assert histograms[1].tolist() == [4 * (i == 100) for i in range(200)]


@pytest.mark.parametrize('data, lines', [
    (dict(shape=(256, 2), rate=16000.0, names=('low', 'high')),
     ['kind:         signals of 256 samples, 0.016 s at 16,000 Hz, 2 channels',
      'units:        -1 and 1 stand for -1000 and 3000',
      'classes:      2, each with 20 examples']),
    (dict(shape=(6, 8, 9, 1)), ['kind:         volumes 6x8x9, grey']),
    (dict(shape=(6, 6, 12)), ['kind:         images 6x6, 12 channels; pictures '
                              'show channels 0, 1, 2 of 12'])])
def test_kinds_of_examples(tmp_path, data, lines):
  text = inspect.inspect(dict(data=dict(name='kinds:floats', **data)),
                         str(tmp_path))
  for line in lines:
    assert line in text.splitlines(), text
  report = json.loads((tmp_path / 'report.json').read_text())
  assert report['units'] == [-1000, 3000]
  # Uniform: the mean is 1,000, and the deviation 4,000 / sqrt(12) = 1,155.
  assert abs(report['values']['mean'][0] - 1000) < 60
  assert abs(report['values']['std'][0] - 1155) < 30
  assert read(tmp_path, 'contact_sheet.png').std() > 0


def test_label_vectors_in_words(tmp_path):
  labels = np.float32([[0, 0.25], [1, 0.75], [1, 0.5], [1, 0.5]])
  source = make_source(np.zeros((4, 2, 2, 1), np.uint8), (), 0,
                       name='x')._replace(labels=labels, label_columns=(
                           ('smiling', 0.0, 1.0), ('age', 20.0, 60.0)))
  report = inspect.describe(source, inspect.values_of(source.images)[0])
  assert report['label_columns'] == [
      {'name': 'smiling', 'ones': 0.75, 'mean': 0.75, 'low': 0, 'high': 1},
      {'name': 'age', 'mean': 40, 'low': 30, 'high': 50}]
  lines = inspect.summary(report, 'out').splitlines()
  at = lines.index('labels:       2 numbers per example')
  assert lines[at + 1:at + 3] == ['  smiling          75.0 % are 1',
                                  '  age              mean 40, from 30 to 50']
  assert not any(line.startswith('classes') for line in lines)
  many = report | {'label_columns': 12 * report['label_columns'][:1]}
  assert '  ... 2 more' in inspect.summary(many, 'out').splitlines()
  inspect.contact_sheet(source, '')


def test_duplicates(monkeypatch):
  images = np.arange(64, dtype=np.uint8).reshape(16, 2, 2, 1)
  assert inspect.duplicates(images) == {
      'count': 0, 'looked_at': 16, 'first': []}
  images[[5, 9]] = images[2]
  images[15] = images[14]
  assert inspect.duplicates(images) == {
      'count': 3, 'looked_at': 16, 'first': [[2, 5], [2, 9], [14, 15]]}
  monkeypatch.setattr(inspect, '_ALL', 1)
  monkeypatch.setattr(inspect, '_LOOKED_AT', 8)
  assert inspect.duplicates(images)['looked_at'] == 8


def test_a_data_set_in_words_and_pictures(tmp_path, capsys):
  path = tiny.write_images(tmp_path / 'set.npz', count=31, channels=3)
  out = tmp_path / 'out'
  status = main.main([
      'main', '--mode=inspect', '--config=configs/dcgan.py:data=npz',
      f'--config.data.path={path}', '--config.data.holdout=0.2',
      f'--out={out}'])
  assert status == 0
  report = json.loads((out / 'report.json').read_text())
  count = report['count']
  assert count + report['held_out'] == 31 and report['held_out']
  assert report['shape'] == [8, 8, 3] and report['sizes'] == {'8x8': count}
  assert [c['label'] for c in report['classes']] == [0, 1, 2]
  assert sum(c['count'] for c in report['classes']) == count
  assert len(report['values']['mean']) == 3
  assert report['values']['examples_looked_at'] == count
  printed = capsys.readouterr().out
  assert f'{count} of [8, 8, 3] uint8' in printed and '3; fewest' in printed
  assert 10 <= len(printed.splitlines()) <= 19
  assert all(len(line) < 120 for line in printed.splitlines()[:-1])
  # Three rows of ten, in whole multiples of 8 pixels, beside their names.
  sheet = read(out, 'contact_sheet.png')
  assert sheet.shape[1] > 2 * sheet.shape[0]
  assert read(out, 'statistics.png').shape[1] > 1000


def test_the_sheet_shows_every_class_in_its_row(monkeypatch, tmp_path):
  """A class is one grey level: each row of the picture must have its own."""
  labels = np.repeat([0, 1, 2], [4, 12, 20])
  images = np.broadcast_to((labels * 100 + 50).astype(np.uint8)[
      :, None, None, None], (36, 4, 4, 1)).copy()
  shown = {}
  monkeypatch.setattr(pictures, 'contact_sheet', lambda rows, names, **_: (
      shown.update(rows=rows, names=names), np.zeros((9, 9, 3), np.uint8))[1])
  source = make_source(images, labels, 3, name='x', class_names=(
      'cat', 'dog', 'fox'))
  inspect.contact_sheet(source, '')
  assert shown['names'] == ['0 cat', '1 dog', '2 fox']
  assert [len(row) for row in shown['rows']] == [4, 10, 10]
  assert [set(row.ravel().tolist()) for row in shown['rows']] == [
      {50}, {150}, {250}]
  inspect.contact_sheet(make_source(images, (), 0, name='x'), '')
  assert [len(row) for row in shown['rows']] == [10, 10, 10, 6]
  assert set(shown['names']) == {''}


def test_vectors(tmp_path):
  report = inspect.inspect(dict(data=dict(name='ring', num_examples=400)),
                              str(tmp_path))
  assert '400 of [2] float32' in report and 'per coordinate' in report
  assert read(tmp_path, 'contact_sheet.png').shape == (700, 700, 3)
  report = json.loads((tmp_path / 'report.json').read_text())
  assert 'share_of_0' not in report['values'] and report['sizes'] == {}


def test_what_a_reader_found_is_told():
  source = make_source(np.zeros((4, 2, 2, 1), np.uint8), (), 0, name='x',
                       report=dict(sizes={'2x2': 3, '9x9': 1}, refused=[
                           'a.png: truncated'], notices=['no labels']))
  report = inspect.describe(source, inspect.values_of(source.images)[0])
  text = inspect.summary(report, 'out')
  for words in ('2 in the files, width x height; most often 2x2 (3), 9x9 (1)',
                'no labels', 'a.png: truncated', 'duplicates:   3; as 0 and 1'):
    assert words in text, text
  # A reader keeps the most frequent ones only.
  report['sizes'] = {f'{i}x9': 51 - i for i in range(50)}
  assert 'sizes:        50 or more in' in inspect.summary(report, 'out')
  del report['sizes']['1x9']
  assert 'sizes:        49 in' in inspect.summary(report, 'out')


def test_sizes_are_width_by_height_whatever_was_read():
  source = make_source(np.zeros((4, 2, 3, 1), np.uint8), (), 0, name='x')
  report = inspect.describe(source, inspect.values_of(source.images)[0])
  assert report['sizes'] == {'3x2': 4}


def test_large_and_small_numbers_side_by_side():
  """Neither is lost beside the other, and none is rounded to 0."""
  vectors = np.float32([[1e6, 1e-9], [3e6, 3e-9]] * 3)
  source = make_source(vectors, (), 0, name='x')
  values = inspect.describe(source, inspect.values_of(vectors)[0])['values']
  assert values['mean'] == [2e6, 2e-9] and values['std'] == [1e6, 1e-9]
  assert values['min'] == [1e6, 1e-9] and values['max'] == [3e6, 3e-9]


def test_refusals(tmp_path, capsys, monkeypatch):
  with pytest.raises(ConfigError, match=r'config.data.moods = 3'):
    inspect.inspect(dict(data=dict(name='ring', moods=3)), str(tmp_path))
  with pytest.raises(ConfigError, match='must be a dict'):
    inspect.inspect({}, str(tmp_path))
  with pytest.raises(DataError, match='no such file'):
    inspect.inspect(dict(data=dict(name='npz', path=f'{tmp_path}/a.npz')),
                       str(tmp_path))
  (tmp_path / 'my_lost.py').write_text('def lost():\n  return {}["images"]\n')
  monkeypatch.syspath_prepend(tmp_path)
  with pytest.raises(ConfigError, match=r"KeyError: 'images'\n.*line 2, in lo"):
    inspect.inspect(dict(data=dict(name='my_lost:lost')), str(tmp_path))
  (tmp_path / 'file').write_text('')
  with pytest.raises(RequestError, match='cannot write it'):
    inspect.inspect(dict(data=dict(name='ring')), str(tmp_path / 'file'))
  # Networks do not matter here: an 8-pixel DCGAN on vectors is looked at.
  args = ['main', '--mode=inspect', '--config=configs/dcgan.py:data=ring']
  assert main.main([*args, '--config.data.modes=0',
                    f"--out={tmp_path}/o"]) == ConfigError.status
  assert 'config.data.modes = 0: must be 1 or more' in capsys.readouterr().err
