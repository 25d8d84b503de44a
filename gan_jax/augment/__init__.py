"""Differentiable augmentations: one factory each.

Every factory returns `(images [B, H, W, C], keys [B]) -> images`, with one
random key for each example, or an `Augmentation`, which remembers something in
the course of training, or mixes generated images into the real ones. They are
applied to real and to generated images alike, inside the step, and gradients
flow through them to the generator. Images are in [-1, 1]. What moves pixels
refuses vectors [B, D].

A factory may ask for what the program supplies: `batch_mean`, the mean over the
examples of all devices, and `batch_size`, their number.

Whatever this file imports, a config can name: factories only.
"""

from gan_jax.augment.adaptive import ada, bgc
from gan_jax.augment.base import Augmentation
from gan_jax.augment.basic import horizontal_flip, instance_noise
from gan_jax.augment.differentiable import (
           colour,
           cutout,
           diffaugment,
           translation,
)
from gan_jax.augment.pseudo import apa

__all__ = ['Augmentation', 'ada', 'apa', 'bgc', 'colour', 'cutout',
           'diffaugment', 'horizontal_flip', 'instance_noise', 'translation']
