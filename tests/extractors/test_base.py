"""The contract of extractors, chunks of images, hashes of arrays."""

import numpy as np
from extractor_data import ROOM, build, source_of

from gan_jax.base import lookup
from gan_jax.extractors import base


def test_names_of_the_room():
  assert sorted(lookup.names(ROOM)) == [
      'classifier', 'inception', 'points', 'projection', 'random']


def test_a_function_of_the_user(tmp_path, monkeypatch):
  (tmp_path / 'my_lab_ideas.py').write_text(
      'from gan_jax.extractors import Extractor\n'
      'def mean(*, source):\n'
      '  return Extractor("mean", "0" * 64,\n'
      '                   lambda x: (x.mean((1, 2)), None), {})\n')
  monkeypatch.syspath_prepend(tmp_path)
  found = build('my_lab_ideas:mean', source=source_of())
  assert found.name == 'mean'
  assert found.extract(np.ones((2, 4, 4, 3)))[0].tolist() == [[1.0] * 3] * 2


def test_in_chunks_fills_up_the_last(monkeypatch):
  sizes = []

  def double(x):
    sizes.append(x.shape)
    return (x[:, 0, 0] * 2.0,)

  images = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1)
  out, = base.in_chunks(double, images, 2)
  assert out.tolist() == [[0.0], [2.0], [4.0], [6.0], [8.0]]
  assert out.dtype == np.float32 and sizes == [(2, 1, 1, 1)] * 3
  monkeypatch.setattr(base, '_PIXELS', 1)  # Large images: one at a time.
  sizes.clear()
  assert base.in_chunks(double, images, 2)[0].tolist() == out.tolist()
  assert sizes == [(1, 1, 1, 1)] * 5


def test_a_hash_is_of_all_that_makes_an_array():
  a = np.arange(6, dtype=np.float32)
  first = base.hash_arrays('d', {'a': a, 'b': a})
  assert base.hash_arrays('d', {'b': a, 'a': a}) == first
  assert base.hash_arrays('d', {'a': a, 'b': a.astype('>f4')}) == first
  assert base.hash_arrays('d', {'a': a, 'b': np.repeat(a, 2)[::2]}) == first
  others = [base.hash_arrays(*args) for args in (
      ('e', {'a': a, 'b': a}), ('d', {'a': a}), ('d', {'a': a, 'c': a}),
      ('d', {'a': a, 'b': a.reshape(2, 3)}),
      ('d', {'a': a, 'b': a.view(np.int32)}), ('d', {'a': a, 'b': a + 1}))]
  assert len({first, *others}) == 7
