"""What an augmentation with a memory is, and what several share."""

from collections.abc import Callable
from typing import NamedTuple


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
