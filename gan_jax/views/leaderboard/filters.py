"""Filters of runs, such as 'loss.name=hinge|wasserstein,batch_size>=64'.

A condition is KEY OP VALUE; commas join conditions, all of which must hold. OP
is one of = != < <= > >=. KEY is a key of the config, 'penalties[0].weight', the
name of a score, or one of `COLUMNS`. VALUE is a number, True, False, None or
text; in quotes if it has a comma. With = and !=, 'a|b' means a or b, and a text
with a * may have anything there.
"""

import re
from typing import NamedTuple

from gan_jax.base import lookup
from gan_jax.base.errors import RequestError

# What a run has besides config and scores, as SQL over `wanted` and `runs`.
COLUMNS = {
    'status': "CASE WHEN held THEN 'running' ELSE kind END",
    'step': 'step', 'images': 'images', 'seconds': 'seconds',
    'folder': 'folder'}
_PARTS = re.compile(r'''((?:[^,"']|"[^"]*"|'[^']*')*)(?:,|$)''')
_CONDITION = re.compile(r'''\s*([^=<>!"']*?)\s*(!=|<=|>=|=|<|>)\s*'''
                        r'''("[^"]*"|'[^']*'|[^=<>!"']*)\s*''')
_NUMBER = re.compile(r'[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?', re.IGNORECASE)
_WORDS = {'true': 'True', 'false': 'False', 'none': 'None'}


class Condition(NamedTuple):
  """One condition.

  key: of the config, a score or a column.
  op: '=', '!=', '<', '<=', '>' or '>='.
  values: texts of which one is to hold, for '=' and '!='; else one number.
  """

  key: str
  op: str
  values: tuple


def parse(text: str) -> list[Condition]:
  """Reads a filter; '' has no condition.

  Raises:
    RequestError: with all that cannot be read.
  """
  found, problems, at = [], [], 0
  while text and at <= len(text):
    part = _PARTS.match(text, at)
    if part is None:
      problems.append(f'{text[at:]!r} has a quote that does not end')
      break
    at = part.end() if part[0].endswith(',') else len(text) + 1
    match = _CONDITION.fullmatch(part[1])
    if not match or not match[1]:
      problems.append(f'{part[1].strip()!r} is not KEY=VALUE; = != < <= > >= '
                      'compare, commas join')
    elif match[2] in ('=', '!='):
      found.append(Condition(match[1], match[2], _alternatives(match[3])))
    elif not _NUMBER.fullmatch(match[3].strip()):
      problems.append(f'{part[1].strip()!r}: {match[2]} needs a number')
    else:
      found.append(Condition(match[1], match[2], (float(match[3]),)))
  if problems:
    raise RequestError(f'--where={text}: ' + '; '.join(problems)
                       + ". For example --where='loss.name=hinge,"
                       "batch_size>=64'")
  return found


def _alternatives(value: str) -> tuple[str, ...]:
  value = value.strip()
  if value[:1] in ('"', "'"):
    return (value[1:-1],)
  return tuple(_WORDS.get(part.strip().lower(), part.strip())
               for part in value.split('|'))


def check(conditions, keys, scores) -> None:
  """Checks conditions by the `keys` of the configs of all runs.

  And by the names of their scores, with and without hashes.

  Raises:
    RequestError: with all unknown keys and near names.
  """
  known = {*COLUMNS, *keys, *scores}
  problems = [f'no run has the key {c.key}{lookup.near(c.key, known)}'
              for c in conditions if c.key not in known]
  if problems:
    raise RequestError('--where: ' + '\n'.join(problems))


def as_sql(condition: Condition, scores) -> tuple[str, list]:
  """A condition as SQL over `wanted JOIN runs`, and its bound values."""
  key, op, values = condition
  if key in COLUMNS:
    inner, bound = _test(COLUMNS[key], op, values)
    inner = f'coalesce({inner}, 0)'
  elif key in scores:
    inner, bound = _test('value', op, values)
    inner = ('run IN (SELECT run FROM scores WHERE (score = ? OR name = ?) '
             f'AND {inner})')
    bound = [key, key, *bound]
  else:
    inner, bound = _test('value', op, values)
    inner = ('run IN (SELECT run FROM settings JOIN parts ON part = parts.id '
             f'WHERE key = ? AND {inner})')
    bound = [key, *bound]
  # A run without the key is not equal.
  return (f'NOT ({inner})' if op == '!=' else inner), bound


def _test(what: str, op: str, values) -> tuple[str, list]:
  """SQL of `what op value`; of '!=' what is to be negated."""
  if op in ('<', '<=', '>', '>='):
    # SQLite sorts texts behind all numbers.
    return f"(typeof({what}) <> 'text' AND {what} {op} ?)", list(values)
  tests, bound = [], []
  for value in values:
    if '*' in value:
      tests.append(f'{what} GLOB ?')
      bound.append(re.sub(r'([\[?])', r'[\1]', value))
      continue
    tests.append(f'{what} = ?')
    bound.append(value)
    if _NUMBER.fullmatch(value):
      tests.append(f'{what} = ?')
      bound.append(float(value))
  return f'({" OR ".join(tests)})', bound
