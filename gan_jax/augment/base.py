"""What an augmentation with a memory is, and what several share."""

from collections.abc import Callable
from typing import NamedTuple

import jax


class Augmentation(NamedTuple):
  """An augmentation that changes in the course of training.

  apply: (images [B, H, W, C], keys [B], memory) -> images, where memory also
    has 'step', the steps done so far, for what follows a schedule.
  memory: initial float32 scalars of what it remembers; kept in the state of a
    run.
  remember: (memory, real_logits [B], step) -> memory, after each update of the
    discriminator: its logits of the augmented real images, and the steps that
    were done before. Its numbers must come from `batch_mean`, so that devices
    agree.
  mix: (real, fake, keys [B], memory) -> real images of an update of the
    discriminator, before all else that looks at them: some may be replaced by
    generated ones. None to leave them.
  """

  apply: Callable
  memory: dict = {}
  remember: Callable | None = None
  mix: Callable | None = None


def compose(parts: dict) -> Augmentation:
  """Augmentations in turn; `name/key` is what one of them remembers."""
  parts = {name: part if isinstance(part, Augmentation) else _forgetful(part)
           for name, part in parts.items()}

  def own(memory, name):
    return {key: memory[f'{name}/{key}'] for key in parts[name].memory}

  def turn(keys, i):
    return jax.vmap(lambda key: jax.random.fold_in(key, i))(keys)

  def apply(images, keys, memory):
    for i, (name, part) in enumerate(parts.items()):
      images = part.apply(images, turn(keys, i), {
          **own(memory, name), 'step': memory['step']})
    return images

  def mix(real, fake, keys, memory):
    for i, (name, part) in enumerate(parts.items()):
      if part.mix:
        real = part.mix(real, fake, turn(keys, i), own(memory, name))
    return real

  def remember(memory, real_logits, step):
    return {f'{name}/{key}': value for name, part in parts.items()
            if part.memory for key, value in part.remember(
                own(memory, name), real_logits, step).items()}

  return Augmentation(apply, {f'{name}/{key}': value for name, part in
                              parts.items() for key, value in
                              part.memory.items()}, remember,
                      mix if any(part.mix for part in parts.values()) else None)


def _forgetful(function) -> Augmentation:
  return Augmentation(lambda images, keys, memory: function(images, keys))
