"""The notebook runs from top to bottom."""

import os

import nbformat
import pytest
import tiny
from nbclient import NotebookClient

PATH = os.path.join(tiny.ROOT, 'notebooks', 'first_gan.ipynb')


def test_it_is_kept_without_outputs():
  cells = nbformat.read(PATH, as_version=4).cells
  assert not any(cell.get('outputs') for cell in cells)


@pytest.mark.slow
def test_it_runs(tmp_path, monkeypatch):
  monkeypatch.setenv('PYTHONPATH', tiny.ROOT)
  book = nbformat.read(PATH, as_version=4)
  for cell in book.cells:
    cell.source = cell.source.replace('STEPS = 6000', 'STEPS = 400')
  NotebookClient(book, timeout=1000, resources={
      'metadata': {'path': str(tmp_path)}}).execute()
  outputs = [output for cell in book.cells
             for output in cell.get('outputs', ())]
  shown = [sorted(output.data) for output in outputs if 'data' in output]
  assert sum('image/png' in each for each in shown) == 4
  assert sum('text/html' in each for each in shown) == 1
