"""Discriminators that reconstruct images: EBGAN and BEGAN.

Zhao et al. 2017, https://arxiv.org/abs/1609.03126; Berthelot et al. 2017,
https://arxiv.org/abs/1703.10717.
"""

from functools import partial
from typing import Literal

import jax.numpy as jnp
from flax import linen as nn

from gan_jax.models import Critique, base, dcgan, layers

ErrorName = Literal['l1', 'mse']


class Discriminator(base.AnyDiscriminator, kw_only=True):
  """Images [B, H, W, C] -> code [B, code] -> images -> Critique.

  The logits [B] are each image's mean error of reconstruction, 0 or more and
  small for what looks real: the energy of a loss for such networks. The
  features are the code, without heads and comparisons in the batch. Encoder and
  decoder climb the sizes of `dcgan` by strided convolutions, where BEGAN
  resizes; the last layer is linear.

  Further fields: `base.AnyDiscriminator`.

  width, kernel: as of `dcgan.Discriminator`.
  code: numbers between encoder and decoder.
  error: 'l1' (BEGAN) or 'mse' (EBGAN).
  norm: after every layer but the first and the last.
  """

  width: int = 64
  kernel: int = 4
  code: int = 64
  error: ErrorName = 'l1'
  activation: layers.ActivationName = 'elu'
  autoencoder = True

  @nn.compact
  def __call__(self, images, label, *, train):
    self.check_images(images.shape[1:])
    layers.one_of(self.error, ErrorName, 'error')
    self._check_end()
    path = dcgan.sizes(*images.shape[1:3])
    weights = dict(bias=layers.shiftless(self.norm), **self.arithmetic())
    conv = partial(layers.Conv, size=self.kernel, stride=2,
                   **self.arithmetic())
    norm = self.norms(train)
    x = self.act(conv(self.width)(self.enter(images, label)))
    for i in range(1, len(path) - 1):
      x = conv(self.width * 2 ** i, bias=weights['bias'])(x)
      x = self.act(norm(self.norm)(x))
    shape = x.shape
    code = layers.Dense(self.code, **self.arithmetic())(
        x.reshape(shape[0], -1))
    x = layers.Dense(shape[1] * shape[2] * shape[3], **weights)(code)
    x = self.act(norm(self.norm)(x.reshape(shape)))
    climb = partial(layers.ConvTranspose, size=self.kernel)
    for i in range(len(path) - 2, 0, -1):
      x = climb(self.width * 2 ** (i - 1), to=path[i], **weights)(x)
      x = self.act(norm(self.norm)(x))
    x = climb(images.shape[-1], to=path[0], **self.arithmetic())(x)
    return Critique(self._distance(x, images), code, {})

  def _distance(self, x, images):
    """Mean error by example, [B] float32."""
    difference = x.astype(jnp.float32) - images.astype(jnp.float32)
    each = jnp.abs(difference) if self.error == 'l1' else difference ** 2
    return jnp.mean(each, axis=(1, 2, 3))

  def _check_end(self):
    """Raises a ValueError for what only a last linear layer has."""
    wrong = {'heads': self.heads or None,
             'minibatch': self.minibatch if self.minibatch != 'none' else None,
             'conditioning': self.conditioning
             if self.conditioning == 'projection' else None}
    for field, value in wrong.items():
      if value:
        raise ValueError(f'{field}={value!r} belongs to the last layer of a '
                         'discriminator, and an autoencoder has none')
