"""Differentiable augmentations, of real and of generated images alike.

Each is made by a function that a config names, and returns
`(images [B, H, W, C], keys [B]) -> images`, with one random key per example, or
an `Augmentation`, which has a memory or mixes generated images into the real
ones. Images are in [-1, 1]; what moves pixels refuses vectors [B, D]. To add
one, write a function in `simple.py` or `adaptive.py`: every public one can be
named and imported from here. It may ask for `batch_mean`, the mean over the
examples of all devices, and `batch_size`, their number.
"""

from gan_jax.augment.adaptive import *  # noqa: F403 - no entry for a new one
from gan_jax.augment.base import Augmentation  # noqa: F401 - for users
from gan_jax.augment.simple import *  # noqa: F403
