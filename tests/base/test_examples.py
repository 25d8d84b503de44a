"""Kinds of examples, in words."""

import pytest

from gan_jax.base.examples import described, kind_of


@pytest.mark.parametrize('shape, rate, words', [
    ((1,), 0, 'vectors of 1 number'), ((30,), 0, 'vectors of 30 numbers'),
    ((16384, 1), 16000, 'signals of 16,384 samples, 1.02 s at 16,000 Hz'),
    ((100, 12), 0, 'signals of 100 samples, 12 channels'),
    ((28, 30, 1), 0, 'images 28x30, grey'), ((8, 8, 3), 0, 'images 8x8, RGB'),
    ((8, 8, 12), 0, 'images 8x8, 12 channels'),
    ((28, 28, 28, 1), 0, 'volumes 28x28x28, grey')])
def test_examples_in_words(shape, rate, words):
  assert described(shape, rate) == words
  assert words.startswith(kind_of(shape))


@pytest.mark.parametrize('shape', [(), (2,) * 5])
def test_shapes_of_no_kind(shape):
  with pytest.raises(ValueError, match='examples of shape'):
    kind_of(shape)
