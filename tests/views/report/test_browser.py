"""The page of a run in a browser: its script draws the curves."""

import json
import os
import re
import shutil
import subprocess
import tempfile

import pytest

from gan_jax.views.report.page import Page


@pytest.mark.slow
def test_chromium_draws_curves_and_grids(copied_run):
  browser = shutil.which('chromium')
  if not browser:
    pytest.skip('needs chromium')
  folder = copied_run('ring')
  (folder / 'scalars.jsonl').write_text(''.join(json.dumps(
      {'step': i, 'loss/disc': i / 7, 'loss/gen': None if i == 9 else 1.0,
       '<b>/x': 1.0}) + '\n' for i in range(1, 5000)))
  (folder / 'scores.jsonl').write_text(json.dumps(
      {'step': 4, 'name': 'fd', 'value': 2.0, 'low': 1.0, 'high': 3.0}) + '\n')
  (folder / 'samples').mkdir(exist_ok=True)
  (folder / 'samples' / 'step_00000040.png').write_bytes(b'')
  Page([folder], folder / 'report').write()
  # The paths of its sockets must be short.
  with tempfile.TemporaryDirectory(dir='/tmp') as short:
    done = subprocess.run(
        [browser, '--headless', '--no-sandbox', '--disable-gpu',
         f'--user-data-dir={short}/profile', '--virtual-time-budget=3000',
         '--dump-dom', f'file://{folder}/report/index.html'],
        env={**os.environ, 'TMPDIR': short}, capture_output=True, text=True,
        timeout=120, check=True)
  # Only a script that has come to its end says so.
  assert re.search(r'<body data-drawn="\d+"', done.stdout)
  assert re.findall(r'<h3>(.*?)</h3>', done.stdout)[:3] == [
      'loss', 'fd', '&lt;b&gt;']
  assert done.stdout.count('<canvas') == 3
  assert 'src="../samples/step_00000040.png"' in done.stdout
  assert 'step 40</output>' in done.stdout
