"""The profile of a step: what is read of a program and of a trace."""

import os
import sys
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from gan_jax import parallel
from gan_jax.ops.conv import conv


@pytest.fixture
def names_of_this_code():
  """Not those of the code that filled the compilation cache."""
  name = 'jax_compilation_cache_include_metadata_in_key'
  jax.config.update(name, True)
  yield
  jax.config.update(name, False)


@pytest.fixture(scope='module')
def profile():
  """The script, imported as a module though Python has one of its name."""
  path, others = list(sys.path), sys.modules.pop('profile', None)
  folder = os.path.join(os.path.dirname(__file__), '..', '..', 'experiments',
                        'throughput')
  sys.path.insert(0, os.path.abspath(folder))
  import profile as script
  del sys.modules['profile']
  sys.path[:] = path
  if others:
    sys.modules['profile'] = others
  return script


@pytest.mark.usefixtures('names_of_this_code')
def test_flop_and_line_of_each_product(profile):
  """Two products in a loop, one of a kernel of 4 x 4, and a cast of ours."""
  x, w = jnp.ones((64, 32)), jnp.ones((32, 48))
  image, kernel = jnp.ones((2, 8, 8, 40)), jnp.ones((3, 3, 40, 5))

  def body(total, pixel):
    y = parallel.scale(pixel, (-1.0, 1.0)) + x @ w
    y += conv(image + total, kernel).sum()
    return y.sum(), (y.T @ x)

  text = jax.jit(lambda pixels: lax.scan(body, 0.0, pixels)).lower(
      jnp.ones((3, 64, 48), jnp.uint8)).compile().as_text()
  found = profile.operations(text)
  flop = {one.flop for one in found.values() if one.kind == 'product'}
  assert {2 * 64 * 32 * 48, 2 * 2 * 8 * 8 * 3 * 3 * 40 * 5} <= flop
  lines = {one.line.split(':')[0] for one in found.values()}
  assert {'parallel/runner.py', 'ops/conv.py'} <= lines


def test_time_of_an_operation_is_without_those_within(profile):
  """A loop of 100 ns that holds 30 and 20 ns, and an event of the host."""
  def event(start, duration, name=None):
    return SimpleNamespace(start_ns=start, duration_ns=duration,
                           stats=[('hlo_op', name)] if name else [])

  line = SimpleNamespace(events=[
      event(10, 30, 'dot'), event(0, 100, 'while'), event(50, 20, 'dot'),
      event(5, 90), event(200, 7, 'dot')])
  trace = SimpleNamespace(planes=[SimpleNamespace(lines=[line])])
  assert profile.durations(trace) == {'while': [50], 'dot': [30, 20, 7]}


def test_report(profile):
  """Of two steps: 2 GFLOP in 10 ms each, and a copy of 10 ms."""
  known = {'dot': profile.Operation(2_000_000_000, 'product', 'Dense_0',
                                    'models/layers.py:81')}
  memory = SimpleNamespace(argument_size_in_bytes=5e6, temp_size_in_bytes=1e6)
  profile.flags.FLAGS(['profile'])
  text = profile.report('mlp', {'dot': [10_000_000] * 2, 'copy': [20_000_000]},
                        known, 2, {'flops': 3e9, 'bytes accessed': 4e6}, memory)
  assert '### mlp: 20 ms a step' in text
  assert ('| 50.0 % | 10.000 | 200 | product: Dense_0 | models/layers.py:81 |'
          in text.splitlines())
  assert '| 50.0 % | 10.000 |  | other: copy |  |' in text.splitlines()
