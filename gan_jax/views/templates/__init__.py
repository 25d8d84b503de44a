"""Jinja templates of the views; {{ count | n }} adds commas, | q quotes."""

import base64
import pathlib
import shlex

import jinja2

_FOLDER = pathlib.Path(__file__).parent
_TEXTS = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_FOLDER),
    autoescape=jinja2.select_autoescape(), trim_blocks=True, lstrip_blocks=True)
_TEXTS.filters.update(n='{:,}'.format, g='{:.4g}'.format, q=shlex.quote)


def fill(name: str, /, **values) -> str:
  """Renders a template of this folder; HTML is escaped."""
  return _TEXTS.get_template(name).render(values).strip()


def data_url(png: bytes) -> str:
  """What an img element of a page shows without a file beside it."""
  return 'data:image/png;base64,' + base64.b64encode(png).decode()


def asset(name: str) -> bytes:
  """Reads a file of this folder."""
  return (_FOLDER / name).read_bytes()
