"""Where a training step's time goes, by operation and by line of gan_jax.

  taskset -c 0 python experiments/throughput/profile.py --case=mlp

Runs a case of `benchmark.py` on its own, traces two calls and prints Markdown:
a summary and the operations that take longest, each with the line that asked
for it. On one core, as here, a CPU runs one operation at a time; on several,
those that run side by side all count.
"""

import collections
import glob
import json
import math
import os
import re
import sys
import tempfile
from typing import NamedTuple

# At the end, as this module has the name of one of Python's.
sys.path[0] = os.path.join(os.path.dirname(__file__), '..', '..')
sys.path.append(os.path.dirname(__file__))

import benchmark  # noqa: E402 - from this folder
import jax  # noqa: E402
from absl import app, flags  # noqa: E402

_ROWS = flags.DEFINE_integer('rows', 25, 'Rows of the table.', lower_bound=1)
_CALLS = 2  # traced

_INSTRUCTION = re.compile(
    r'^\s+(?:ROOT )?%(?P<name>\S+) = (?P<shape>\(.*?\)|\S+) '
    r'(?P<code>[\w-]+)\((?P<args>.*)$')
_SHAPE = re.compile(r'\b[a-z]+\d*\w*\[([\d,]*)\]')


class Operation(NamedTuple):
  """What a compiled program says of an operation.

  flop: multiplications and additions of matrix products and convolutions.
  kind: of the operation, 'product' if there are any of these.
  scope: where it is in the network, and in which derivative.
  line: innermost line of gan_jax, 'file:line'.
  """

  flop: int
  kind: str
  scope: str
  line: str


def main(argv):
  """Profiles the case asked for."""
  del argv
  # Else a cached program names the lines of the code that filled the cache.
  jax.config.update('jax_compilation_cache_include_metadata_in_key', True)
  for case in (benchmark.CASES if flags.FLAGS.case == 'all'
               else [flags.FLAGS.case]):
    print(profile(case), flush=True)


def profile(case: str) -> str:
  """A step of a case as Markdown."""
  loaded, _ = benchmark.prepare(case)
  ours = benchmark.Ours(loaded)
  calls = benchmark.indices(loaded, 0, _CALLS)
  compiled = ours.lower(calls[0]).compile()
  ours.run(calls)
  with tempfile.TemporaryDirectory() as folder:
    with jax.profiler.trace(folder):
      ours.run(calls)
    path, = glob.glob(f'{folder}/**/*.xplane.pb', recursive=True)
    times = durations(jax.profiler.ProfileData.from_file(path))
  steps = _CALLS * loaded.config['steps_per_call']
  return report(case, times, operations(compiled.as_text()), steps,
                compiled.cost_analysis(), compiled.memory_analysis())


def durations(trace) -> dict[str, list[int]]:
  """Nanoseconds of each run of each operation, without those within it."""
  found = collections.defaultdict(list)
  for plane in trace.planes:
    for line in plane.lines:
      events = [(e.start_ns, -e.duration_ns, name) for e in line.events
                if (name := dict(e.stats).get('hlo_op'))]
      open_ones = []  # [end, name, own time]

      def close(before, open_ones=open_ones):
        while open_ones and open_ones[-1][0] <= before:
          _, name, own = open_ones.pop()
          found[name].append(max(own, 0))

      for start, minus, name in sorted(events):
        close(start)
        if open_ones:
          open_ones[-1][2] += minus
        open_ones.append([start - minus, name, -minus])
      close(math.inf)
  return found


def operations(text: str) -> dict[str, Operation]:
  """The operations of a compiled program, from its text, by name."""
  lines, frames = _frames(text), {}
  computations, shapes, inside = {}, {}, None
  for row in text.splitlines():
    if row.startswith(('%', 'ENTRY %')):
      inside = computations[row.split('%', 1)[1].split(' ')[0]] = []
    elif inside is not None and (found := _INSTRUCTION.match(row)):
      inside.append(found)
      shapes[found['name']] = _sizes(found['shape'])
      frames[found['name']] = _source(found['args'], lines)

  def parts(one):
    """An operation, and those of a fusion."""
    yield one
    if one['code'] in ('fusion', 'call'):
      called = re.search(r'(?:calls|to_apply)=%([\w.-]+)', one['args'])
      for part in computations[called[1]] if called else ():
        yield from parts(part)

  def describe(one):
    every = list(parts(one))
    flop = sum(_flop(part, shapes) for part in every)
    scopes = [frames[part['name']] for part in every]
    scope, line = next((s for s in scopes if s[1]), scopes[0])
    kind = 'product' if flop else one['code'].replace('fusion', 'elementwise')
    if kind == 'elementwise' and any(p['code'] == 'reduce' for p in every):
      kind = 'elementwise, sum'
    return Operation(flop, kind, scope, line)

  return {one['name']: describe(one) for each in computations.values()
          for one in each}


def report(case, times, known, steps, cost, memory) -> str:
  """Markdown of a profile."""
  nothing = Operation(0, 'other', '', '')
  # By the lower quartile, as other programs interrupt some runs.
  ms = {name: sorted(v)[len(v) // 4] * len(v) / steps / 1e6
        for name, v in times.items()}
  total = sum(ms.values())
  rows, kinds = collections.defaultdict(lambda: [0, 0]), collections.Counter()
  for name, value in ms.items():
    one = known.get(name, nothing._replace(scope=name))
    kinds[one.kind] += value
    row = rows[one.kind, one.scope, one.line]
    row[0] += value
    row[1] += one.flop * len(times[name]) / steps
  flop = sum(row[1] for row in rows.values())
  out = [f'### {case}: {total:.3g} ms a step, on {benchmark.hardware()}', '',
         f'{flop / 1e9:.3g} GFLOP in products; by XLA\'s estimate '
         f'{cost.get("flops", 0) / 1e9:.3g} GFLOP and '
         f'{cost.get("bytes accessed", 0) / 1e6:.3g} MB read or written. '
         f'Memory: {memory.argument_size_in_bytes / 1e6:.3g} MB of state and '
         f'data, {memory.temp_size_in_bytes / 1e6:.3g} MB for the time of a '
         'call.', '', '| share | ms | GFLOP/s | operation | line |',
         '|---|---|---|---|---|']
  for kind, value in kinds.most_common():
    own = sum(row[1] for key, row in rows.items() if key[0] == kind)
    out.append(_row(total, value, own, f'**all: {kind}**', ''))
  order = sorted(rows.items(), key=lambda item: -item[1][0])
  for (kind, scope, line), (value, own) in order[:_ROWS.value]:
    out.append(_row(total, value, own, f'{kind}: {scope}', line))
  return '\n'.join([*out, ''])


def _row(total, ms, flop, what, line):
  speed = f'{flop / ms / 1e6:.0f}' if flop and ms else ''
  return (f'| {100 * ms / total:.1f} % | {ms:.3f} | {speed} | {what} | '
          f'{line} |')


def _frames(text) -> dict[str, str]:
  """{number of a frame of the stack: innermost line of gan_jax in it}."""
  tables = {}
  for name in ('FileNames', 'FileLocations', 'StackFrames'):
    found = re.search(rf'^{name}\n(.*?)\n\n', text, re.M | re.S)
    rows = found[1].splitlines() if found else ()
    tables[name] = dict(row.split(' ', 1) for row in rows)

  def field(row, name):
    return re.search(rf'{name}=(\d+)', row)[1]

  def line(number):
    seen = set()
    while number not in seen and number in tables['StackFrames']:
      seen.add(number)
      frame = tables['StackFrames'][number]
      at = tables['FileLocations'][field(frame, 'file_location_id')]
      path = json.loads(tables['FileNames'][field(at, 'file_name_id')])
      if 'gan_jax/' in path:
        return f'{path.split("gan_jax/")[-1]}:{field(at, "line")}'
      number = field(frame, 'parent_frame_id')
    return ''

  return {number: line(number) for number in tables['StackFrames']}


def _source(text, lines) -> tuple[str, str]:
  """(scope, line) of an instruction's metadata."""
  name = re.search(r'op_name="([^"]*)"', text)
  frame = re.search(r'stack_frame_id=(\d+)', text)
  parts = name[1].split('/') if name else []
  # Without the loop around all, and repeated names of modules.
  parts = [part for part in parts if part not in (
      'jit(run)', 'while', 'body', 'closed_call') and '.' not in part]
  return '/'.join(parts), lines.get(frame[1], '') if frame else ''


def _sizes(shape) -> list[list[int]]:
  return [[int(n) for n in found.split(',') if n]
          for found in _SHAPE.findall(shape)]


def _flop(one, shapes) -> int:
  """Of a matrix product or a convolution, also as NVIDIA's libraries run it."""
  text = one['args']
  results = shapes[one['name']]
  operands = [shapes[name][0] for name in re.findall(
      r'%([\w.-]+)', text.split('), ')[0]) if shapes.get(name)]
  if len(operands) < 2:
    return 0
  contracted = re.search(
      r'lhs_contracting_dim(?:s=\{|ensions":\[)([\d,"]*)', text)
  if contracted:
    axes = [int(n) for n in re.findall(r'\d+', contracted[1])]
    return 2 * math.prod(results[0]) * math.prod(operands[0][i] for i in axes)
  labels = re.search(r'dim_labels=\w+_(\w+)->(\w+)', text)
  if not labels:
    return 0
  # Each weight meets each place of the small image once.
  kernel, small, names = operands[1], results[0], labels[2]
  if 'convBackwardInput' in text:
    small = operands[0]
  elif 'convBackwardFilter' in text:
    kernel, small = results[0], operands[1]
  return 2 * math.prod(kernel) * math.prod(small) // small[names.index('f')]


if __name__ == '__main__':
  app.run(main)
