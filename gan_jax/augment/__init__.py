"""Differentiable augmentations, of real and of generated images alike.

A factory returns `(images [B, H, W, C], keys [B]) -> images`, with one random
key per example, or an `Augmentation`, which has a memory or mixes generated
images into the real ones. Images are in [-1, 1]; most take nothing else. To
add one, write a public function in `simple.py` or `adaptive.py`. It may declare
`batch_mean`, the mean over the examples of all devices, and `batch_size`.
"""

from gan_jax.augment.adaptive import *  # noqa: F403 - no entry for a new one
from gan_jax.augment.base import Augmentation  # noqa: F401 - for users
from gan_jax.augment.simple import *  # noqa: F403
