"""Sheets of examples of all kinds: slices, waveforms, spectra, names."""

import numpy as np
import pytest

from gan_jax import pictures
from gan_jax.pictures import examples, signals

RNG = np.random.default_rng(0)
BLUE = (0, 114, 178)  # of the first channel


def _bytes(*shape):
  return RNG.integers(0, 255, shape).astype(np.uint8)


def test_images_are_the_grid_also_as_floats():
  images = _bytes(6, 5, 7, 3)
  want = pictures.grid(images, 2)
  assert (pictures.sheet(images, 2) == want).all()
  assert (pictures.sheet(images / np.float32(127.5) - 1, 2) == want).all()
  assert (pictures.sheet(images) == pictures.grid(images)).all()


def test_vectors_are_the_scatter_plot():
  points, real = RNG.normal(size=(2, 9, 3)).astype(np.float32)
  assert (pictures.sheet(points) == pictures.scatter(points)).all()
  assert (pictures.sheet(points, real=real)
          == pictures.scatter(points, real=real)).all()


def test_the_middle_slices_of_a_volume():
  # The value says where: 100 d + 10 h + w.
  d, h, w = np.ogrid[:2, :4, :3]
  volume = (100 * d + 10 * h + w).astype(np.uint8)[None, ..., None]
  got = pictures.tiles(volume)
  assert got.shape == (1, 4, 3 + 1 + 3 + 1 + 4, 1)
  got, grey, white = got[0, ..., 0].tolist(), 128, 255
  axial = [[100 + 10 * h + w for w in range(3)] for h in range(4)]
  coronal = [[100 * d + 20 + w for w in range(3)] for d in range(2)]
  sagittal = [[100 * d + 10 * h + 1 for h in range(4)] for d in range(2)]
  paper = [[white] * 3], [[white] * 4]
  coronal = paper[0] + coronal + paper[0]
  sagittal = paper[1] + sagittal + paper[1]
  assert got == [[*a, grey, *b, grey, *c] for a, b, c in zip(
      axial, coronal, sagittal, strict=True)]
  floats = volume / np.float32(127.5) - 1
  assert pictures.tiles(floats)[0, ..., 0].tolist() == got


def test_one_volume_is_all_its_slices():
  volume = _bytes(1, 6, 5, 5, 1)
  got, grid = pictures.sheet(volume), pictures.grid(volume[0])
  assert (got[:len(grid)][:, :grid.shape[1]] == grid).all()
  assert len(got) > len(grid)  # with a line below
  two = pictures.sheet(np.concatenate([volume, volume]))
  assert two.shape[2] == 3 and two.shape != got.shape


def test_a_spectrogram_of_a_full_sine_is_0_db_at_its_frequency():
  rate, count = 8000, 4096
  t = np.arange(count) / rate
  # 4 sqrt(4096) = 256 samples: 1,000 Hz is the bin 32 of 128.
  sine = np.sin(2 * np.pi * 1000 * t)[:, None]
  got = signals.spectrogram(sine, 64, 129)
  middle = got[:, 8:-8]
  assert (middle.argmax(0) == 128 - 32).all()
  np.testing.assert_allclose(middle.max(0), 0.0, atol=0.01)
  # Hann's window: its neighbours have half the amplitude, others none.
  np.testing.assert_allclose(middle[128 - 33], 20 * np.log10(0.5), atol=0.01)
  assert middle[128 - 40].max() < -70
  half = signals.spectrogram(0.1 * sine, 64, 129)[:, 8:-8]
  np.testing.assert_allclose(half.max(0), -20.0, atol=0.01)
  # Power is the mean over channels; fewer rows show the largest of theirs.
  both = signals.spectrogram(np.concatenate([sine, 0 * sine], 1), 64, 43)
  np.testing.assert_allclose(both[:, 8:-8].max(0), 10 * np.log10(0.5),
                             atol=0.01)
  assert signals.spectrogram(np.zeros((5, 1)), 16, 8).tolist() == (
      [[-80.0] * 16] * 8)


def test_a_waveform_passes_where_the_signal_is():
  tile, = signals.draw(np.array([-1.0, 1.0]).reshape(1, 2, 1), 0, 128)
  wave = (tile[:41] == BLUE).all(2)
  assert wave[40, 0] and wave[0, -1] and not wave[0, 0]
  assert wave.any(0).all()  # without gaps
  assert abs(np.flatnonzero(wave[:, 64]).mean() - 20) < 1
  # Two full waves: up, down, up, down; what is beyond is cut, NaN is 0.
  t = np.linspace(0, 2, 5000)
  signal = 3 * np.sin(2 * np.pi * t)
  signal[-50:] = np.nan
  tile, = signals.draw(signal.reshape(1, -1, 1), 0, 128)
  wave = (tile[:41] == BLUE).all(2)
  assert wave[0, 16] and wave[40, 48] and wave[0, 80] and wave[20, -1]


@pytest.mark.parametrize('seconds, step', [
    (1.024, 0.2), (6.0, 1.0), (0.01, 0.002), (61.0, 20.0), (0, 0)])
def test_marks_are_round_and_few(seconds, step):
  assert signals.marks(seconds) == pytest.approx(step)


def test_a_line_says_what_the_tiles_show():
  assert examples.caption((16384, 1), 16000) == (
      '1.02 s, a mark each 0.2 s; below, 0 to 8,000 Hz')
  assert examples.caption((64, 2)) == (
      '64 samples from -1 to 1; below, 0 to -80 dB')
  assert examples.caption((4, 4, 4, 1)).endswith('axial, coronal, sagittal')
  assert examples.caption((4, 4, 1)) == ''


@pytest.mark.parametrize('shape, words', [
    ((8,), ''), ((8, 8, 1), ''), ((8, 8, 4), ''), ((8, 6), ''),
    ((8, 8, 2), 'pictures show channel 0 of 2'),
    ((8, 8, 12), 'pictures show channels 0, 1, 2 of 12'),
    ((4, 4, 4, 5), 'pictures show channels 0, 1, 2 of 5'),
    ((8, 7), 'pictures show channels 0, 1, 2, 3, 4, 5 of 7')])
def test_channels_that_pictures_leave_out(shape, words):
  assert pictures.channels_shown(shape) == words


@pytest.mark.parametrize('shape', [(50, 1), (3000, 2), (6, 8, 10, 1),
                                   (70, 70, 70, 3), (5, 5, 1)])
def test_every_kind_has_named_rows(shape):
  rows = (2 * RNG.random((5, *shape)) - 1).astype(np.float32)
  got = pictures.sheet(rows, 3, rate=100, names=['0 cat', '1 dog'])
  assert got.dtype == np.uint8 and got.shape[2] == 3
  plain = pictures.contact_sheet([rows[:3], rows[3:]], ['', ''], columns=3,
                                 rate=100)
  assert got.shape[1] > plain.shape[1]
  # The place of a sixth example is white.
  corner = plain[len(plain) // 2:, 2 * plain.shape[1] // 3 + 20:]
  assert (corner[:len(corner) // 2] == 255).all()


def test_words_stand_over_the_columns_in_turn():
  black = np.zeros((8, 8, 8, 1), np.uint8)
  got = pictures.sheet(black, 4, heads=('first', ''))
  grid = pictures.grid(black, 4, side=840)
  assert (got[-len(grid):] == grid).all() and got.shape[2] == 3
  words = np.array_split(got[:-len(grid)], 4, axis=1)
  assert [part.min() < 128 for part in words] == [True, False, True, False]


@pytest.mark.parametrize('shape', [(8, 8, 1), (8, 8, 4), (50, 1),
                                   (4, 4, 4, 1)])
def test_a_long_word_stays_in_its_column(shape):
  grey = np.full((6, *shape), 128, np.uint8)
  got = pictures.sheet(grey, 6, heads=('an', 'unreasonable', ''), rate=100)
  # The two words and the frames between them, of 1 % of the width at most.
  band, width = got[:8].min((0, 2)) < 250, got.shape[1] // 6
  assert not band[2 * width + width // 50:3 * width - width // 50].any()


def test_names_stand_above_the_groups_of_their_heads():
  """Three groups of two black images, two groups in a row."""
  black = np.zeros((6, 8, 8, 1), np.uint8)
  grid = pictures.grid(black, 4, side=840)
  got, bare = (pictures.sheet(black, 4, heads=('a', 'b'), names=names)
               for names in (['1  one', '', '3  three'], ()))
  line, half = (len(got) - len(bare)) // 2, len(grid) // 2
  first, above, second, below = np.split(
      got[-len(grid) - 2 * line:], np.cumsum([line, half, line]))
  assert (np.concatenate([above, below]) == grid).all()
  for words in (first, second):
    left, right = np.array_split(words, 2, axis=1)
    assert left.min() < 128 and right.min() == 255
