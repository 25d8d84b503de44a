"""--out=F.bib: entries of the methods that configs name."""

import re
import sys

import pytest
from finished import fd, write

from gan_jax.base import lookup
from gan_jax.config import keys
from gan_jax.views.leaderboard import bibliography, compare


def entries(text):
  """{key: {field: value}}."""
  return {key: dict(re.findall(r'^  (\w+) = \{(.*)\},$', body, re.MULTILINE))
          for key, body in re.findall(r'^@misc\{(\w+),\n(.*?)^\}', text,
                                      re.MULTILINE | re.DOTALL)}


def test_entries_of_what_is_used():
  text = bibliography.of({
      'loss.name': ['hinge', 'hinge_each'], 'penalties[0].name': ['r1', 'r2'],
      'generator.name': ['dcgan.Generator'], 'generator.norm': ['batch'],
      'discriminator.weight_norm': ['spectral', 'none'],
      'generator.conditioning': ['onehot'],
      'discriminator.minibatch': ['std'],
      'gen_optimizer.name': ['adam'], 'data.name': ['ring', 'mnist10k'],
      'evaluators[0].name': ['parzen'], 'packing': [1, 2],
      'unrolled_steps': [0], 'joint': ['none'],
      'gradient_normalization': [False, True], 'seed': [0, 1],
      'batch_size': [64]})
  found = entries(text)
  assert found['lim2017'] == {
      'author': 'Lim and Ye', 'title': '{arXiv:1705.02894}', 'year': '2017',
      'eprint': '1705.02894', 'archivePrefix': 'arXiv',
      'url': 'https://arxiv.org/abs/1705.02894', 'note': 'loss hinge'}
  assert {key: one['note'] for key, one in found.items()} == {
      'lim2017': 'loss hinge', 'sauer2021': r'loss hinge\_each',
      'mescheder2018': 'penalty r1, penalty r2',
      'radford2016': 'generator dcgan.Generator', 'ioffe2015': 'norm batch',
      'miyato2018': r'weight\_norm spectral',
      'mirza2014': 'conditioning onehot', 'karras2018': 'minibatch std',
      'kingma2014': 'optimizer adam', 'metz2017': 'data set ring',
      'goodfellow2014': 'evaluator parzen', 'lin2018': 'packing',
      'wu2021': r'gradient\_normalization'}
  assert found['kingma2014']['title'] == (
      '{Adam: A Method for Stochastic Optimization}')
  assert found['kingma2014']['author'] == 'Kingma and others'
  assert text.startswith('% Papers of the methods')
  assert text.endswith('% Without a citation:\n%   data set mnist10k\n')
  assert list(found) == sorted(found)


def test_equal_names_get_letters():
  found = entries(bibliography.of({
      'augment[0].name': ['diffaugment'], 'penalties[0].name': ['bcr'],
      'generator.name': ['stylegan2.Generator'], 'ema_rampup': [0.05]}))
  assert {key: one['eprint'] for key, one in found.items()} == {
      'karras2020': '1912.04958', 'karras2020b': '2006.06676',
      'zhao2020': '2002.04724', 'zhao2020b': '2006.10738'}


def test_metrics_of_scores_and_their_extractor():
  text = bibliography.of({'evaluators[0].name': ['scores'],
                          'evaluators[0].metrics': [['fd', 'prdc', 'classes']],
                          'evaluators[0].extractor.name': ['inception']})
  notes = {one['eprint']: one['note'] for one in entries(text).values()}
  assert notes['1706.08500'].startswith('metric fd')
  assert notes['1512.00567'] == 'extractor inception'
  assert '%   metric classes\n' in text


def test_no_code_that_only_a_config_names_is_imported(tmp_path, monkeypatch):
  (tmp_path / 'evil.py').write_text('raise SystemExit("it ran")')
  monkeypatch.syspath_prepend(tmp_path)
  text = bibliography.of({'loss.name': ['evil:loss', 'no_such'],
                          'generator.norm': ['evil:Norm'],
                          'gen_optimizer.name': ['evil:adam', '__name__'],
                          'evaluators[0].metrics': [['evil']],
                          'evaluators[0].extractor.name': ['evil:net']})
  assert 'evil' not in sys.modules and entries(text) == {}
  for what in ('loss evil:loss', 'loss no_such', 'norm evil:Norm',
               'optimizer evil:adam', 'extractor evil:net', 'metric evil'):
    assert f'%   {what}\n' in text


def test_nothing_used():
  assert bibliography.of({}).startswith('% Papers') and not entries(
      bibliography.of({}))


@pytest.mark.parametrize('key', ['loss', 'penalties', 'augment'])
def test_every_method_has_an_entry(key):
  names = lookup.names(keys.CHOICES[key].module)
  text = bibliography.of({f'{key}.name': names})
  notes = ', '.join(one['note'] for one in entries(text).values())
  for name in names:
    bare = name in ('none', 'horizontal_flip')
    assert (name.replace('_', r'\_') in notes) != bare, name


def test_it_is_of_the_selected_runs(tmp_path):
  write(tmp_path / 'runs' / 'a', scores=fd(0.3))
  write(tmp_path / 'runs' / 'b', loss={'name': 'wasserstein'}, seed=1)
  out = tmp_path / 'o.bib'
  compare([str(tmp_path / 'runs')], out=str(out))
  assert {'lim2017', 'arjovsky2017', 'mescheder2018'} == {
      *entries(out.read_text())}
  compare([str(tmp_path / 'runs')], where='loss.name=hinge',
                  out=str(out))
  assert {'lim2017', 'mescheder2018'} == {*entries(out.read_text())}
