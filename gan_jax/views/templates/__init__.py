"""Jinja templates of the views.

{{ count | n }} adds commas, | q quotes for the shell, | tex for LaTeX.
"""

import base64
import pathlib
import shlex

import jinja2

from gan_jax.base.files import utf8

_TEX = str.maketrans({
    '\\': r'\textbackslash{}', '~': r'\textasciitilde{}',
    '^': r'\textasciicircum{}', '|': r'\textbar{}', '<': r'\textless{}',
    '>': r'\textgreater{}', **{sign: f'\\{sign}' for sign in '&%$#_{}'}})
_FOLDER = pathlib.Path(__file__).parent
_TEXTS = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_FOLDER),
    autoescape=jinja2.select_autoescape(), trim_blocks=True, lstrip_blocks=True)


def tex(text: str) -> str:
  """The LaTeX that prints a text as it is."""
  return text.translate(_TEX)


_TEXTS.filters.update(n='{:,}'.format, g='{:.4g}'.format, q=shlex.quote,
                      tex=tex)


def fill(name: str, /, **values) -> str:
  """Renders a template of this folder; HTML is escaped."""
  return utf8(_TEXTS.get_template(name).render(values).strip())


def data_url(png: bytes) -> str:
  """What an img element of a page shows without a file beside it."""
  return 'data:image/png;base64,' + base64.b64encode(png).decode()


def asset(name: str) -> bytes:
  """Reads a file of this folder."""
  return (_FOLDER / name).read_bytes()
