"""What a regulariser is."""

import inspect
from collections.abc import Callable
from typing import NamedTuple


class Regulariser(NamedTuple):
  """Terms for one player or both.

  disc, gen: functions of what they name -> [B], None for no term. One that
    names `memory` -> ([B], the memory after this update).
  memory: what each function that names it starts from, {name: float}, or
    (params of its player) -> {name: tree}; kept in the state as float32, for
    each player apart. Its numbers must come from parameters, `batch_mean` or
    `batch_all`, so that devices agree.
  heads: ((name, size), ...) that the discriminator must have.
  judge: Critique -> logits [B], which take the place of the discriminator's
    own, for every loss and term.
  missing_labels: whether the functions know that a label may be -1, of an
    example without one.
  """

  disc: Callable | None = None
  gen: Callable | None = None
  memory: dict | Callable = {}
  heads: tuple = ()
  judge: Callable | None = None
  missing_labels: bool = False

  def remembers(self, which: str) -> bool:
    """Whether 'disc' or 'gen' has a memory."""
    return bool(self.memory) and names(getattr(self, which), 'memory')


class Term(NamedTuple):
  """A penalty in the game: added every `every` updates, `every` times as big.

  The lazy interval is that of Karras et al. 2020 (arXiv:1912.04958, B). Between
  two acts a memory stays as it is.
  fn: a function for the discriminator, or a `Regulariser`.
  weight: a number, or a function of the step.
  """

  name: str
  fn: Callable | Regulariser
  weight: float | Callable
  every: int

  def title(self, which: str) -> str:
    """Its name in scalars and memories, for 'disc' or 'gen'."""
    return self.name if which == 'disc' else f'{self.name}_gen'

  @property
  def parts(self) -> Regulariser:
    """The same for a plain function."""
    return self.fn if isinstance(self.fn, Regulariser) else Regulariser(self.fn)


def names(function: Callable | None, argument: str) -> bool:
  """Whether a function, if there is one, names an argument."""
  return function is not None and argument in inspect.signature(
      function).parameters
