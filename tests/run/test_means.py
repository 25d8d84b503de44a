"""Means of rows: of all steps, whatever the calls and the stops."""

import numpy as np

from gan_jax.run.means import Means


def test_a_mean_is_that_of_all_steps_in_the_same_bits_for_any_calls(tmp_path):
  values = np.random.default_rng(0).normal(size=1000).astype(np.float32)
  total = 0.0
  for value in values:  # by hand, in float64
    total += float(value)
  for lengths in ((1000,), (1,) * 1000, (300, 1, 699)):
    means = Means(tmp_path / 'none.json')
    for part in np.split(values, np.cumsum(lengths)[:-1]):
      means.add({'loss': part}, len(part))
    assert means.take() == {'loss': total / 1000}
  assert means.take() == {}


def test_sums_of_later_steps_are_of_a_branch_that_was_given_up(tmp_path):
  means = Means(tmp_path / 'means.json')
  for step in (6, 8):
    means.add({'loss': np.float32([9.0])}, 1)
    means.save(step)
  means.load(2)
  means.add({'loss': np.float32([3.0])}, 1)
  means.save(4)
  means.load(4)
  assert means.take() == {'loss': 3.0}
  means.load(8)
  assert means.take() == {}


def test_a_resumed_run_goes_on_with_the_sums(tmp_path):
  path = tmp_path / 'means.json'
  before = Means(path)
  before.save(2)
  assert not path.exists()  # A checkpoint with a row needs none.
  before.add({'loss': np.float32([1.5, 2.5])}, 2)
  before.save(4)
  before.add({'loss': np.float32([8.0])}, 1)
  before.save(6)
  for step, want in ((4, 3.0), (6, 4.25), (3, 5.0), (0, 5.0)):
    after = Means(path)
    after.load(step)
    after.add({'loss': np.float32([5.0])}, 1)
    assert after.take() == {'loss': want}
  before.add({'loss': np.float32([8.0])}, 1)
  before.save(8)  # One is kept, and one more while it is written.
  after.load(4)
  assert after.take() == {}
  # Resumed from 6, with a row at 8: what was kept at 8 is of another branch.
  after.load(6)
  after.add({'loss': np.float32([1.0])}, 1)
  after.take()
  after.save(8)
  after.load(8)
  after.add({'loss': np.float32([1.0])}, 1)
  assert after.take() == {'loss': 1.0}
  path.write_text('[]')
  Means(path).load(4)
