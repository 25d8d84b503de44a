"""Errors that are the user's to mend: a message for him, and an exit status.

Each message gives what was found, the rule, and what to do. `main` prints it
without a traceback and exits with `status`.
"""

from typing import Any, NamedTuple


class UserError(Exception):
  """What the user can mend.

  status: exit status of the program: 2 for the command line and config, 3 for
    the data, 4 for the run.
  """

  status = 4


class Problem(NamedTuple):
  """One thing wrong with a config: where, what, and what would be right.

  path: of the key, '' for what is no single key's.
  """

  path: str
  value: Any
  rule: str

  def __str__(self):
    return (f'{self.path} = {self.value!r}: {self.rule}' if self.path
            else self.rule)


class ConfigError(UserError, ValueError):
  """Everything that is wrong with a config."""

  status = 2

  def __init__(self, problems: list[Problem]):
    """`problems`: at least one."""
    self.problems = problems
    count = 'one problem' if len(problems) == 1 else f'{len(problems)} problems'
    super().__init__('\n'.join([f'{count} in the config:',
                                *(f'  {"config." * bool(p.path)}{p}'
                                  for p in problems)]))


class RequestError(UserError, ValueError):
  """A command line that asks for what cannot be had."""

  status = 2


class DataError(UserError, ValueError):
  """A problem with a user's data: what was found, the rule and the fix."""

  status = 3


class WorkdirError(UserError, RuntimeError):
  """The folder of a run cannot be written, is held, or is another run's."""


class CheckpointError(UserError, RuntimeError):
  """A checkpoint that cannot be written, read or believed."""


class NonFiniteError(UserError, RuntimeError):
  """A loss, gradient or weight is infinite or not a number."""


class StoppedError(UserError, RuntimeError):
  """The watchdog has ended the run."""


class ProcessGroupError(UserError, RuntimeError):
  """The processes of a run do not find each other, or are not of one run."""


def first_line(error: BaseException) -> str:
  """An error of another program in one line: its type and what it says."""
  first = str(error).partition('\n')[0]
  return f'{type(error).__name__}: {first[:300]}'
