"""What a term is, and what it may name as arguments.

The simplest term is a function for the discriminator. It is called with those
of the following that it NAMES as arguments, and returns a value per example,
`penalty(critic, real, fake, keys) -> [B]` for example, of which the step takes
the mean, times the weight in the config.

  real, fake: images [B, H, W, C]
  real_out, fake_out: what the discriminator says of them, as `Critique`
  label: [B] int32, of both
  z: latents [B, Z] of the generated images
  keys: [B], a random key for each example
  critic: images -> logits [B], to ask the discriminator once more, with the
    labels and the augmentation of the real images
  fake_critic: the same with the augmentation of the generated images
  critique: as critic, images -> Critique
  generate: latents -> images; in a term of the generator the gradient goes
    through its parameters too
  params: of the player that is updated
  step: steps done so far
  memory: what the term keeps from update to update, see `Regulariser`; then it
    returns ([B], the memory after the update)

A term of the generator, or one that has a memory or needs a head of the
discriminator, is a `Regulariser`. The function that makes a term may ask for
`num_classes`, `batch_mean`, the mean over the examples of all devices, and
`batch_all`, which maps x [b, ...] of this device to [B, ...] of all devices.
"""

import inspect
from collections.abc import Callable
from typing import NamedTuple


class Regulariser(NamedTuple):
  """Terms for one player or both.

  disc, gen: functions of what they name -> [B], None for no term.
  memory: where the memory of each function that names it starts,
    {name: float}, or (params of its player) -> {name: tree}. It is float32,
    part of the state of a run, and each player has its own. Its numbers must
    come from parameters, `batch_mean` or `batch_all`, so that devices agree.
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

  def remembers(self, player: str) -> bool:
    """Whether the function of 'disc' or 'gen' has a memory."""
    return bool(self.memory) and names(getattr(self, player), 'memory')


class Term(NamedTuple):
  """A penalty in the game: added every `every` updates, `every` times as big.

  This lazy interval is that of Karras et al. 2020, arXiv:1912.04958, B. In the
  updates between, a memory stays as it is.

  fn: a function for the discriminator, or a `Regulariser`.
  weight: a number, or a function of the step.
  """

  name: str
  fn: Callable | Regulariser
  weight: float | Callable
  every: int

  def title(self, player: str) -> str:
    """Its name in scalars and memories, for 'disc' or 'gen'."""
    return self.name if player == 'disc' else f'{self.name}_gen'

  @property
  def parts(self) -> Regulariser:
    """The term as a `Regulariser`."""
    return self.fn if isinstance(self.fn, Regulariser) else Regulariser(self.fn)


def names(function: Callable | None, argument: str) -> bool:
  """Whether a function, if there is one, names an argument."""
  return function is not None and argument in inspect.signature(
      function).parameters
