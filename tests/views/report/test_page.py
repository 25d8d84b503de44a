"""What the page of runs shows: curves, scores, findings, what has changed."""

import json
import math
import os
import shutil

import numpy as np
import pytest

from gan_jax.base.errors import ConfigError
from gan_jax.config import fields, recipe
from gan_jax.run import detectors, health, status
from gan_jax.views import report
from gan_jax.views.records import Record, thin
from gan_jax.views.report.page import ASSETS, Page


@pytest.fixture
def run(copied_run):
  """A folder of a run, and a function that logs rows in it."""
  folder = copied_run('ring', 'ring')
  shutil.rmtree(folder / 'report', ignore_errors=True)

  def log(*rows, name='scalars.jsonl'):
    with open(folder / name, 'a') as file:
      file.writelines(json.dumps(row) + '\n' for row in rows)
    return folder

  log.folder = folder
  return log


def data_of(page_or_folder):
  data = (page_or_folder.data() if isinstance(page_or_folder, Page)
          else (page_or_folder / 'data.js').read_bytes())
  return json.loads(data.removeprefix(b'DATA = ').removesuffix(b';\n'))


# --- curves ----------------------------------------------------------------


def test_a_long_curve_keeps_its_spikes_where_they_were():
  rng = np.random.default_rng(0)
  steps, values = 20 * np.arange(100_000), rng.normal(size=100_000)
  values[77_777], values[5], values[50_000] = 55.5, -44.0, np.nan
  x, y, means = thin(steps, values, 3000)
  assert len(x) == len(y) == len(means) <= 3000 and x == sorted(set(x))
  at = dict(zip(x, y, strict=True))
  assert at[20 * 77_777] == 55.5 and at[100] == -44.0 and at[10**6] is None
  # Each point is one that was logged, to six digits.
  for step, value in at.items():
    if value is not None:
      assert math.isclose(value, values[step // 20], rel_tol=1e-5)
  # In each hundredth the highest and the lowest are left.
  for part in np.split(np.arange(100_000), 100):
    found = [at[s] for s in (20 * part).tolist() if at.get(s) is not None]
    whole = values[part][np.isfinite(values[part])]
    np.testing.assert_allclose([min(found), max(found)],
                               [whole.min(), whole.max()], rtol=1e-5)
  assert abs(np.mean(means)) < 0.02  # of all points, not of the extremes


@pytest.mark.parametrize('values, most, left', [
    ([1.0, 2.0, None, 3.0], 6, [1.0, 2.0, None, 3.0]),
    ([1, 5, 2, 3, 0, 3, 3, 3], 6, [1.0, 5.0, 0.0, 3.0]),
    ([math.nan] * 8, 6, [None, None]), ([], 6, [])])
def test_short_curves_by_hand(values, most, left):
  values = [math.nan if v is None else v for v in values]
  assert thin(range(len(values)), values, most)[1] == left


def test_rows_are_read_as_they_come(run):
  folder = run({'step': 2, 'a': 1.0}, {'step': 4, 'a': None, 'b': 2})
  record = Record(folder)
  with open(folder / 'scalars.jsonl', 'a') as file:
    file.write('{"step": 6, "a"')
  before = record.version
  record.read()
  assert record.step == 4 and record.curves['b'][1].tolist() == [2.0]
  with open(folder / 'scalars.jsonl', 'a') as file:
    file.write(': 3.0}\n["no row"]\n{"step": "x"}\n{"step": 8, "a": "x"}\n')
  record.read()
  assert record.version != before
  assert record.curves['a'][0].tolist() == [2, 4, 6] and record.step == 8
  np.testing.assert_equal(record.curves['a'][1].tolist(), [1, math.nan, 3])
  (folder / 'new').write_text('{"step": 2, "a": 9.0}\n')  # A rollback.
  (folder / 'new').replace(folder / 'scalars.jsonl')
  record.read()
  assert record.curves['a'][1].tolist() == [9.0] and record.step == 2
  (folder / 'scalars.jsonl').unlink()
  record.read()
  assert record.curves == {} and record.step == 0


# --- the rest --------------------------------------------------------------


def test_scores_of_another_protocol_are_no_part_of_the_curve(run):
  how = [{'protocol': {'extractor_sha256': sha}} for sha in 'xy']
  folder = run(*({'step': step, 'name': 'fd', 'value': value, 'floor': 0.5}
                 | kind for step, value, kind in (
                     (4, 2.0, how[1]), (2, 3.0, how[1]), (1, 9.0, how[0]))),
               name='scores.jsonl')
  assert data_of(Page([folder], folder / 'report'))['runs'][0]['scores'] == {
      'fd': {'step': [2, 4], 'value': [3.0, 2.0], 'low': [None] * 2,
             'high': [None] * 2, 'floor': [0.5, 0.5]}}


def test_findings_are_read_as_they_are_written(tmp_path):
  found = [detectors.Finding('collapse', 1200, 'collapse: |z| | 0.1',
                             'try | it'),
           detectors.Finding('non-finite', 1300, 'loss not finite', '')]
  (tmp_path / 'report.md').write_text(health.report(found, [], 2000))
  assert health.read_report(tmp_path / 'report.md') == [
      ('1,200', 'collapse', '|z| | 0.1 | try', 'it'),
      ('1,300', 'non-finite', 'loss not finite', '')]
  assert health.read_report(tmp_path / 'none') == []
  (tmp_path / 'report.md').write_text(health.report([], [], 2000))
  assert health.read_report(tmp_path / 'report.md') == []


def test_what_was_not_looked_for_is_said(run):
  held_out = {'auc': 1.0, 'gap/logits': 0.0}
  over, most = '--config.data.holdout=0.1', 'most was not looked for yet'
  for row, count, said in (
      ({'auc': 1.0}, 10, [over]), (held_out, 10, []),
      ({'loss/gen': 1.0}, 10, []), ({'auc': 1.0}, 9, [most]),
      (held_out, 9, [most])):
    (run.folder / 'scalars.jsonl').unlink(missing_ok=True)
    page = Page([run(*({'step': 2 * i + 2} | row for i in range(count)))],
                run.folder / 'report')
    found = page.tables()['findings']
    assert [words for words in (over, most) if words in found] == said


def test_what_differs_from_the_recipe(run):
  config = fields.plain(recipe.shipped('ring')) | {'seed': 7, 'packing': 2}
  (run.folder / 'config.json').write_text(json.dumps(config))
  for argv in (['main', '--config=configs/ring.py:quick', '--mode=train'],
               ['main', '--config', 'ring']):
    (run.folder / 'launches.jsonl').write_text(json.dumps(
        {'step': 0, 'argv': argv}) + '\n')
    record = Record(run.folder)
    assert record.changes() == ('ring', [('packing', '1', '2'),
                                         ('seed', '0', '7')])
  # A recipe of somebody's own is code of his own: it is not run.
  evil = run.folder / 'evil.py'
  evil.write_text('raise SystemExit("run")')
  (run.folder / 'launches.jsonl').write_text(json.dumps(
      {'step': 0, 'argv': ['main', f'--config={evil}']}) + '\n')
  name, changed = Record(run.folder).changes()
  assert name == '' and ('seed', '0', '7') in changed
  with pytest.raises(ConfigError, match='no recipe'):
    recipe.shipped(str(evil))


def test_the_page_of_one_run(run):
  folder = run({'step': 2, 'loss/disc': 1.5, 'eval/fd': 3.0})
  (folder / 'samples').mkdir(exist_ok=True)
  for step in (0, 40):
    (folder / 'samples' / f'step_{step:08d}.png').write_bytes(b'')
  (folder / 'samples' / '.step_00000060.png.1.tmp').write_bytes(b'')
  Page([folder], folder / 'report').write()
  found, = data_of(folder / 'report')['runs']
  assert found == {'name': 'ring', 'grids': [0, 40], 'samples': '../samples',
                   'curves': {'loss/disc': [[2], [1.5], []]}, 'scores': {}}
  text = (folder / 'report' / 'index.html').read_text()
  assert 'finished' in text and 'step\n2 of 4' in text
  assert 'without <code>--follow</code> draws them' in text
  for name in ASSETS:
    assert (folder / 'report' / name).stat().st_size > 1000


def test_pictures_stay_where_none_are_drawn(run):
  report.report(str(run.folder))
  before = (run.folder / 'report' / 'index.html').read_text()
  Page([run.folder], run.folder / 'report').write()
  assert (run.folder / 'report' / 'index.html').read_text() == before
  assert 'Pictures of step 4' in before


# --- several runs ----------------------------------------------------------


@pytest.fixture
def two(copied_run):
  folders = [copied_run('ring', f'sweep/{name}') for name in ('a', 'b')]
  for i, folder in enumerate(folders):
    config = json.loads((folder / 'config.json').read_text()) | {'seed': i}
    (folder / 'config.json').write_text(json.dumps(config))
    (folder / 'scalars.jsonl').write_text(
        json.dumps({'step': 2, 'loss/disc': i + 0.5}) + '\n')
    (folder / 'scores.jsonl').write_text(json.dumps(
        {'step': 4, 'name': 'fd', 'value': i + 0.25, 'floor': 0.1}) + '\n')
  return folders[0].parent


def test_several_runs_over_each_other(two, cli):
  (two / 'c').mkdir()  # No run.
  status, said, _ = cli('--mode=report', two / '*')
  assert (status, said) == (0, f'2 runs in {two}/report/index.html\n')
  found = data_of(two / 'report')['runs']
  assert [(run['name'], run['samples'], run['curves']['loss/disc'][1])
          for run in found] == [('a', '../a/samples', [0.5]),
                                ('b', '../b/samples', [1.5])]
  table = data_of(two / 'report')['tables']['runs']
  assert '<th>fd</th>' in table and '0.25' in table and '1.25' in table
  assert table.count('finished') == 2
  for name in 'ab':  # Without scores too.
    (two / name / 'scores.jsonl').unlink()
  assert cli('--mode=report', two / '*', f'--out={two / "x"}')[0] == 0
  assert '<th>fd</th>' not in data_of(two / 'x')['tables']['runs']
  assert data_of(two / 'x')['runs'][1]['samples'] == '../b/samples'


def test_names_that_are_no_utf8_or_no_part_of_a_url(two, cli):
  (two / 'a').rename(two / os.fsdecode(b'caf\xe9'))
  (two / 'b').rename(two / 'b#1')
  assert cli('--mode=report', two / '*')[0] == 0
  found, table = data_of(two / 'report')['runs'], data_of(
      two / 'report')['tables']['runs']
  assert [run['samples'] for run in found] == [
      '../b%231/samples', '../caf%E9/samples']
  assert 'caf\\udce9' in table and '0.25' in table
  assert 'caf\\udce9' in (two / 'report' / 'index.html').read_text()


def test_what_has_no_number_in_any_run_has_no_plot(two):
  for name, value in (('a', None), ('b', 2.5)):
    with open(two / name / 'scalars.jsonl', 'a') as file:
      file.write(json.dumps({'step': 4, 'gone': None, 'half': value}) + '\n')
    with open(two / name / 'scores.jsonl', 'a') as file:
      for score, number in (('none', None), ('some', value)):
        file.write(json.dumps({'step': 4, 'name': score, 'value': number,
                               'floor': 0.1, 'reason': 'too few'}) + '\n')
  page = Page([two / 'a', two / 'b'], two / 'report')
  for run in data_of(page)['runs']:
    assert set(run['scores']) == {'fd', 'some'}
    assert set(run['curves']) == {'loss/disc', 'half'}
  # The table has a column for it all the same.
  assert '<th>none</th>' in data_of(page)['tables']['runs']


@pytest.mark.parametrize('args, words', [
    (['{two}/*', '--workdir={two}/a'], 'give the --workdir of the run'),
    (['{two}/none*'], 'no run in'),
    (['{two}/a', '{two}/bee'], '/bee: give the folders of runs'),
    (['{two}/*', '--port=80'], '--port is of --follow'),
    (['{two}/*', '--out=F.html'], '--out=F.html: must be a folder'),
    (['{two}/*', '--out={two}/site'], 'index.html of another program'),
    (['{two}/*', '--follow', '--port=70000'], 'port=70000'),
    (['{two}/*', '--out={two}/a/config.json'], 'in the way and is no folder')])
def test_what_is_refused(two, cli, args, words):
  (two / 'site').mkdir()
  (two / 'site' / 'index.html').write_text('mine')
  status, _, said = cli('--mode=report', *(a.format(two=two) for a in args))
  assert status in (2, 4) and words in said
  assert (two / 'site' / 'index.html').read_text() == 'mine'
  assert not (two / 'report').exists()


@pytest.mark.parametrize('name, content, words', [
    ('config.json', '{', 'is damaged'), ('data.json', '{"a": 1}', 'version'),
    ('data.json', None, 'does not exist'),
    ('scalars.jsonl', '', 'cannot read')])
def test_a_damaged_run_is_named(two, cli, name, content, words):
  path = two / 'b' / name
  path.unlink()
  if content:
    path.write_text(content)
  elif name == 'scalars.jsonl':
    path.mkdir()
  for more in ([], ['--follow']):
    status, _, said = cli('--mode=report', two / '*', *more)
    assert status == 4 and str(path) in said and words in said
  assert not (two / 'report').exists()


def test_runs_of_notebooks_have_no_recipe(run):
  shutil.rmtree(run.folder / 'checkpoints')
  (run.folder / 'launches.jsonl').unlink()
  assert Record(run.folder).recipe() == ''
  assert status.read(run.folder).train_steps == 0
  Page([run.folder], run.folder / 'report').write()
  assert 'no checkpoint yet' in (
      run.folder / 'report' / 'index.html').read_text()
