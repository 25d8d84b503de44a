"""Peers are imported from a folder; without one there is nothing to compare."""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
if 'PARITY_PEERS' not in os.environ:
  raise pytest.UsageError(
      'tests/parity is started by experiments/parity/run.sh')


def pytest_collection_modifyitems(items):
  """The peers' warnings are not ours."""
  for item in items:
    item.add_marker(pytest.mark.filterwarnings('ignore'))
