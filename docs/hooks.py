"""A mkdocs hook that fills tables made from the code into the pages.

A line `<!-- choices: MODULE [KIND] -->` becomes the table of that module's
components, `<!-- norms -->` that of the norms, `<!-- keys -->` that of the keys
of a config, `<!-- findings -->` the list of findings/, and
`<!-- include: FILE Heading -->` that section of a file.
"""

import inspect
import pathlib
import re
import sys

from mkdocs.structure.files import File

ROOT = pathlib.Path(__file__).resolve().parents[1]


def on_files(files, config):
  """Adds the pictures of the pages, which lie beside their experiment."""
  for folder, place in (('recipes', 'recipes/'), ('toy_games', '')):
    for path in sorted((ROOT / 'experiments' / folder).glob('*.[pg][ni][gf]')):
      files.append(File.generated(config, f'{place}{path.name}',
                                  abs_src_path=str(path)))
  return files


def on_page_markdown(markdown, page, config, files):
  """Replaces the comments of a page by what they name."""
  if str(ROOT) not in sys.path:  # mkdocs takes back what a hook's head adds.
    sys.path.insert(0, str(ROOT))
  return re.sub(r'<!-- (\w+)(?:: (.*?))? -->', _fill, markdown)


def _fill(match):
  kind, rest = match[1], (match[2] or '').split(maxsplit=1)
  if kind == 'choices':
    return choices(*rest)
  if kind == 'include':
    return section(*rest)
  return {'norms': norms, 'keys': keys, 'findings': findings}[kind]()


def choices(module: str, kind: str = '') -> str:
  """The table of a module's components, in their order there."""
  from gan_jax.base import lookup
  return table(('name', 'what it is', 'paper'), [
      (name, *described(lookup.find(module, name, kind)))
      for name in lookup.names(module, kind)])


def described(function) -> tuple[str, str]:
  """(what it is, its paper or '') from the first paragraph of a docstring."""
  head, _, rest = inspect.getdoc(function).partition('\n\n')
  what, paper = split(' '.join(head.split()))
  return what, paper or split(' '.join(rest.split()))[1]


def split(text: str) -> tuple[str, str]:
  """(what stands before the first paper, a link to it)."""
  from gan_jax.base import papers
  for paper in papers.cited(text):
    what = text[:paper.at].strip(' (;,').rstrip('.')
    name = f'{paper.authors} {paper.year}'
    return what, f'[{name}]({paper.link})' if paper.link else name
  return text, ''


def norms() -> str:
  """The table of the norms, from the docstring of the layer that has them."""
  from gan_jax.base import papers
  from gan_jax.models.norms import Norm
  return table(('name', 'what it is', 'paper'), [
      (name, *split(text)) for name, text in papers.entries(Norm).items()])


def keys() -> str:
  """The table of the keys of a config."""
  from gan_jax.config.keys import DURATION, KEYS, Choice, Number
  rows = []
  for name, key in KEYS.items():
    values = key.values
    if isinstance(values, Choice):
      kind = ('several components, see below' if values.many
              else 'a component, see below')
      default = '+'.join(spec['name'] for spec in (
          key.default if values.many else [key.default])) or 'none'
    else:
      kind = ('a number or a schedule' if isinstance(values, Number)
              else 'a duration' if values is DURATION
              else values[1].removeprefix('must be '))
      default = repr(key.default)
    rows.append((name, key.words, kind, f'`{default}`'))
  return table(('key', 'what it is', 'values', 'default'), rows)


def findings() -> str:
  """The opening comments of the scripts in findings/."""
  parts = []
  for path in sorted((ROOT / 'findings').glob('*.sh')):
    lines = path.read_text().splitlines()[1:]
    head = [line.lstrip('# ') for line in lines[:next(
        i for i, line in enumerate(lines) if not line.startswith('#'))]]
    parts.append(f'## {path.stem.replace("-", " ")}\n\n' + '\n'.join(head)
                 + f'\n\n`bash findings/{path.name}` shows it.')
  return '\n\n'.join(parts)


def section(file: str, heading: str) -> str:
  """A section of a Markdown file, without its heading; links as of docs/."""
  text = (ROOT / file).read_text()
  found = re.search(rf'^## {heading}\n(.*?)(?=^## |\Z)', text,
                    re.MULTILINE | re.DOTALL)[1]
  return found.replace('](../../docs/', '](')


def table(heads, rows) -> str:
  """A Markdown table; the first cell of a row is code."""
  lines = ['| ' + ' | '.join(heads) + ' |', '|---' * len(heads) + '|']
  lines += [f'| `{name}` | ' + ' | '.join(
      cell.replace('|', '\\|') for cell in cells) + ' |'
            for name, *cells in rows]
  return '\n'.join(lines)
