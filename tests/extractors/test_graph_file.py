"""A graph of weights, written by hand."""

import struct

import numpy as np
import pytest
from weight_files import MATRIX, constant, field, varint, words_only

from gan_jax.extractors import graph_file


@pytest.mark.parametrize('content', [True, False])
def test_constants_of_a_graph(content):
  data = (constant('a/b', MATRIX, content=content)
          + constant('whole', MATRIX, dtype=3)
          + constant('c', MATRIX, op=b'Placeholder')
          + field(1, field(1, b'd') + field(2, b'Relu') + field(3, b'a/b'))
          + constant('e', np.float32(7), content=content)
          + field(4, field(1, 21)))
  found = graph_file.constants(data)
  assert list(found) == ['a/b', 'e']
  np.testing.assert_array_equal(found['a/b'], MATRIX)
  assert found['e'].shape == () and found['e'] == 7.0


def test_values_of_a_tensor_one_at_a_time_and_the_last_for_the_rest():
  number = varint(5 << 3 | 5) + struct.pack('<f', 2.0)
  shape = field(2, field(1, 3))
  for values, wanted in ((number, [2.0] * 3), (number * 3, [2.0] * 3)):
    tensor = field(1, 1) + field(2, shape) + values
    node = (field(1, b'x') + field(2, b'Const')
            + field(5, field(1, b'value') + field(2, field(8, tensor))))
    assert graph_file.constants(field(1, node))['x'].tolist() == wanted


def test_every_cut_through_a_graph_is_noticed():
  data = constant('a', MATRIX)
  for end in range(1, len(data)):
    with pytest.raises(ValueError):
      graph_file.constants(data[:end])


@pytest.mark.parametrize('data,words', [
    (b'\xff' * 11, 'more than 10 bytes'),
    (b'\x0b', 'unknown kind 3'),
    (field(1, field(1, 10**15)), 'a number where bytes'),
    (field(1, 10**15), 'a number where bytes'),
    (constant('a', MATRIX).replace(field(1, 3), field(1, 4)), '5 values|shape'),
    (field(1, field(2, b'Const') + field(5, field(1, b'value') + field(
        2, field(8, field(1, 1) + field(2, field(2, field(1, 2**60)))
                 + field(5, b'\0\0\0\0'))))), 'shape')], ids=words_only)
def test_a_graph_that_makes_no_sense(data, words):
  with pytest.raises(ValueError, match=words):
    graph_file.constants(data)
