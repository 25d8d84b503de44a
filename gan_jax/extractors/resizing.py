"""How images come to the 299 x 299 of Inception: part of a score's name.

Parmar et al. 2022, https://arxiv.org/abs/2104.11222, compare them.  All take
uint8 [B, H, W, 3] and give float32 [B, 299, 299, 3]:

  tf1      bilinear as in TensorFlow 1: pixel i of the result is at i * H / 299,
           without the shift of half a pixel and without a low-pass filter; then
           (x - 128) / 128.  The FID of Heusel et al. 2017 and torch-fidelity.
  pytorch  bilinear with the shift, pixel i at (i + 1/2) H / 299 - 1/2, without
           a filter; then 2 x / 255 - 1.  pytorch-fid.
  clean    bicubic with a filter, by Pillow, in float32, clipped to [0, 255];
           then (x - 128) / 128.  clean-fid.
"""

from typing import Literal

import numpy as np
from PIL import Image

from gan_jax.extractors.inception_net import SIDE

Resizer = Literal['tf1', 'pytorch', 'clean']


def on_host(resizer: Resizer, images) -> np.ndarray:
  """What is done to images before they go to the device."""
  if resizer != 'clean':
    return images
  out = np.empty((len(images), SIDE, SIDE, images.shape[3]), np.float32)
  for i, image in enumerate(images):
    for c in range(images.shape[3]):
      plane = Image.fromarray(image[..., c].astype(np.float32))
      out[i, ..., c] = plane.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
  return out.clip(0.0, 255.0)


def on_device(resizer: Resizer, images):
  """What `on_host` gives -> what the network takes."""
  x = images.astype(np.float32)
  if resizer == 'pytorch':
    return _bilinear(x / 255.0, shift=0.5) * 2.0 - 1.0
  if resizer == 'tf1':
    x = _bilinear(x, shift=0.0)
  return (x - 128.0) / 128.0


def _bilinear(x, shift):
  for axis in (2, 1):  # The order in which TensorFlow rounds.
    size = x.shape[axis]
    scale = np.float32(size / SIDE)
    at = (np.arange(SIDE, dtype=np.float32) + np.float32(shift)) * scale
    at = np.maximum(at - np.float32(shift), np.float32(0.0))
    low = np.minimum(at.astype(np.int64), size - 1)
    high = np.minimum(low + 1, size - 1)
    part = (at - low.astype(np.float32)).reshape(
        [SIDE if i == axis else 1 for i in range(4)])
    below = x.take(low, axis)
    x = below + (x.take(high, axis) - below) * part
  return x
