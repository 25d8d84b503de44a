"""What a regulariser is."""

from collections.abc import Callable
from typing import NamedTuple


class Regulariser(NamedTuple):
  """Terms for one player or both.

  disc, gen: functions of what they name -> [B], None for no term.
  memory: {name: float32 []}, kept in the state.
  remember: (memory, real_logits [B], fake_logits [B], step) -> memory, after
    each update of the discriminator.
  heads: ((name, size), ...) that the discriminator must have.
  """

  disc: Callable | None = None
  gen: Callable | None = None
  memory: dict = {}
  remember: Callable | None = None
  heads: tuple = ()


class Term(NamedTuple):
  """A penalty in the game: added every `every` updates, `every` times as big.

  The lazy interval is that of Karras et al. 2020 (arXiv:1912.04958, B).
  fn: a function for the discriminator, or a `Regulariser`.
  """

  name: str
  fn: Callable | Regulariser
  weight: float
  every: int

  @property
  def parts(self) -> Regulariser:
    """The same for a plain function."""
    return self.fn if isinstance(self.fn, Regulariser) else Regulariser(self.fn)
