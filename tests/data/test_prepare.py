"""Which arrays are images and labels, and what becomes of them."""

import numpy as np
import pytest
from arrays import fails

from gan_jax.data import prepare


@pytest.mark.parametrize('array, expected', [
    (np.array([0, 7, 255], np.uint8), [0, 7, 255]),
    (np.array([0, 7, 255], np.int64), [0, 7, 255]),
    (np.array([0, 7, 255], '>u2'), [0, 7, 255]),
    (np.array([False, True, True]), [0, 255, 255]),
    (np.array([0, 0.5, 1], np.float32), [0, 128, 255]),  # 127.5 to even
    (np.array([0, 0.25, 0.9999], np.float16), [0, 64, 255]),
    (np.array([-1, 0.5, 1], '>f8'), [0, 191, 255]),
    (np.array([-1.0005, 0, 1.0005]), [0, 128, 255]),
])
def test_dtypes_and_ranges(array, expected):
  for shape in (3, 1, 1), (1, 1, 3, 1), (1, 3, 1, 1), (1, 1, 1, 3):
    result, units, _ = prepare.as_examples(array.reshape(shape), 'file')
    assert result.ravel().tolist() == expected and units == ()
    assert result.shape == (shape if len(shape) == 4 else (3, 1, 1, 1))
    assert result.flags.c_contiguous and result.dtype == np.uint8


def test_float_round_trip_in_blocks():
  pixels = np.random.default_rng(0).integers(0, 256, (2500, 4, 4), np.uint8)
  for array in pixels / np.float32(255), pixels / np.float32(127.5) - 1:
    result, _, _ = prepare.as_examples(array.astype(np.float32), 'file')
    np.testing.assert_array_equal(result[..., 0], pixels)


def test_fortran_order():
  pixels = np.arange(90, dtype=np.uint8).reshape(3, 5, 6)
  result, _, _ = prepare.as_examples(np.asfortranarray(pixels), 'file')
  np.testing.assert_array_equal(result[..., 0], pixels)
  assert result.flags.c_contiguous


def test_labels_are_of_32_bits():
  images = np.zeros((2, 4, 1, 1), np.uint8)[:, ::2]  # Not in one piece.
  for labels, classes, more, dtype in (
      ([0, 1], 2, {}, np.int32), ((), 0, {}, np.int32),
      ([0, 0], 0, {}, np.int32),
      ([[0.5], [1.0]], 0, dict(label_columns=(('age', 0, 9),)), np.float32)):
    found = prepare.make_source(images, labels, classes, name='a', **more)
    assert found.labels.dtype == dtype and len(found.labels) == 2


def test_bytes_are_not_copied():
  pixels = np.arange(90, dtype=np.uint8).reshape(3, 5, 6)
  result, units, notices = prepare.as_examples(pixels, 'file')
  assert np.shares_memory(result, pixels) and (units, notices) == ((), [])


@pytest.mark.parametrize('array, words', [
    (np.full((2, 3, 3), 7.5), ['7.5..7.5', '[0, 1]', 'bytes']),
    (np.full((2, 3, 3), -0.2), ['-0.2']),
    (np.array([[[np.nan, 0.0]]]), ['NaN or Inf', 'image 0']),
    (np.array([[[0.0]], [[np.inf]]]), ['NaN or Inf', 'image 1']),
    (np.full((2, 3, 3), 40000, np.uint16), ['40000', '257']),
    (np.full((2, 3, 3), -3), ['-3..-3', '0..255']),
    (np.eye(6, dtype=np.uint8)[None], ['maximum 1', 'bool']),
    (np.zeros((2, 3, 8, 8), np.uint8), ['transpose(0, 2, 3, 1)']),
    (np.zeros((2, 1, 8, 8), np.uint8), ['transpose(0, 2, 3, 1)']),
    (np.zeros((8, 8, 3), np.uint8), ['ONE image', 'x[None]']),
    (np.zeros((2, 784), np.uint8), ['reshape(-1, 28, 28)']),
    (np.zeros(5, np.uint8), ['are these the labels']),
    (np.zeros((1, 2, 3, 4, 5), np.uint8), ['[1, 2, 3, 4, 5]',
                                           "holds='volumes'"]),
    (np.zeros((1,) * 6, np.uint8), ['other axes']),
    (np.zeros((64, 128, 12), np.uint8), ['12 channels', "holds='signals'"]),
    (np.zeros((32, 16384), np.uint8), ["holds='signals'", "'vectors'"]),
    (np.zeros((0, 8, 8), np.uint8), ['no numbers']),
    (np.zeros((2, 3, 3), np.complex64), ['complex64']),
    (np.zeros((2, 3, 3), 'M8[s]'), ['datetime64']),
    (np.full((2, 3, 3), 'a'), ['<U1']),
    (np.zeros((2, 3, 3), [('a', 'u1')]), ["('a', 'u1')"]),
])
def test_bad_images(array, words):
  fails('file', *words, call=lambda: prepare.as_examples(array, 'file'))
