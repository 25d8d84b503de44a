"""Errors that the user can fix, with a message and an exit status.

Each message says what was found, the constraint, and a fix. `main` prints it
without a traceback and exits with `status`.
"""

import contextlib
from typing import Any, NamedTuple


class UserError(Exception):
  """An error that the user can fix.

  status: exit status: 2 for command line and config, 3 for data, 4 for the run.
  """

  status = 4


class Problem(NamedTuple):
  """One problem of a config: the key's path ('' for none), its value, a fix."""

  path: str
  value: Any
  rule: str

  def __str__(self):
    return (f'{self.path} = {self.value!r}: {self.rule}' if self.path
            else self.rule)


class ConfigError(UserError, ValueError):
  """All problems of a config."""

  status = 2

  def __init__(self, problems: list[Problem]):
    """Takes one problem or more."""
    super().__init__(problems)  # what it is made of again when unpickled
    self.problems = problems

  @classmethod
  def saying(cls, text: str) -> 'ConfigError':
    """One problem that is of no key."""
    return cls([Problem('', None, text)])

  def __str__(self):
    count = len(self.problems)
    said = 'one problem' if count == 1 else f'{count} problems'
    return '\n'.join([f'{said} in the config:',
                      *(f'  {"config." * bool(p.path)}{p}'
                        for p in self.problems)])


class RequestError(UserError, ValueError):
  """A command line that asks for something impossible."""

  status = 2


@contextlib.contextmanager
def as_flag():
  """Context of what a flag asks for: of 'seed=-1 ...' it makes '--seed=-1 ...'.

  Raises:
    RequestError: instead of another one.
  """
  try:
    yield
  except RequestError as e:
    raise RequestError(f'--{e}') from e


class DataError(UserError, ValueError):
  """A problem with the user's data."""

  status = 3


class ArgumentError(UserError, ValueError):
  """Arguments of a data set that are wrong, or do not suit its files.

  No `DataError`: what deals with bad files lets it through.

  problems: of the config that has them, mostly one.
  """

  status = 2

  def __init__(self, argument: str, value: Any, rule: str,
               *others: 'ArgumentError'):
    """Takes the argument's name, the value given, and the rule it breaks.

    The rule goes on after the value, as in `max_bad = 2: must be a share`.
    `others` are said after it.
    """
    super().__init__(argument, value, rule, *others)
    self.problems = [Problem(f'data.{argument}', value, rule), *(
        problem for other in others for problem in other.problems)]

  def __str__(self):
    argument, value, rule, *others = self.args
    return '; '.join([f'{argument}={value!r}: {rule}', *map(str, others)])


class WorkdirError(UserError, RuntimeError):
  """The run folder cannot be written, is locked, or belongs to another run."""


class LockedError(WorkdirError):
  """Another process holds the folder now, and will free it."""


class CheckpointError(UserError, RuntimeError):
  """A checkpoint that cannot be written or read, or is damaged."""


class NonFiniteError(UserError, RuntimeError):
  """A loss, gradient or weight is infinite or not a number."""


class StoppedError(UserError, RuntimeError):
  """The watchdog has stopped the run."""


class ProcessGroupError(UserError, RuntimeError):
  """The processes of a run cannot connect, or differ in config or data."""


@contextlib.contextmanager
def blaming(component: str):
  """Context, or decorator, that notes on an exception whose fault it is.

  component: its place in the config, such as 'penalties[0]', of which `trace`
    tells the name. The outermost counts: where a penalty calls a network, the
    penalty is to blame.
  """
  try:
    yield
  except Exception as e:
    e.component = component
    raise


def first_line(error: BaseException) -> str:
  """Type and first line of the message of an exception."""
  first = str(error).partition('\n')[0]
  if len(first) > 300:  # The reason may be at either end.
    first = f'{first[:145]} ... {first[-150:]}'
  return f'{type(error).__name__}: {first}'
