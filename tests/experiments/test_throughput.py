"""Throughput: the parts of gpu.sh, and a population beside one run."""

import json
import os
import pathlib
import pkgutil
import runpy
import subprocess
import sys

import pytest

_ROOT = pathlib.Path(__file__).parents[2]
_FOLDER = _ROOT / 'experiments' / 'throughput'
# A python that notes its arguments and has no PyTorch.
_PYTHON = '''#!/bin/sh
[ "$1" = -c ] && exit 1
echo "$@" >> "$NOTES"
case "$*" in *--case=mlp*) exit 7;; esac
'''
# Reads the arguments of each line of $NOTES, then measures the ring.
_CHECK = '''
import os, sys
sys.path.append({folder!r})
import benchmark, bits
for line in open(os.environ['NOTES']):
  script, *args = line.split()
  if script.endswith('bits.py'):
    args, more = bits.make_parser().parse_known_args(args)
    assert not more, more
  else:
    benchmark.flags.FLAGS([script, *args])
    assert benchmark.flags.FLAGS.tiny
benchmark.flags.FLAGS(['', '--case=ring', '--population=2', '--tiny',
                       '--rounds=1', '--calls=1'])
benchmark.main([])
'''


def test_the_phases_of_a_start_are_functions():
  phases = runpy.run_path(str(_FOLDER / 'start.py'))['PHASES']
  places = sum(phases.values(), [])
  assert places and all(map(callable, map(pkgutil.resolve_name, places)))


def _gpu(tmp_path, *args):
  """Runs gpu.sh with that python: (status, stderr, its calls)."""
  python, notes = tmp_path / 'python', tmp_path / 'notes'
  python.write_text(_PYTHON)
  python.chmod(0o755)
  notes.write_text('')
  done = subprocess.run(
      [_FOLDER / 'gpu.sh', *args], text=True, stderr=subprocess.PIPE,
      env=os.environ | {'NOTES': str(notes),
                        'PATH': f'{tmp_path}:{os.environ["PATH"]}',
                        'RESULTS': str(tmp_path / 'results')})
  return done.returncode, done.stderr, notes.read_text().splitlines()


def test_a_part_that_fails_is_named_and_does_not_take_the_others(tmp_path):
  status, said, calls = _gpu(tmp_path, 'mlp', 'population_ring', 'nonsense')
  assert status == 1
  assert 'missed: mlp (status 7' in said
  assert 'missed: nonsense (no such part: dcgan64 ' in said
  assert 'the peer is left out' in said
  assert len(calls) == 2
  assert '--case=ring --population=8' in calls[0]
  assert '--case=mlp --peer=none' in calls[1]


@pytest.mark.slow
def test_the_parts_are_understood_and_a_population_has_a_gain(tmp_path):
  status, said, calls = _gpu(tmp_path, '--rehearse')
  assert status == 1 and said.count('missed:') == 2  # both of the MLP
  assert len(calls) == 12
  done = subprocess.run(
      [sys.executable, '-c', _CHECK.format(folder=str(_FOLDER))], cwd=_ROOT,
      text=True, capture_output=True, check=False,
      env=os.environ | {'NOTES': str(tmp_path / 'notes')})
  assert not done.returncode, done.stderr
  row = json.loads(done.stdout)
  assert (row['case'], row['population']) == ('ring', 2)
  assert row['gain'] == pytest.approx(
      row['member_steps_per_second'] / row['alone_steps_per_second'], rel=0.01)
