"""The measurement of the store: its runs, and the table that it prints."""

import pathlib
import re
import subprocess
import sys

import pytest

from gan_jax.views.leaderboard import ranking, store

_SCRIPT = pathlib.Path(__file__).parents[2] / 'experiments/store/measure.py'


@pytest.mark.slow
def test_it_makes_runs_and_lists_them(tmp_path):
  done = subprocess.run(
      [sys.executable, _SCRIPT, tmp_path, '--runs=7', '--repeats=1'],
      capture_output=True, text=True, check=True)
  rows = re.findall(r'^\| (\D[^|]*) \| ([\d.]+) \| ([\d.]+) \| (\d+) \|$',
                    done.stdout, re.MULTILINE)
  assert [row[0] for row in rows] == [
      'cold, no index', 'warm', 'warm, by a pattern', 'warm, --where',
      'warm, --out=F.html', 'warm, --out=F.bib']
  assert all(float(row[1]) > 0 and int(row[3]) > 20 for row in rows)
  found = ranking.ranked(store.read([str(tmp_path)]))
  assert len(found.runs) == 7 and len(found.points) == 3
  assert len(found.columns) == 4
  assert {run.status.partition(' of ')[0] for run in found.runs} == {
      'finished', 'stopped at step 2500'}
  assert all(run.seconds for run in found.runs)
