"""Computed data sets: modes where they belong, digits that are the label's."""

import numpy as np
import pytest

from gan_jax.base.errors import ArgumentError, DataError
from gan_jax.data import load as data
from gan_jax.data import pipeline, sources


def test_ring_has_eight_modes_at_the_right_angles():
  source = sources.ring()
  assert source.images.shape == (50_000, 2)
  assert source.images.dtype == np.float32
  assert (source.num_classes, source.name) == (8, 'ring8')
  assert np.bincount(source.labels).tolist() == [6250] * 8
  half = np.sqrt(0.5)
  wanted = [(1, 0), (half, half), (0, 1), (-half, half), (-1, 0),
            (-half, -half), (0, -1), (half, -half)]
  for mode, centre in enumerate(wanted):
    points = source.images[source.labels == mode]
    # The mean of 6250 errs by 0.01 / 79, a std by 0.01 / 112.
    np.testing.assert_allclose(points.mean(0), centre, atol=6e-4)
    np.testing.assert_allclose(points.std(0), 0.01, rtol=0.05)


def test_axes_of_a_mode_are_independent_and_normal():
  x = sources.ring(modes=1, radius=0.0, std=1.0).images
  assert abs(np.corrcoef(x.T)[0, 1]) < 0.02
  # 68.27, 95.45 and 99.73 % within 1, 2 and 3 sigma.
  for bound, share in ((1, 0.6827), (2, 0.9545), (3, 0.9973)):
    assert abs((np.abs(x) < bound).mean() - share) < 0.005
  # The ceiling of high quality: within 3 sigma in the plane, 1 - exp(-9 / 2).
  assert abs((np.hypot(*x.T) < 3).mean() - 0.98889) < 0.002


def test_grid_has_twenty_five_modes():
  source = sources.grid()
  assert np.bincount(source.labels).tolist() == [2000] * 25
  line = (-4, -2, 0, 2, 4)
  for mode in range(25):
    points = source.images[source.labels == mode]
    np.testing.assert_allclose(points.mean(0), (line[mode // 5],
                                                line[mode % 5]), atol=6e-3)
    np.testing.assert_allclose(points.std(0), 0.05, rtol=0.08)


def test_other_constants():
  source = sources.ring(num_examples=10, modes=4, radius=3.0, std=0.0)
  assert np.bincount(source.labels).tolist() == [3, 3, 2, 2]
  np.testing.assert_allclose(source.images[:4], [(3, 0), (0, 3), (-3, 0),
                                                 (0, -3)], atol=1e-6)
  source = sources.grid(num_examples=4, side=2, spacing=1.0, std=0.0)
  assert source.images.tolist() == [[-0.5, -0.5], [-0.5, 0.5], [0.5, -0.5],
                                    [0.5, 0.5]]


def test_every_channel_is_a_digit_of_the_label():
  digits = sources.mnist10k()
  # A number for each image; different ones for different images.
  key = np.random.default_rng(0).integers(1, 2 ** 40, 28 * 28)
  keys = digits.images.reshape(len(digits.images), -1) @ key
  first, label_of = np.unique(keys, return_index=True)
  source = sources.stacked_mnist(num_examples=3000)
  assert source.images.shape == (3000, 28, 28, 3)
  assert source.images.dtype == np.uint8
  assert (source.num_classes, source.licence) == (1000, digits.licence)
  channels = np.moveaxis(source.images, 3, 1).reshape(3000, 3, -1) @ key
  place = np.searchsorted(first, channels)
  np.testing.assert_array_equal(first[place], channels)
  found = digits.labels[label_of[place]]
  np.testing.assert_array_equal(
      found[:, 0] * 100 + found[:, 1] * 10 + found[:, 2], source.labels)
  # Independent: each pair of digits about 30 times, however they are paired.
  for a, b in ((0, 1), (1, 2), (0, 2)):
    pairs = np.bincount(found[:, a] * 10 + found[:, b], minlength=100)
    assert 10 < pairs.min() and pairs.max() < 60
  assert len(np.unique(channels, axis=0)) == 3000


def test_digits_from_a_folder(tmp_path):
  with pytest.raises(DataError, match='no such folder'):
    sources.stacked_mnist(digits='mnist', folder=str(tmp_path / 'x'))
  with pytest.raises(ArgumentError, match="read with digits='mnist' only"):
    sources.stacked_mnist(folder=str(tmp_path))
  problem, = data.check(dict(name='stacked_mnist', digits='svhn'), 'data')
  assert problem.path == 'data.digits'


def test_noise_of_all_kinds():
  signals = sources.noise(shape=(50, 2), num_examples=100)
  assert signals.images.shape == (100, 50, 2) and signals.units == (-1, 1)
  assert signals.images.dtype == np.float32
  assert -1 <= signals.images.min() < -0.99 < 0.99 < signals.images.max() <= 1
  # Uniform in [-1, 1]: the mean is 0, the variance 1/3.
  assert abs(signals.images.mean()) < 0.02
  assert abs(signals.images.var() - 1 / 3) < 0.01
  volumes = sources.noise(shape=(4, 5, 6, 1), num_examples=3)
  assert volumes.images.shape == (3, 4, 5, 6, 1) and volumes.units == ()
  assert volumes.images.dtype == np.uint8


def test_noise():
  source = sources.noise()
  assert source.images.shape == (2048, 32, 32, 3) and not source.num_classes
  counts = np.bincount(source.images.ravel(), minlength=256)
  # 24,576 of each byte, give or take five sigma.
  assert np.abs(counts - 24576).max() < 5 * np.sqrt(24576)
  source = sources.noise(shape=(5,), num_examples=4000, num_classes=3)
  assert source.images.shape == (4000, 5)
  assert source.images.dtype == np.float32
  assert abs(source.images.mean()) < 0.04
  assert abs(source.images.std() - 1) < 0.03
  assert np.bincount(source.labels).min() > 1200
  assert sources.noise(shape=(3, 3, 1), num_examples=1).images.size == 9


def test_tones_have_the_pitch_of_their_label():
  source = sources.tones(num_examples=40)
  assert source.images.shape == (40, 16_384, 1)
  assert source.images.dtype == np.float32
  assert (source.units, source.rate) == ((-1.0, 1.0), 16_000.0)
  assert source.class_names == ('220 Hz', '440 Hz', '880 Hz')
  x = source.images[..., 0]
  assert 0.5 < np.abs(x).max() <= 1
  spectrum = np.abs(np.fft.rfft(x * np.hanning(16_384)))
  peak = spectrum.argmax(1) * 16_000 / 16_384
  np.testing.assert_allclose(peak, np.float64([220, 440, 880])[source.labels],
                             atol=1)
  # Silence, at most an eighth of it, then the struck tone that fades.
  start = (x != 0).argmax(1)
  assert start.max() < 2048 and start.std() > 300
  loud = np.abs(x).reshape(40, 16, 1024).max(2)
  assert (loud[:, 3] > loud[:, 15]).all() and (loud[:, 3] > 0.1).all()


def test_a_tone_in_numpy():
  """The bits of a seed, as the docstring has them."""
  u = (pipeline.random_bits(4, 5, 0) >> np.uint64(11)) * 2.0 ** -53
  source = sources.tones(num_examples=1, length=100, pitches=(300.0,),
                         rate=1000.0, seed=5)
  want = []
  for i in range(100):
    t = i / 1000 - u[0] * 0.1 / 8
    fade = np.exp(-t / (0.1 * (0.1 + 0.4 * u[2])))
    want.append(0 if t < 0 else (0.5 + 0.5 * u[1]) * (
        1 - np.exp(-t / 0.004)) * fade * np.sin(2 * np.pi * (300 * t + u[3])))
  np.testing.assert_allclose(source.images[0, :, 0], want, atol=1e-6)


def test_solids_have_the_volume_of_their_kind():
  source = sources.solids(num_examples=60, side=24)
  assert source.images.shape == (60, 24, 24, 24, 1)
  assert source.images.dtype == np.uint8
  assert source.class_names == ('ball', 'cube', 'ring')
  x = source.images[..., 0] / 255.0
  for i, kind in enumerate(source.labels):
    places = np.argwhere(x[i] >= 0.5)
    extent = (places.max(0) - places.min(0) + 1) / 24
    side = extent.max()  # 2 r
    assert 0.4 - 0.05 < side < 0.7 + 0.05
    volume = [np.pi / 6, 1.0, 2 * np.pi ** 2 * 0.7 * 0.3 ** 2 / 8][kind]
    np.testing.assert_allclose(x[i].mean(), volume * side ** 3, rtol=0.3)
    # A ring is flat along its axis: 0.6 r of 2 r.
    np.testing.assert_allclose(extent.min() / side, (1, 1, 0.3)[kind],
                               atol=0.12)
  flat = [np.ptp(np.argwhere(v >= 0.5), axis=0).argmin()
          for v in x[source.labels == 2]]
  assert set(flat) == {0, 1, 2}
  # The middle of a ring is empty, that of the others is not.
  centre = [np.argwhere(v >= 0.5).mean(0).round().astype(int) for v in x]
  middle = np.array([v[tuple(c)] for v, c in zip(x, centre, strict=True)])
  assert (middle[source.labels < 2] == 1).all()
  assert not middle[source.labels == 2].any()


@pytest.mark.parametrize('name, size', [
    ('ring', {}), ('grid', {}), ('noise', {}), ('noise', dict(shape=(3,))),
    ('tones', dict(num_examples=9)), ('solids', dict(num_examples=9)),
    ('stacked_mnist', dict(num_examples=50))])
def test_the_seed_is_all_that_matters(name, size):
  def fingerprint(seed):
    return getattr(sources, name)(seed=seed, **size).fingerprint
  assert fingerprint(3) == fingerprint(3) != fingerprint(4)


def test_bytes_are_the_same_for_ever():
  """A resumed run must find its data, whatever numpy it finds."""
  first = sources.noise(shape=(1, 1, 4), num_examples=2).images.ravel()
  assert first.tolist() == [238, 118, 95, 205, 255, 90, 100, 241]
  digits = sources.stacked_mnist(num_examples=6).labels
  assert digits.tolist() == [333, 72, 778, 351, 82, 621]


@pytest.mark.parametrize('call, words', [
    (lambda: sources.ring(modes=0), 'modes=0: must be 1 or more'),
    (lambda: sources.ring(num_examples=0), 'num_examples=0'),
    (lambda: sources.ring(std=-0.1), 'std=-0.1: must be 0 or more'),
    (lambda: sources.grid(side=0), 'side=0'),
    (lambda: sources.grid(seed=-1), 'seed=-1'),
    (lambda: sources.noise(shape=(4,) * 5), r'shape=\(4, 4, 4, 4, 4\)'),
    (lambda: sources.noise(shape=(4, 0, 1)), r'shape=\(4, 0, 1\)'),
    (lambda: sources.tones(pitches=(440.0, 8000.0)), 'below half the rate'),
    (lambda: sources.tones(pitches=()), r'pitches=\(\)'),
    (lambda: sources.solids(side=7), 'side=7: must be 8 or more'),
    (lambda: sources.noise(num_classes=-1), 'num_classes=-1'),
])
def test_bad_arguments(call, words):
  with pytest.raises(ArgumentError, match=words):
    call()


@pytest.mark.parametrize('spec, wrong', [
    (dict(name='ring', modes=0, num_examples=0, std=-1.0, seed=-1),
     ['modes', 'num_examples', 'std', 'seed']),
    (dict(name='grid', side=0, seed=-1), ['side', 'seed']),
    (dict(name='stacked_mnist', num_examples=0, folder='x', seed=-1),
     ['num_examples', 'seed', 'folder']),
    (dict(name='noise', num_examples=0, num_classes=-1, shape=(), seed=-1),
     ['num_examples', 'num_classes', 'seed', 'shape']),
    (dict(name='tones', length=0, pitches=(-1.0,), seed=-1),
     ['length', 'seed', 'pitches']),
    (dict(name='solids', num_examples=0, side=7, seed=-1),
     ['num_examples', 'side', 'seed'])])
def test_all_that_is_wrong_is_said_at_once(spec, wrong):
  with pytest.raises(ArgumentError) as found:
    data.load(spec)
  assert [p.path for p in found.value.problems] == [
      f'data.{argument}' for argument in wrong]
  said = str(found.value)
  assert all(f'{argument}=' in said for argument in wrong)


def test_more_than_the_memory():
  with pytest.raises(DataError, match='bytes of memory'):
    sources.stacked_mnist(num_examples=10 ** 12)


def test_a_config_may_hold_out_and_choose_modes():
  source = data.load(dict(name='ring', classes=(2, 5), holdout=0.25))
  assert set(source.labels.tolist()) == {2, 5}
  total = len(source.images) + len(source.held_out.images)
  assert total == 12_500 and abs(len(source.images) / total - 0.75) < 0.02
