"""Jinja templates of the views; {{ count | n }} adds commas."""

import pathlib

import jinja2

_TEXTS = jinja2.Environment(
    loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent),
    autoescape=jinja2.select_autoescape(), trim_blocks=True, lstrip_blocks=True)
_TEXTS.filters.update(n='{:,}'.format, g='{:.4g}'.format)


def fill(name: str, /, **values) -> str:
  """Renders a template of this folder; HTML is escaped."""
  return _TEXTS.get_template(name).render(values).rstrip()
