"""`Game`: networks, losses, optimisers of a run."""

from collections.abc import Callable
from typing import Any, NamedTuple

import optax

from gan_jax.augment import Augmentation
from gan_jax.game.latent_steps import LatentStep
from gan_jax.losses import Loss
from gan_jax.models import Model
from gan_jax.penalties import Term
from gan_jax.penalties.term import names


class Game(NamedTuple):
  """Networks, losses, optimisers and constants of a run; static.

  gen: the generator, with its encoder if there is one.
  disc: None if the generator plays alone.
  latent: keys [B] -> z [B, Z].
  augment: for real and generated images alike.
  reuse_fakes: G's first update reuses the images and the forward pass of D's
    last update.
  disc_weight_clip: bound on D's parameters after its update (Arjovsky et al.
    2017, arXiv:1701.07875), 0 for none.
  gradient_normalization: logits f become f / (|df/dx| + |f|) (Wu et al. 2021,
    arXiv:2109.02235).
  packing: images that D judges together (PacGAN: Lin et al. 2018,
    arXiv:1712.04086).
  joint: 'mean' or 'sample' of q(z | x) where D judges pairs of an image and its
    code, (x, E(x)) and (G(z), z), and 'none' where it judges images (BiGAN:
    Donahue et al. 2017, arXiv:1605.09782; ALI: Dumoulin et al. 2017,
    arXiv:1606.00704). Gradient penalties are by the pair then.
  latent_steps: steps of z before G draws (LOGAN).
  unrolled_steps: updates of D that G looks ahead by the adversarial loss, and
    differentiates through (Metz et al. 2017, arXiv:1611.02163).
  gen_frozen, disc_frozen: layers that are not trained (FreezeD: Mo et al. 2020,
    arXiv:2002.10964).
  ema_decay: of the averaged generator, per step, or a function of the step; 0
    for no average.
  ema_rampup: bound of the average's half-life as a share of the steps so far
    (Karras et al. 2020, arXiv:2006.06676), 0 for none.
  """

  gen: Model
  disc: Model | None
  latent: Callable
  loss: Loss
  penalties: tuple[Term, ...]
  augment: Augmentation
  gen_optimizer: optax.GradientTransformation
  disc_optimizer: optax.GradientTransformation
  disc_steps: int
  gen_steps: int
  reuse_fakes: bool
  disc_weight_clip: float
  ema_decay: float | Callable
  ema_rampup: float
  gradient_normalization: bool = False
  packing: int = 1
  joint: str = 'none'
  unrolled_steps: int = 0
  latent_steps: tuple[LatentStep, ...] = ()
  gen_frozen: tuple[str, ...] = ()
  disc_frozen: tuple[str, ...] = ()

  @property
  def draws_labelled(self) -> bool:
    """Whether a term asks for labelled examples besides the batch."""
    return any(names(term.parts.disc, 'labelled') for term in self.penalties)

  @property
  def class_logits(self) -> Callable | None:
    """Critique -> logits [B, K] of the first term whose D tells classes."""
    return next((term.parts.class_logits for term in self.penalties
                 if term.parts.class_logits), None)

  @property
  def judge(self) -> Callable | None:
    """Critique -> logits [B] of the term that makes them, if one does."""
    return next((term.parts.judge for term in self.penalties
                 if term.parts.judge), None)

  def memory(self, gen_params, disc_params) -> dict:
    """Initial memories of losses, augmentations and terms.

    That of a term is under its name, or `name_gen` for the generator's.
    """
    found = {'loss': self.loss.memory, 'augment': self.augment.memory}
    for term in self.penalties:
      for which, params in (('disc', disc_params), ('gen', gen_params)):
        if term.parts.remembers(which):
          memory = term.parts.memory
          found[term.title(which)] = (memory(params) if callable(memory)
                                      else memory)
    return {name: dict(memory) for name, memory in found.items() if memory}


def is_off(number) -> bool:
  """Whether a number is a plain 0; of a population it may be an array."""
  return isinstance(number, (int, float)) and not number


class Fakes(NamedTuple):
  """Generated images and how they depend on the networks.

  z: [B, Z], after the latent steps.
  stats: of G after the pass.
  keys: [B], by which G drew what it draws besides z.
  vjp: slope of the images -> slopes of the parameters of G and of D, the cost
    of the latent steps included; that of D is None without such steps.
  moved: {scalar: value} of the latent steps, for logging.
  """

  image: Any
  z: Any
  stats: Any
  keys: Any
  vjp: Callable
  moved: dict = {}
