"""Papers that docstrings cite: 'Lim & Ye 2017, https://arxiv.org/abs/1705.02894'.

Authors, a year, and a link or an arXiv number close behind it.
"""

import inspect
import itertools
import re
from typing import NamedTuple

# A name has a small letter: WGAN-LP is none. A year ends the authors.
_NAME = r"(?!And\b)[A-Z][a-z][\w'-]*"
_PAPER = re.compile(
    rf"\b({_NAME}(?:(?:, | & | and ){_NAME})*(?: et al\.)?) (\d{{4}})\b")
_LINK = re.compile(
    r'(?:https?://)?arxiv\.org/(?:abs|pdf)/(\d{4}\.\d{4,5})'
    r'|\b(\d{4}\.\d{4,5})\b|(https?://[^\s>),]*[^\s>),.;:])')
_BEHIND = 40  # characters between a year and its link, such as ' (VEEGAN), '
# How optax cites: Kingma et al, `Title <https://...>`_, 2014
_TITLED = re.compile(r'([A-Z][\w. -]*?), `([^`<]+?)`?\s*<([^>]+)>`_,\s*(\d{4})')


class Paper(NamedTuple):
  """A paper, as it is cited.

  authors: 'Lim & Ye', 'Karras et al.'
  year: of four digits.
  arxiv: number, '' if the link is another.
  link: '' if there is none.
  title: '' if it is not given.
  at: where the citation starts in its text.
  """

  authors: str
  year: str
  arxiv: str = ''
  link: str = ''
  title: str = ''
  at: int = 0


def cited(text: str) -> list[Paper]:
  """The papers that a text cites, in their order."""
  text, found = ' '.join(text.split()), []
  for match in _TITLED.finditer(text):
    arxiv, link = _linked(match[3])
    found.append(Paper(match[1], match[4], arxiv, link,
                       ' '.join(match[2].split()), match.start()))
  if found:
    return found
  for match, after in itertools.pairwise([*_PAPER.finditer(text), None]):
    link = _LINK.search(text, match.end(),
                        after.start() if after else len(text))
    near = link and link.start() < match.end() + _BEHIND
    found.append(Paper(match[1], match[2],
                       *(_linked(link[0]) if near else ()), at=match.start()))
  return found


def _linked(text):
  """(arXiv number, link) of a link or a number."""
  match = _LINK.search(text)
  number = match and (match[1] or match[2])
  if number:
    return number, f'https://arxiv.org/abs/{number}'
  return '', match[3] if match else f'http://{text}'


def of(thing) -> list[Paper]:
  """The papers that a component is from, by its docstring.

  Those of the first paragraph; else the first one of the rest, or of the
  docstring of its module. Later ones are of details.
  """
  head, _, rest = (inspect.getdoc(thing) or '').partition('\n\n')
  module = inspect.getdoc(inspect.getmodule(thing)) or ''
  if thing is inspect.getmodule(thing):
    module = ''
  return cited(head) or cited(rest)[:1] or cited(module)[:1]


def entries(thing) -> dict[str, str]:
  """{name: text} of the lines 'name: text' of a docstring."""
  return {name: ' '.join(text.split()) for name, text in re.findall(
      r'^ *(\w+): (.*?)(?=^ *\w+: |^\s*$|\Z)', inspect.getdoc(thing),
      re.MULTILINE | re.DOTALL)}
