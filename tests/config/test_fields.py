"""Configs as flat fields, and what differs between two."""

import pytest

from gan_jax.config import fields


def test_flat():
  config = {'a': 1, 'loss': {'name': 'hinge'}, 'penalties': (
      {'name': 'r1', 'weight': 1.0}, {'name': 'r2'}), 'grid': (8, 8),
      'augment': ()}
  assert fields.flat(config) == {
      'a': 1, 'loss.name': 'hinge', 'penalties[0].name': 'r1',
      'penalties[0].weight': 1.0, 'penalties[1].name': 'r2', 'grid': (8, 8),
      'augment': ()}


@pytest.mark.parametrize('old, new, lines', [
    ({'a': 1}, {'a': 1}, []),
    ({'generator': {'width': 64, 'depth': 4}},
     {'generator': {'width': 32, 'depth': 4}},
     ['generator.width: 64 (checkpoint) -> 32 (now)']),
    ({'betas': [0.5, 0.9], 'n': [[1], [2]]},
     {'betas': (0.5, 0.9), 'n': ((1,), (2,))}, []),
    ({'c': [64, 128]}, {'c': (64,)},
     ['c: [64, 128] (checkpoint) -> [64] (now)']),
    ({'loss': {'name': 'hinge'}}, {'loss': {'name': 'wgan', 'clip': None}},
     ["loss.name: 'hinge' (checkpoint) -> 'wgan' (now)",
      'loss.clip: absent (checkpoint) -> None (now)']),
    ({'a': {'b': 1, 'c': {'d': 2}}}, {},
     ['a.b: 1 (checkpoint) -> absent (now)',
      'a.c.d: 2 (checkpoint) -> absent (now)']),
    ({'penalties': [{'name': 'r1', 'weight': 1.0}]},
     {'penalties': ({'name': 'r1', 'weight': 10.0}, {'name': 'r2'})},
     ['penalties[0].weight: 1.0 (checkpoint) -> 10.0 (now)',
      "penalties[1].name: absent (checkpoint) -> 'r2' (now)"]),
    ({'penalties': []}, {'penalties': ({'name': 'r1'},)},
     ["penalties[0].name: absent (checkpoint) -> 'r1' (now)"]),
    ({'penalties': []}, {'penalties': ()}, []),
    ({'a': {'b': 1}}, {'a': 2}, ["a: {'b': 1} (checkpoint) -> 2 (now)"]),
    ({'a': ()}, {}, ['a: [] (checkpoint) -> absent (now)']),
    ({'a': 'absent'}, {}, ["a: 'absent' (checkpoint) -> absent (now)"]),
])
def test_diff(old, new, lines):
  assert fields.diff(old, new) == lines
