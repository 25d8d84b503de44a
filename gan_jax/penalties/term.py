"""What a penalty is, and the arguments that it may declare.

The simplest penalty is a function for the discriminator, called with those of
the following that it declares as arguments. It returns a value per example,
such as `penalty(critic, real, fake, keys) -> [B]`, of which the step takes the
mean, times the weight in the config.

  real, fake: images [B, H, W, C]
  real_out, fake_out: discriminator outputs, as `Critique`
  label: of both, classes int32 [B] or label vectors float32 [B, L]
  z: latents [B, Z] of the generated images
  codes: {'real': [B, Z], 'fake': z} that a joint game's discriminator judges
    with the images, else None
  keys: [B], a random key for each example
  critic: images -> logits [B], the discriminator with the labels and the
    augmentation of the real images, for both players; in a joint game with the
    codes of the real images, or with those given: (images, codes [B, Z])
  fake_critic: the same with the augmentation and codes of the generated images
  critique: as critic, images -> Critique; with purpose='fake' as fake_critic,
    with another purpose as critic, but with random keys of its own
  labelled: for the discriminator, a batch (image, label) of examples whose
    class is known, besides the real ones
  generate: latents -> images; for the generator, differentiable by its
    parameters
  encode: for the generator, if it has an encoder: images -> `Posterior`,
    differentiable by its parameters
  params: of the player that is updated
  step: steps done so far
  memory: kept from update to update, see `Regulariser`; the function then
    returns ([B], the memory after the update)

A penalty of the generator, or one with a memory or a head of the discriminator,
is a `Regulariser`. A factory may declare `num_classes` (L of label vectors),
`image_range` (lo, hi), `batch_mean`, the mean over the examples of all devices,
and `batch_all`, which gathers [b, ...] of all devices to [B, ...].
"""

import inspect
from collections.abc import Callable
from typing import NamedTuple


class Regulariser(NamedTuple):
  """Penalties of one player or both.

  disc, gen: functions -> [B], or None.
  memory: initial memory of each function that declares it, {name: float}, or
    (params of its player) -> {name: tree}. It is float32, part of the state,
    and separate for each player. It must be computed from parameters,
    `batch_mean` or `batch_all`, so that devices agree.
  heads: ((name, size), ...) that the discriminator must have.
  judge: Critique -> logits [B] that replace the discriminator's own.
  class_logits: Critique -> logits [B, K] of the classes that the discriminator
    tells.
  """

  disc: Callable | None = None
  gen: Callable | None = None
  memory: dict | Callable = {}
  heads: tuple = ()
  judge: Callable | None = None
  class_logits: Callable | None = None

  def remembers(self, player: str) -> bool:
    """Whether the function of 'disc' or 'gen' has a memory."""
    return bool(self.memory) and names(getattr(self, player), 'memory')


class Term(NamedTuple):
  """A penalty of a run: applied every `every` updates, scaled by `every`.

  Lazy regularisation: Karras et al. 2020, arXiv:1912.04958, B. Memories do not
  change in between.

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
    """The penalty as a `Regulariser`."""
    return self.fn if isinstance(self.fn, Regulariser) else Regulariser(self.fn)


def names(function: Callable | None, argument: str) -> bool:
  """Whether a function, if not None, declares an argument."""
  return function is not None and argument in inspect.signature(
      function).parameters
