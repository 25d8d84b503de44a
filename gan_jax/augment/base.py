"""`Augmentation`, and the composition of several."""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp

from gan_jax.base.errors import blaming
from gan_jax.ops.keys import folded


class Augmentation(NamedTuple):
  """An augmentation with a memory, a schedule, or mixing.

  apply: (images [B, H, W, C], keys [B], memory) -> images; memory also has
    'step', the steps done so far.
  memory: initial float32 scalars, kept from update to update in the state.
  remember: (memory, real_logits [B], step) -> memory, after each update of D:
    its logits of the augmented real images, and the steps done before. Must use
    `batch_mean`, so that devices agree.
  mix: (real, fake, keys [B], memory) -> real images of an update of D, some
    replaced by generated ones. None for no mixing.
  """

  apply: Callable
  memory: dict = {}
  remember: Callable | None = None
  mix: Callable | None = None


def compose(parts: dict) -> Augmentation:
  """Composes {name: augmentation}; the memory of each is under `name/key`."""
  parts = [(name, part if isinstance(part, Augmentation) else Augmentation(
      lambda images, keys, memory, part=part: part(images, keys)))
           for name, part in parts.items()]

  def own(memory, name):
    return {key.removeprefix(f'{name}/'): value
            for key, value in memory.items() if key.startswith(f'{name}/')}

  def apply(images, keys, memory):
    for i, (name, part) in enumerate(parts):
      with blaming(f'augment[{i}]'):
        after = part.apply(images, folded(keys, i), {
            **own(memory, name), 'step': memory['step']})
        if (made := getattr(after, 'shape', type(after))) != images.shape:
          raise ValueError(f'makes images {made} of images {images.shape}')
        if not jnp.issubdtype(after.dtype, jnp.floating):
          raise ValueError(f'makes {after.dtype} of floats in [-1, 1], through '
                           'which no gradient passes')
      images = after
    return images

  def mix(real, fake, keys, memory):
    for i, (name, part) in enumerate(parts):
      if part.mix:
        real = part.mix(real, fake, folded(keys, i), own(memory, name))
    return real

  def remember(memory, real_logits, step):
    return _flat({name: part.remember(own(memory, name), real_logits, step)
                  for name, part in parts if part.memory})

  return Augmentation(apply, _flat({name: part.memory for name, part in parts}),
                      remember,
                      mix if any(part.mix for _, part in parts) else None)


def _flat(memories):
  return {f'{name}/{key}': value for name, memory in memories.items()
          for key, value in memory.items()}
