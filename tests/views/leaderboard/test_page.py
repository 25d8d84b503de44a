"""--out=F.html: the page of the leaderboard, as text and in a browser."""

import base64
import contextlib
import html
import json
import os
import re
import urllib.parse

import browser
import numpy as np
import pytest
from finished import fd, write

from gan_jax.pictures import read_png
from gan_jax.views.leaderboard import compare, ranking, store
from gan_jax.views.leaderboard.page import page as write_page


def made(root, out, where='', cost=''):
  """The text of the page of all runs below a folder, written to `out`."""
  compare([str(root)], where=where, cost=cost, out=str(out))
  return out.read_text()


def cells(text):
  """Rows of the table, the head first, as texts."""
  table = re.search(r'<table id="board">(.*?)</table>', text, re.DOTALL)[1]
  rows = re.findall(r'<tr>(.*?)</tr>', table, re.DOTALL)
  return [[html.unescape(re.sub('<.*?>', '', cell)).strip() for cell in
           re.findall(r'<t[dh].*?>(.*?)</t[dh]>', row, re.DOTALL)]
          for row in rows]


@pytest.fixture
def runs(tmp_path):
  """Two points; one run of four is not finished, one has a report."""
  root = tmp_path / 'runs'
  for name, seed, weight, value, speed in (
      ('a%b', 0, 1.0, 0.3, 100), ('b', 1, 1.0, 0.5, 100),
      ('c[0]', 0, 10.0, 0.6, 400)):
    write(root / name, seed=seed, weight=weight, batch_size=64,
          scores=fd(value), floor=0.1)
    (root / name / 'scalars.jsonl').write_text(
        json.dumps({'step': 100, 'perf/images_per_second': speed}) + '\n')
  write(root / 'd', seed=1, weight=10.0, batch_size=64, step=30)
  (root / 'b' / 'report').mkdir()
  (root / 'b' / 'report' / 'index.html').write_text('the report of b')
  return root


@pytest.mark.parametrize('suffix', ['.md', '.html', '.csv', '.tex'])
def test_names_that_are_no_utf8(tmp_path, suffix):
  # Of half a character, '\udce9'.
  write(tmp_path / os.fsdecode(b'caf\xe9'), scores=fd(0.3))
  text = made(tmp_path, tmp_path / f'board{suffix}')
  assert 'udce9' in text
  assert 'href="caf%E9/"' in text or suffix != '.html'


def test_the_table_by_hand(runs, tmp_path):
  text = made(runs, tmp_path / 'board.html')
  # 12.706 x 0.1 is the half interval of 0.3 and 0.5.
  assert cells(text) == [
      ['best', 'penalties[0].weight', 'runs', 'step', 'fd_random_2k_train',
       'seconds'],
      ['★', '1', '0 1', '100', '0.4 ± 1.3', '64'],
      ['★', '10', '0 1', '100', '0.6 (1 runs)', '16']]
  assert 'aria-sort="ascending"><button title="fd_random_2k_train (' in text
  assert 'Of real examples: fd_random_2k_train 0.1.' in text
  assert '<h1>2 configurations, 4 runs</h1>' in text
  assert '1 run not finished' in text
  assert f'{runs}/d: stopped at step 30 of 100</a></li>' in text


def test_links_lead_to_the_runs(runs, tmp_path):
  (tmp_path / 'pages').mkdir()
  for out in (tmp_path / 'pages' / 'board.html', runs / 'board.html'):
    links = re.findall(r'<a href="(.*?)" title="(.*?)"', made(runs, out))
    for url, title in links:
      path = out.parent / urllib.parse.unquote(html.unescape(url))
      if title.endswith('/b'):
        assert path.read_text() == 'the report of b'
      else:
        assert (path / 'config.json').exists() and url.endswith('/')
    assert len(links) == 4


def test_nothing_comes_from_elsewhere(runs, tmp_path):
  text = made(runs, tmp_path / 'board.html')
  assert not re.search(r'(?:src|href)="(?:https?:)?//|@import|url\(', text)
  data = re.search(r'<img src="data:image/png;base64,(.*?)"', text)[1]
  assert read_png(base64.b64decode(data)).shape == (440, 720, 3)


def test_texts_of_configs_are_escaped(tmp_path):
  for i, name in enumerate(('<script>alert(1)</script>', 'a"b')):
    write(tmp_path / 'runs' / str(i), loss={'name': name}, scores=fd(0.3))
  text = made(tmp_path / 'runs', tmp_path / 'board.html')
  assert '<script>alert' not in text
  assert {row[1] for row in cells(text)[1:]} == {
      '<script>alert(1)</script>', 'a"b'}


def test_many_differences_are_one_column(tmp_path):
  for name in ('first', 'second'):
    write(tmp_path / 'runs' / name / 'seed=0', scores=fd(0.3), **{
        f'key{i}': f'a value of {name}' for i in range(13)})
  rows = cells(made(tmp_path / 'runs', tmp_path / 'board.html'))
  assert rows[0][1] == 'point'
  assert {row[1] for row in rows[1:]} == {'first', 'second'}


def test_without_seconds_the_cost_is_images(tmp_path):
  write(tmp_path / 'runs' / 'a', batch_size=64, scores=fd(0.3))
  rows = cells(made(tmp_path / 'runs', tmp_path / 'board.html'))
  assert rows[0][-1] == 'images' and rows[1][-1] == '6,400'
  # What is asked for is shown, whether it is known or not.
  text = made(tmp_path / 'runs', tmp_path / 'board.html', cost='seconds')
  assert cells(text)[0][-1] == 'seconds' and cells(text)[1][-1] == ''
  assert '<img' not in text and '★' not in cells(text)[1]


def test_runs_without_scores_or_config(tmp_path):
  write(tmp_path / 'runs' / 'a', step=30)
  (tmp_path / 'runs' / 'b').mkdir()
  (tmp_path / 'runs' / 'b' / 'log.txt').write_text('no such loss')
  text = made(tmp_path / 'runs', tmp_path / 'board.html')
  assert cells(text) == [['best', 'point', 'runs', 'step', 'images'],
                         ['', 'a', '0', '30', '']]
  assert 'b: never started</a>' in text and '2 runs not finished' in text


# In a browser.


@pytest.fixture
def opened(tmp_path):
  """opened(path) -> Page, after its script has run."""
  if not browser.CHROMIUM:
    pytest.skip('needs chromium')
  with contextlib.ExitStack() as stack:
    def show(path):
      page = stack.enter_context(browser.opened(f'file://{path}', tmp_path))
      page.until("document.querySelector('#count')?.textContent")
      return page

    yield show


def column(page, j):
  return page.eval(f'''[...document.querySelectorAll('#board tbody tr')].map(
      row => row.cells[{j}].textContent)''')


def state(page):
  return page.eval('''[...document.querySelectorAll('#board th')].map(
      head => head.getAttribute('aria-sort'))''')


@pytest.mark.slow
def test_it_sorts_by_mouse_and_keyboard_and_filters(tmp_path, opened):
  for i, (weight, value) in enumerate((
      (9.0, 0.3), (10.0, 0.2), (1e-5, None), (1.5, 12.0))):
    write(tmp_path / 'runs' / str(i), weight=weight, seed=i, batch_size=8,
          flip=i == 1, scores=(*fd(value), (100, 'precision_x', i, 'x')))
  made(tmp_path / 'runs', tmp_path / 'board.html')
  page = opened(tmp_path / 'board.html')
  assert column(page, 2) == ['10', '9', '1.5', '1e-05']
  page.click('th:nth-child(3) button')
  assert column(page, 2) == ['1e-05', '1.5', '9', '10']
  assert state(page) == [None, None, 'ascending'] + [None] * 5
  page.eval("document.querySelectorAll('th button')[2].focus()")
  page.key('\r', 'Enter')
  assert column(page, 2) == ['10', '9', '1.5', '1e-05']
  assert state(page)[2] == 'descending'
  # Empty cells come last either way.
  page.click('th:nth-child(6) button')
  assert column(page, 5) == ['0.2', '0.3', '12', '']
  page.click('th:nth-child(6) button')
  assert column(page, 5) == ['12', '0.3', '0.2', '']
  # The best first where high is better.
  page.click('th:nth-child(7) button')
  assert state(page)[6] == 'descending'
  assert column(page, 6) == ['3', '2', '1', '0']
  # Texts.
  page.click('th:nth-child(2) button')
  assert column(page, 1) == ['False'] * 3 + ['True']
  page.eval("document.querySelector('#filter').focus()")
  for letter in 'flip=t':
    page.key(letter)
  assert column(page, 2) == ['10']
  assert page.eval("document.querySelector('#count').textContent") == '1 of 4'
  page.eval('''(() => {const filter = document.querySelector('#filter');
      filter.value = 'flip=f  WEIGHT=1';
      filter.dispatchEvent(new Event('input'));})()''')
  assert sorted(column(page, 2)) == ['1.5', '1e-05']


@pytest.mark.slow
def test_ten_thousand_rows_are_sorted_in_the_blink_of_an_eye(tmp_path, opened):
  rng = np.random.default_rng(0)
  runs, names = [], []
  for i, value in enumerate(rng.normal(size=10_000)):
    runs.append(store.Run(
        f'runs/{i}', 'finished', True, 0, 100, 6400, float(i),
        (store.Score('fd_x (123456)', 100, value, 0.1),), {'rate': i / 7}))
    names.append(f'rate={i / 7}')
  found = ranking.ranked(runs)
  assert [*found.points][0] == names[min(
      range(10_000), key=lambda i: runs[i].scores[0].value)]
  (tmp_path / 'board.html').write_text(write_page(
      found, '', str(tmp_path / 'board.html')))
  page = opened(tmp_path / 'board.html')
  assert len(column(page, 0)) < 1000
  milliseconds = page.eval('''[...document.querySelectorAll('th button')].map(
      button => {
        const start = performance.now();
        button.click();
        document.body.offsetHeight;  // Lays it out.
        return performance.now() - start;
      })''')
  assert max(milliseconds) < 1000  # 0.1 s on an idle core
  page.click('th:nth-child(2) button')
  assert column(page, 1)[:2] == ['0', '0.142857']
  page.click('th:nth-child(2) button')
  assert column(page, 1)[:2] == ['1428.43', '1428.29']
  # All of it is there when one scrolls down.
  for _ in range(60):
    page.eval('scrollTo(0, document.body.scrollHeight)')
    page.eval('new Promise(done => setTimeout(done, 50))')
  assert len(column(page, 0)) > 1000
