"""Whether a user's own code makes the same program in every trace.

A step is traced and compiled once. What Python changes from call to call, such
as numpy's random numbers, a counter or an attribute, would keep the value of
that moment without a word. So what a config names of the user's own is traced
twice, and the two programs are compared.
"""

import itertools
import linecache
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.errors import TracerArrayConversionError, UnexpectedTracerError
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from gan_jax.base import lookup

_FIX = ('it is compiled once, and what changes in Python (numpy.random, a '
        'counter, an attribute) stays as it is then; draw by jax.random with '
        'the keys given, and keep numbers in a declared memory, see '
        'docs/add.md')
_CHANGES = f'code of your own changes from call to call; {_FIX}'


def check(function: Callable, *arguments) -> None:
  """Traces a function twice; ValueError if the programs differ.

  Args:
    function: not by `jax.jit`, which would give its first program again.
    *arguments: arrays or their shapes, as of `jax.eval_shape`.
  """
  try:
    # Each time another function, for the same reason.
    one, other = (jax.make_jaxpr(lambda *args: function(*args))(*arguments)
                  for _ in range(2))
    changed = next((a or b for a, b in itertools.zip_longest(
        _operations(one), _operations(other))
        if not (a and b and a.words == b.words)), None)
  # A number that was traced, and is kept, may become a constant.
  except (UnexpectedTracerError, TracerArrayConversionError) as e:
    raise ValueError('code of your own uses a value of one call in the next; '
                     f'{_FIX}') from e
  if changed:
    raise ValueError(f'{_CHANGES}{changed.lines()}')


def check_prior(latent: Callable) -> None:
  """Draws some z; ValueError if one depends on more than its own key."""
  keys = jax.random.split(jax.random.key(0), 4)
  z, again, rest = latent(keys), latent(keys), latent(keys[1:])
  if not jnp.array_equal(z, again):
    raise ValueError(_CHANGES)
  # Not bit by bit: batches of other sizes may round in another way.
  if not jnp.allclose(z[1:], rest, 1e-3, 1e-3):
    raise ValueError(
        'z[i] must depend on keys[i] alone, and here it changes with the other '
        'keys; all images of a batch may be the same. Draw one z of one key, '
        'and return jax.vmap of that')


class _Operation(NamedTuple):
  """An operation of a program.

  words: what it does, to which of the values before it and which constants.
  tracebacks: of its call, after those of the programs that it is in. Those of
    a library's own programs may be of an earlier call.
  """

  words: tuple
  tracebacks: tuple = ()

  def lines(self) -> str:
    """The user's lines that called it, '' if there are none."""
    return next(filter(None, map(_lines, self.tracebacks)), '')


def _lines(traceback) -> str:
  found = []
  for frame in traceback.frames:  # innermost first
    if frame.file_name == __file__:
      break
    if lookup.is_own(frame.file_name):
      line = linecache.getline(frame.file_name, frame.line_num).strip()
      found.append(f'\n    {frame.file_name}, line {frame.line_num}, in '
                   f'{frame.function_name}: {line}')
  return ''.join(found[:3][::-1])


def _operations(program: ClosedJaxpr, inputs: tuple = (),
                within: tuple = ()) -> Iterator[_Operation]:
  """All operations of a program, those within one of them before it.

  inputs: words of the last of its arguments. Constants are arguments of the
    programs within, and the operation to blame is the one that reads them.
  within: tracebacks of the operations that it is in.
  """
  jaxpr, numbers = program.jaxpr, itertools.count()
  words = dict(zip(jaxpr.invars, numbers, strict=False))
  words.update((x, given) for x, given in zip(
      jaxpr.invars[len(jaxpr.invars) - len(inputs):], inputs, strict=True)
      if isinstance(given, tuple))  # a constant's
  words.update(zip(jaxpr.constvars, map(_value, program.consts), strict=True))

  def word(x):
    return _value(x.val) if isinstance(x, Literal) else words[x]

  for operation in jaxpr.eqns:
    parts = jax.tree.leaves(operation.params, is_leaf=lambda x: isinstance(
        x, Jaxpr))
    tracebacks = (*within, operation.source_info.traceback)
    read = tuple(map(word, operation.invars))
    for part in parts:
      # From JAX 0.11 on the two are one type, which has its constants.
      if isinstance(part, Jaxpr) and not isinstance(part, ClosedJaxpr):
        part = ClosedJaxpr(part, ())
      if isinstance(part, ClosedJaxpr):
        count = min(len(read), len(part.jaxpr.invars))
        yield from _operations(part, read[len(read) - count:],
                               tracebacks)
    yield _Operation((str(operation.primitive), *read, *map(_said, parts)),
                     tracebacks)
    words.update(zip(operation.outvars, numbers, strict=False))
  yield _Operation(tuple(map(word, jaxpr.outvars)))


def _value(x):
  """Type, shape and bytes of a constant."""
  if jnp.issubdtype(getattr(x, 'dtype', None), jax.dtypes.prng_key):
    x = jax.random.key_data(x)
  x = np.asarray(x)
  return str(x.dtype), x.shape, x.tobytes()


def _said(part):
  """A parameter of an operation, without where in memory it is."""
  if isinstance(part, np.ndarray | jax.Array):
    return _value(part)
  if callable(part) or isinstance(part, Jaxpr | ClosedJaxpr):
    return type(part).__name__  # Programs are looked into instead.
  return re.sub(r'0x[0-9a-f]+', '', str(part))
