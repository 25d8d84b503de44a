"""What a loss is."""

from collections.abc import Callable
from typing import NamedTuple


class Loss(NamedTuple):
  """What each player minimises, of real and of generated examples.

  disc: (real, fake) -> [B]; with memory: (real, fake, memory) -> [B].
  gen: likewise.
  memory: initial float32 scalars of what the loss remembers; kept in the state
    of a run.
  remember: (memory, real, fake) -> memory, after the discriminator's update, of
    what disc was given. Its numbers must come from `batch_mean` or `batch_all`,
    so that devices agree.
  inputs: 'logits' (real and fake are [B]) or 'features' ([B, F]).
  needs: 'autoencoder' where the logits are reconstruction errors >= 0, so that
    the discriminator must be an autoencoder.
  relative: whether a number added to all logits leaves disc as it is, so that
    the sign of a logit says nothing.
  """

  disc: Callable
  gen: Callable
  memory: dict = {}
  remember: Callable | None = None
  inputs: str = 'logits'
  needs: str = ''
  relative: bool = False
