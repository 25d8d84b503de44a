"""The cross of choices: how cells are chosen, and some of them played."""

import importlib.util
import itertools
import pathlib

import pytest

_PATH = (pathlib.Path(__file__).parents[2] / 'experiments' / 'cross'
         / 'cross.py')
_SPEC = importlib.util.spec_from_file_location('cross', _PATH)
cross = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(cross)


def _pairs_played(play, monkeypatch, axes):
  monkeypatch.setattr(cross, 'AXES', axes)
  monkeypatch.setattr(cross, 'PLAIN', (dict(a='y', b='q', c='2'),))
  played, given_up = set(), []
  for cell, outcome, lost in cross.cross(0, play):
    given_up += lost
    if outcome == 'ok':
      played |= {(a, cell[a], b, cell[b])
                 for a, b in itertools.combinations(axes, 2)}
  return played, given_up


def test_every_pair_is_played_but_those_that_are_always_refused(monkeypatch):
  axes = {'a': tuple('xyz'), 'b': tuple('pq'), 'c': tuple('123')}
  every = {(m, x, n, y) for m, n in itertools.combinations(axes, 2)
           for x in axes[m] for y in axes[n]}

  def play(cell):
    if cell['a'] == 'x' and cell['b'] == 'p':
      return 'refused: x goes with q only'
    # Two choices that are refused in one company and not in another.
    if cell['a'] == 'z' and cell['b'] == 'q' and cell['c'] == '1':
      return 'refused: three at once'
    return 'ok'

  played, given_up = _pairs_played(play, monkeypatch, axes)
  assert given_up == [('a', 'x', 'b', 'p')]
  again = [cell for cell, _, _ in cross.cross(0, play, [
      dict(zip('abc', cell, strict=True)) for cell in ('xq1', 'yp2', 'zp3')])]
  assert dict(a='x', b='q', c='1') not in again
  assert played == every - set(given_up)


def test_a_failed_cell_is_not_played_again(monkeypatch):
  axes = {'a': tuple('xy'), 'b': tuple('pq')}
  cells = []

  def play(cell):
    cells.append(tuple(cell.values()))
    return 'failed: always'

  _pairs_played(play, monkeypatch, axes)
  assert sorted(cells) == sorted(set(cells)) and len(cells) == 4


def _cells(count, seed):
  """Cells that play, and those that are refused on the way."""
  found = []
  for cell, outcome, _ in cross.cross(seed, cross._guarded):
    found.append((cell, outcome))
    if sum(not outcome.startswith('refused') for _, outcome in found) == count:
      return found


@pytest.mark.slow
def test_some_cells_play():
  for cell, outcome in _cells(2, seed=1):
    assert outcome == 'ok' or outcome.startswith('refused: '), (cell, outcome)


@pytest.mark.slow
def test_every_pair_plays_or_is_refused():
  for cell, outcome, _ in cross.cross(0, cross._guarded):
    assert outcome == 'ok' or outcome.startswith('refused: '), (cell, outcome)
