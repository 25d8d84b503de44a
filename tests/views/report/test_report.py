"""The report of a run: its pictures, its page, what it refuses."""

import contextlib
import html.parser
import io
import json
import os
import pathlib
import shutil

import pytest
import tiny
from finished import write

from gan_jax import main, pictures
from gan_jax.base.errors import (
  CheckpointError,
  DataError,
  RequestError,
  WorkdirError,
)
from gan_jax.views.report import drawing, report, runs
from gan_jax.views.report.page import ASSETS

ALWAYS = ['real.png', 'generated.png', 'nearest.png', 'interpolations.png',
          'truncation.png']
AFTER = ['features.png', 'spectrum.png']
BESIDE = {*ASSETS, 'data.js', 'index.html', 'pictures.json'}


class _Reader(html.parser.HTMLParser):
  """What a page shows: pictures, text, and tags."""

  def __init__(self, text):
    super().__init__()
    self.pictures, self.text, self.tags = [], '', []
    self.feed(text)

  def handle_starttag(self, tag, attrs):
    self.tags.append(tag)
    if tag == 'img':
      self.pictures.append(dict(attrs)['src'])

  def handle_data(self, data):
    self.text += data


def _read(folder):
  with open(os.path.join(folder, 'report', 'index.html')) as file:
    return _Reader(file.read())


def _bytes(folder):
  folder = os.path.join(folder, 'report')
  found = {}
  for name in sorted(os.listdir(folder)):
    with open(os.path.join(folder, name), 'rb') as file:
      found[name] = file.read()
  return found


@pytest.fixture(scope='module', autouse=True)
def few_bounds():
  """Each bound of the truncation compiles for a moment: two instead of five."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr('gan_jax.views.report.drawing._KEPT', (0.9, 0.3))
    yield


@pytest.fixture(scope='module')
def first(made_run):
  """{run: (what was said, the files of its report)}."""
  found = {}
  for name in ('cgan', 'colour', 'ring'):
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
      assert main.main(['', '--mode=report', f'--workdir={made_run(name)}']
                       ) == 0
    found[name] = said.getvalue(), _bytes(made_run(name))
  return found


@pytest.fixture
def copy(copied_run):
  """Copies a run without its report: folder."""
  def run(name, to='run'):
    folder = copied_run(name, to)
    shutil.rmtree(folder / 'report', ignore_errors=True)
    return folder

  return run


@pytest.mark.parametrize('name, names', [
    ('cgan', [*ALWAYS, 'classes.png', *AFTER]), ('colour', [*ALWAYS, *AFTER]),
    ('ring', ['real_and_fake.png'])])
def test_the_page_shows_every_picture(made_run, first, name, names):
  said, found = first[name]
  assert said == f'step 4 in {made_run(name)}/report/index.html\n'
  assert set(found) == {*names, *BESIDE}
  shown = _Reader(found['index.html'].decode())
  assert shown.pictures == names
  for picture in names:
    assert pictures.read_png(found[picture]).std() > 0
  # Each says in words what a good run looks like.
  assert shown.text.count('Good:') == len(names) - ('real.png' in names)
  assert 'loss.name' in shown.text and '"non_saturating"' in shown.text


@pytest.mark.parametrize('name, names, words', [
    ('signals', [*ALWAYS, 'classes.png', 'features.png'], [
        'signals of 256 samples, 0.032 s at 8,000 Hz, 2 channels',
        'values from -1 to 1', "the extractor 'projection'",
        'the nearest of 40 training signals']),
    ('volumes', [*ALWAYS, 'features.png'], [
        'volumes 4x6x5, grey', 'differences of grey levels']),
    ('floats', [*ALWAYS, *AFTER], ['images 8x8, grey', "extractor 'random'",
                                   'beyond the bound at the left']),
    pytest.param('styles', [*ALWAYS, *AFTER], ['by the psi at the left'],
                 marks=pytest.mark.slow),
    ('many', [*ALWAYS, *AFTER], [
        'All pictures show channels 0, 1, 2 of 12.'])])
def test_the_page_of_every_kind(copy, name, names, words):
  folder = copy(name)
  report(str(folder))
  shown = _read(folder)
  assert shown.pictures == names
  for picture in names:
    assert pictures.read_png(
        (folder / 'report' / picture).read_bytes()).std() > 0
  text = ' '.join(shown.text.split())
  for said in words:
    assert said in text, text


def test_scores_and_training_are_shown_and_values_are_escaped(copy):
  folder = copy('ring', '<u>')
  rows = [dict(step=4, name='fd', value=1.5, floor=0.25, low=1.25, high=1.75,
               reason='', protocol=dict(extractor=dict(name='<random>'))),
          dict(step=2, name='fd', value=7.125),
          dict(step=4, name='recall', value=0.5,
               protocol=dict(floor='no second draw')),
          dict(step=4, name='kd', value=None, reason='too few <images>')]
  lines = [json.dumps(row) for row in rows] + ['{"step": 6, "na']
  (folder / 'scores.jsonl').write_text('\n'.join(lines))
  (folder / 'curves.png').write_bytes(b'')
  for name, key, value in (
      ('data.json', 'name', '<em>'), ('data.json', 'licence', '<i>&'),
      ('config.json', 'best_metric', '<q>')):
    content = json.loads((folder / name).read_text()) | {key: value}
    (folder / name).write_text(json.dumps(content))
  report(str(folder))
  text = (folder / 'report' / 'index.html').read_text()
  shown = _Reader(text)
  assert shown.pictures == ['../curves.png', 'real_and_fake.png']
  for words in ('1.5', '1.25 to 1.75', '0.25', 'extractor.name: "<random>"',
                'none: too few <images>', '<u>', 'Pictures of step 4', '<em>',
                '<i>&', '"<q>"'):
    assert words in shown.text, words
  assert '7.125' not in shown.text
  # What may be long wraps, beside the numbers or in place of all of them.
  assert '<td class="reason">no second draw</td>' in text
  assert '<td class="reason" colspan="4">none: too few' in text
  assert not {'images', 'random', 'em', 'i', 'u', 'q'} & set(
      shown.tags)
  assert 'width="600" height="600"' in text
  assert 'http' not in text


def test_an_extractor_is_used_for_neighbours_too(copy, first, monkeypatch):
  folder, before = copy('colour', 'colour'), first['colour'][1]
  # All else is the same again, also where the data are read in parts.
  monkeypatch.setattr('gan_jax.views.report.drawing._PART', 3 * 9 * 9 * 4)
  report(str(folder), extractor=dict(name='random'))
  # It is what features are drawn with where none is given.
  assert {name for name, data in _bytes(folder).items()
          if data != before.get(name)} == {
              'nearest_features.png', 'index.html', 'pictures.json'}
  text = _read(folder).text
  assert 'the nearest of 40 training images' in text
  assert "distances by features of 'random'" in text
  with pytest.raises(RequestError, match='^--extractor=randon: no such name in '
                     'gan_jax.extractors; did you mean "random"'):
    report(str(folder), extractor=dict(name='randon'))


def test_what_is_no_run_is_refused_as_sampling_does(
    made_run, copy, tmp_path, capsys):
  def both(*args):
    said = []
    for mode in ('sample', 'report'):
      status = main.main(['main', f'--mode={mode}', *map(str, args)])
      said.append((status, capsys.readouterr().err))
    return said

  sampled, reported = both()
  assert sampled[0] == reported[0] == 2 and '--workdir' in reported[1]
  sampled, reported = both(f'--workdir={tmp_path / "none"}')
  assert sampled == reported and reported[0] == 4
  broken = copy('cgan')
  shutil.rmtree(broken / 'checkpoints')
  sampled, reported = both(f'--workdir={broken}')
  assert sampled == reported and 'no checkpoint' in reported[1]
  (broken / 'config.json').write_text('{')
  sampled, reported = both(f'--workdir={broken}')
  assert sampled == reported and 'damaged' in reported[1]
  sampled, reported = both(f'--workdir={made_run("cgan")}', '--seed=-1')
  assert sampled == reported and reported[0] == 2


def test_the_data_must_be_those_of_the_run(copy, tmp_path):
  folder = copy('colour')
  config = json.loads((folder / 'config.json').read_text())
  path = tmp_path / 'other.npz'
  config['data']['path'] = str(path)
  (folder / 'config.json').write_text(json.dumps(config))
  with pytest.raises(DataError, match=(
      r'other.npz(?s:.)*These are the data of .*as its config.json names')):
    report(str(folder))
  tiny.write_images(path, size=9, channels=4, classes=0, seed=1)
  with pytest.raises(WorkdirError, match='other examples'):
    report(str(folder))
  assert not (folder / 'report').exists()


def test_a_folder_that_cannot_be_written(copy):
  folder = copy('ring')
  (folder / 'report').write_text('in the way')
  with pytest.raises(WorkdirError, match='cannot write'):
    report(str(folder))


def test_a_run_that_cannot_be_written_is_told_before_it_is_drawn(
    copy, tmp_path, monkeypatch):
  folder = copy('ring')
  monkeypatch.setattr(os, 'access', lambda place, how: (
      not pathlib.Path(place).is_relative_to(folder)))
  with monkeypatch.context() as undrawn:
    undrawn.delattr(drawing, 'Run')
    with pytest.raises(WorkdirError, match=r'report: cannot write it: .*: '
                       'Permission denied; --out=FOLDER writes it elsewhere'):
      report(str(folder))
    (tmp_path / 'file').touch()
    with pytest.raises(WorkdirError, match='is in the way and is no folder'):
      report(str(folder), out=str(tmp_path / 'file'))
  report(str(folder), out=str(tmp_path / 'page'))
  assert (tmp_path / 'page' / 'index.html').exists()


def test_another_step_or_seed(copy, first):
  folder = copy('ring')
  assert 'step 2' in report(str(folder), step=2)
  assert 'Pictures of step 2' in _read(folder).text
  with pytest.raises(CheckpointError, match='no checkpoint of step 3'):
    report(str(folder), step=3)
  report(str(folder), seed=1)
  name = 'real_and_fake.png'
  assert _bytes(folder)[name] != first['ring'][1][name]


def test_runs_are_found_below_a_folder_and_once(tmp_path):
  for name in ('sweep/a', 'sweep/b/member_0'):
    write(tmp_path / name)
  (tmp_path / 'sweep' / 'c').mkdir()
  (tmp_path / 'sweep' / 'c' / 'log.txt').write_text('it never started')
  assert runs([str(tmp_path), f'{tmp_path}/sweep/../sweep/a']) == [
      f'{tmp_path}/sweep/a', f'{tmp_path}/sweep/b/member_0']
