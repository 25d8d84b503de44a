"""Signals as tiles: the waveform, and below it the spectrogram."""

import math

import numpy as np

from gan_jax.pictures.plots import COLOURS

CHANNELS = len(COLOURS)  # waveforms in a tile at most
_FLOOR = -80.0  # dB of the darkest colour
_WAVE, _SPECTRUM = 0.32, 0.42  # heights, of the width of a tile
_PALE = 230
_MARKS = 6  # of the time in a tile at most


def draw(signals, rate, width) -> np.ndarray:
  """Tiles of signals [N, T, C] in [-1, 1]: uint8 [N, h, width, 3].

  The waveform from -1 to 1, of several channels one over the other in pale
  colours, with the marks of `marks` as vertical lines; below it the
  spectrogram, see `spectrogram`, low frequencies at the bottom.
  """
  import matplotlib

  signals = np.nan_to_num(np.asarray(signals, np.float32))
  high, low = round(_WAVE * width), round(_SPECTRUM * width)
  tiles = np.full((len(signals), high + 1 + low, width, 3), 255, np.uint8)
  seconds = signals.shape[1] / rate if rate else 0.0
  step = marks(seconds)
  places = (np.arange(1, math.ceil(seconds / step - 1e-6)) * step / seconds
            if seconds else np.zeros(0))
  tiles[:, :high, (places * width).astype(int)] = _PALE
  tiles[:, high // 2] = _PALE
  colours = (255 * np.array([matplotlib.colors.to_rgb(colour)
                             for colour in COLOURS])).astype(np.uint8)
  map_ = (255 * matplotlib.colormaps['magma'](np.arange(256))[:, :3]).astype(
      np.uint8)
  for tile, signal in zip(tiles, signals, strict=True):
    for channel, colour in zip(signal.T, colours, strict=False):
      here = _wave(channel, high, width)
      wave = tile[:high]
      wave[here] = (colour if signal.shape[1] == 1
                    else wave[here] // 2 + colour // 2)
    level = 1 - spectrogram(signal, width, low) / _FLOOR
    tile[high + 1:] = map_[np.round(255 * level).astype(int)]
  return tiles


def marks(seconds) -> float:
  """Seconds between marks, 1, 2 or 5 times a power of 10: at most 6 a tile."""
  if not seconds:
    return 0.0
  power = 10.0 ** math.floor(math.log10(seconds / _MARKS))
  return next(n * power for n in (1, 2, 5, 10) if seconds <= _MARKS * n * power)


def _wave(signal, height, width):
  """[height, width]: where the curve of a signal [T] in [-1, 1] passes."""
  # Four points per column, so that short signals are lines.
  count = max(len(signal), 4 * width)
  points = np.interp(np.linspace(0, len(signal) - 1, count),
                     np.arange(len(signal)), signal.clip(-1, 1))
  starts = np.linspace(0, count, width, endpoint=False, dtype=int)
  # A column ends where the next one starts: no gaps.
  next_ = points[np.append(starts[1:], count - 1)]
  low = np.minimum(np.minimum.reduceat(points, starts), next_)
  high = np.maximum(np.maximum.reduceat(points, starts), next_)
  bottom, top = (np.round((1 - x) / 2 * (height - 1)) for x in (low, high))
  rows = np.arange(height)[:, None]
  return (top <= rows) & (rows <= bottom)


def spectrogram(signal, width: int, height: int) -> np.ndarray:
  """Short-time Fourier magnitudes of [T, C] in dB: [height, width].

  0 dB is a sine of amplitude 1, and -80 dB the smallest value. `width` Hann
  windows, evenly spaced from the first sample to the last with zeros beyond;
  their length is the power of 2 next to 4 sqrt(T), from 8 to 1,024. Power is
  the mean over channels. Frequencies rise from the last row to the first, 0 to
  half of the rate; a row that several of them share shows the largest.
  """
  length = len(signal)
  size = min(1024, max(8, 2 ** round(math.log2(4 * math.sqrt(length)))))
  window = np.hanning(size + 1)[:-1]
  padded = np.pad(signal, ((size // 2, size // 2), (0, 0)))
  middles = np.linspace(0, length - 1, width).round().astype(int)
  parts = padded[middles[:, None] + np.arange(size)]  # [width, size, C]
  found = np.abs(np.fft.rfft(parts * window[:, None], axis=1))
  found = np.sqrt(np.mean(np.square(found * (2 / window.sum())), axis=2)).T
  edges = np.arange(height) * len(found) / height
  starts = edges.astype(int)
  found = (np.maximum.reduceat(found, starts) if height <= len(found)
           else found[starts])
  return 20 * np.log10(found.clip(10 ** (_FLOOR / 20), 1.0))[::-1]
