"""BibTeX of the methods that runs use, by the docstrings of the components."""

import re
from collections.abc import Iterator
from typing import Any

import optax

from gan_jax.base import lookup, papers
from gan_jax.config import keys
from gan_jax.game import rules
from gan_jax.metrics import classes, frechet, images, kernel, neighbours
from gan_jax.models import batch_layers, layers, norms
from gan_jax.views.templates import tex

_HEAD = '''\
% Papers of the methods that the runs use, as the docstrings of gan_jax cite
% them: by authors, year and link. Those have no titles, so where a title is a
% link or a number, look it up. 'note' names the components.
'''
# Docstrings of the metrics of the evaluator `scores`.
_METRICS = {
    'fd': frechet, 'fd_infinity': frechet.frechet_infinity, 'kd': kernel,
    'kd_full': kernel, 'prdc': neighbours.manifold,
    'authenticity': neighbours.authenticity,
    'inception_score': classes.inception_score, 'ms_ssim': images.ms_ssim}
# And of the texts among the arguments of networks.
_TEXTS = {'conditioning': {'onehot': layers.LabelCode,
                           'embedding': layers.LabelCode,
                           'projection': layers.Heads},
          'minibatch': {'std': batch_layers.minibatch_std,
                        'discrimination': batch_layers.MinibatchDiscrimination},
          'norm': norms.Norm, 'weight_norm': layers.Weighted}
_ROOMS = {'data': 'data set', 'latent': 'prior', 'latent_steps': 'latent steps',
          'gen_optimizer': 'optimizer', 'disc_optimizer': 'optimizer',
          'penalties': 'penalty', 'augment': 'augmentation',
          'evaluators': 'evaluator'}


def of(used: dict[str, list]) -> str:
  """The bibliography of configs {key: values}, of `store.used`, in BibTeX."""
  notes, found, bare = {}, {}, []
  for what, cited in dict(components(used)).items():
    linked = [paper for paper in cited if paper.link]
    if not linked:
      bare.append(what + ''.join(
          f' ({paper.authors} {paper.year}, without a link)'
          for paper in cited[:1]))
    for paper in linked:
      found.setdefault(paper.link, paper)
      notes.setdefault(paper.link, []).append(what)
  names = _names(found)
  entries = sorted((names[link], _entry(names[link], paper, notes[link]))
                   for link, paper in found.items())
  return '\n'.join([
      _HEAD, *(entry for _, entry in entries),
      *(['% Without a citation:', *(f'%   {what}' for what in sorted(bare))]
        if bare else []), ''])


def components(used: dict[str, list]) -> Iterator[tuple[str, list]]:
  """('loss hinge', its papers) of all that configs name.

  Nothing is imported that only a config names: it may be of anybody.
  """
  for path, values in used.items():
    key, _, argument = re.sub(r'\[\d+\]', '', path).partition('.')
    for value in values:
      if argument == 'name' and key in keys.CHOICES and key != 'loggers':
        yield from _component(key, value)
        if value == 'scores' and path.replace('name', 'metrics') not in used:
          yield from map(_metric, lookup.defaults(
              'gan_jax.evaluators', value)['metrics'])
      elif argument in _TEXTS and value != 'none':
        yield f'{argument} {value}', _of_text(argument, value)
      elif argument == 'metrics':
        yield from map(_metric, value)
      elif argument == 'extractor.name':
        yield f'extractor {value}', _found('gan_jax.extractors', value)
      elif not argument and value and value != 'none' and (
          path, value) != ('packing', 1) and (
              cited := papers.cited(papers.entries(rules.Game).get(key, ''))):
        yield key, cited


def _component(key, name) -> Iterator[tuple[str, list]]:
  choice, what = keys.CHOICES[key], _ROOMS.get(key, key)
  if name.partition('.')[0] == 'none':
    return
  if choice.module == 'optax':
    function = getattr(optax, name, None)
    yield f'{what} {name}', papers.of(function)[:1] if function else []
    return
  yield f'{what} {name}', _found(choice.module, name, choice.kind)


def _metric(name) -> tuple[str, list]:
  return f'metric {name}', (
      papers.of(_METRICS[name]) if name in _METRICS else [])


def _found(room, name, kind='') -> list:
  """Papers of a component of this package; [] of others."""
  try:
    return papers.of(lookup.find(room, name, kind)) if ':' not in name else []
  except ValueError:
    return []


def _of_text(argument, value) -> list:
  where = _TEXTS[argument]
  if isinstance(where, dict):
    return papers.of(where[value]) if value in where else []
  return papers.cited(papers.entries(where).get(value, ''))


def _names(found) -> dict[str, str]:
  """{link: 'lim2017'}, with b, c, ... where another has it."""
  names, taken = {}, set()
  for link, paper in sorted(found.items()):
    first = re.split(r' et al|, | & | and ', paper.authors)[0].split()[-1]
    base = re.sub(r'\W', '', first).lower() + paper.year
    names[link] = next(name for name in (
        base, *(base + letter for letter in 'bcdefghijklmnopqrstuvwxyz'))
                       if name not in taken)
    taken.add(names[link])
  return names


def _entry(name, paper, notes) -> str:
  authors = re.sub(r',? et al\.?$', ' and others', paper.authors)
  fields: dict[str, Any] = {
      'author': re.sub(r', | & ', ' and ', authors),
      'title': '{' + (tex(paper.title) or (
          f'arXiv:{paper.arxiv}' if paper.arxiv else paper.link)) + '}',
      'year': paper.year, 'eprint': paper.arxiv,
      'archivePrefix': paper.arxiv and 'arXiv', 'url': paper.link,
      'note': tex(', '.join(dict.fromkeys(notes)))}
  lines = [f'  {key} = {{{value}}},' for key, value in fields.items() if value]
  return '\n'.join([f'@misc{{{name},', *lines, '}', ''])
