"""The texts of the views, which Jinja fills in: {{ count | n }} has commas."""

import pathlib

import jinja2

_FOLDER = pathlib.Path(__file__).parent
_TEXTS = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_FOLDER),
    autoescape=jinja2.select_autoescape(), trim_blocks=True, lstrip_blocks=True)
_TEXTS.filters.update(n='{:,}'.format, g='{:.4g}'.format)


def fill(name: str, /, **values) -> str:
  """A file of this folder, filled in; what goes into HTML is escaped."""
  return _TEXTS.get_template(name).render(values).strip()


def asset(name: str) -> bytes:
  """A file of this folder as it is."""
  return (_FOLDER / name).read_bytes()
