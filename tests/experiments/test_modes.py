"""Modes by loss and penalty: a row of the table, of a few steps."""

import json
import sys

from experiments.modes import modes


def test_a_row_has_the_scores_of_each_seed(monkeypatch, capsys):
  monkeypatch.setattr(sys, 'argv', [
      'modes.py', '--steps=2', '--seeds=2', '--only', 'minimax'])
  modes.main()
  row = json.loads(capsys.readouterr().out)
  assert (row['data'], row['method']) == ('ring', 'minimax')
  assert row['real']['modes'] == 8
  assert len(row['modes']) == len(row['high_quality']) == 2
