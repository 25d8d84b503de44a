"""What an augmentation with a memory is, and what several share."""

from collections.abc import Callable
from typing import NamedTuple

import jax


class Augmentation(NamedTuple):
  """An augmentation that changes in the course of training.

  apply: (images [B, H, W, C], keys [B], memory) -> images.
  memory: initial float32 scalars of what it remembers; kept in the state of a
    run.
  remember: (memory, real_logits [B], step) -> memory, after each update of the
    discriminator: its logits of the augmented real images, and the steps that
    were done before. Its numbers must come from `batch_mean`, so that devices
    agree.
  """

  apply: Callable
  memory: dict = {}
  remember: Callable | None = None


def check_images(images, name):
  """Refuses vectors [B, D] where pixels are to be moved."""
  if images.ndim != 4:
    raise ValueError(f'augment {name} moves pixels of images [H, W, C], the '
                     f'data are vectors {list(images.shape[1:])}; leave it out')


def compose(parts: dict) -> Augmentation:
  """Augmentations in turn; `name/key` is what one of them remembers."""
  parts = {name: part if isinstance(part, Augmentation) else _forgetful(part)
           for name, part in parts.items()}

  def own(memory, name):
    return {key: memory[f'{name}/{key}'] for key in parts[name].memory}

  def apply(images, keys, memory):
    for i, (name, part) in enumerate(parts.items()):
      images = part.apply(images, jax.vmap(
          lambda key, i=i: jax.random.fold_in(key, i))(keys), own(memory, name))
    return images

  def remember(memory, real_logits, step):
    return {f'{name}/{key}': value for name, part in parts.items()
            if part.memory for key, value in part.remember(
                own(memory, name), real_logits, step).items()}

  return Augmentation(apply, {f'{name}/{key}': value for name, part in
                              parts.items() for key, value in
                              part.memory.items()}, remember)


def _forgetful(function) -> Augmentation:
  return Augmentation(lambda images, keys, memory: function(images, keys))
