"""The page of a run in a browser: its script draws the curves."""

import json
import re

import browser
import pytest

from gan_jax.views.report.page import Page


@pytest.mark.slow
def test_the_table_of_runs_keeps_its_colours(copied_run, tmp_path):
  if not browser.CHROMIUM:
    pytest.skip('needs chromium')
  folders = [copied_run('ring', f'sweep/{name}') for name in 'ab']
  for folder in folders:
    (folder / 'scalars.jsonl').write_text('{"step": 2, "loss/disc": 1.0}\n')
  Page(folders, tmp_path / 'report').write()
  with browser.opened(f'file://{tmp_path}/report/index.html', tmp_path) as page:
    page.until('document.body?.dataset.drawn')
    # As an update does it.
    page.eval("$('runs').innerHTML = DATA.tables.runs; draw(true)")
    assert page.eval("[...document.querySelectorAll('.dot')].map("
                     "dot => dot.style.color).join(' ')") == (
        'rgb(0, 114, 178) rgb(213, 94, 0)')


@pytest.mark.slow
def test_chromium_draws_curves_and_grids(copied_run, tmp_path):
  if not browser.CHROMIUM:
    pytest.skip('needs chromium')
  folder = copied_run('ring')
  (folder / 'scalars.jsonl').write_text(''.join(json.dumps(
      {'step': i, 'loss/disc': i / 7, 'loss/gen': None if i == 9 else 1.0,
       '<b>/x': 1.0}) + '\n' for i in range(1, 5000)))
  (folder / 'scores.jsonl').write_text('\n'.join(json.dumps(
      {'step': step, 'name': name, 'value': 2.0, 'low': 1.0, 'high': 3.0})
      for step, name in ((4, 'fd'), (8, 'fd'), (8, 'once'))) + '\n')
  (folder / 'samples').mkdir(exist_ok=True)
  (folder / 'samples' / 'step_00000040.png').write_bytes(b'')
  Page([folder], folder / 'report').write()
  with browser.opened(f'file://{folder}/report/index.html', tmp_path) as page:
    # Only a script that has come to its end says so.
    page.until('document.body?.dataset.drawn')
    drawn = page.eval('document.documentElement.outerHTML')
  assert re.findall(r'<h3>(.*?)</h3>', drawn)[:3] == [
      'loss', 'fd', '&lt;b&gt;']
  assert drawn.count('<canvas') == 3
  assert 'src="../samples/step_00000040.png"' in drawn
  assert 'step 40</output>' in drawn
