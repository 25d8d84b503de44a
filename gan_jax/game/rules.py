"""What a game is made of: its rules, the examples of a step."""

from collections.abc import Callable
from typing import Any, NamedTuple

import optax

from gan_jax.augment import Augmentation
from gan_jax.losses import Loss
from gan_jax.models import Model
from gan_jax.penalties import Term


class Game(NamedTuple):
  """The rules, static: networks, losses, optimisers, numbers of the config.

  latent: keys [B] -> z [B, Z].
  augment: for real and generated images alike.
  reuse_fakes: the first generator update takes the images of the last
    discriminator update, and their forward pass, instead of fresh ones.
  disc_weight_clip: bound on every parameter of the discriminator after its
    update (Arjovsky et al. 2017), 0 for none.
  gradient_normalization: the discriminator's logits f become f / (|df/dx| +
    |f|) (Wu et al. 2021, arXiv:2109.02235).
  packing: images that the discriminator judges together (PacGAN).
  unrolled_steps: updates of the discriminator that the generator looks ahead
    by the adversarial loss (Metz et al. 2017, arXiv:1611.02163), through which
    its gradient goes.
  ema_decay: of the averaged generator, per step, or a function of the step; 0
    keeps the last weights.
  ema_rampup: the average's half-life is at most this share of the steps so far
    (Karras et al. 2020, arXiv:2006.06676), 0 for a constant decay.
  """

  gen: Model
  disc: Model
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
  unrolled_steps: int = 0

  def memory(self, gen_params, disc_params) -> dict:
    """What losses, augmentations and terms remember, before the first step.

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


class Fakes(NamedTuple):
  """Generated images, their latents, new stats, and the way back to params."""

  image: Any
  z: Any
  stats: Any
  vjp: Callable
