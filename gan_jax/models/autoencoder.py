"""Discriminators that reconstruct images: EBGAN and BEGAN."""

from functools import partial
from typing import Literal

import jax.numpy as jnp
from flax import linen as nn

from gan_jax.models import Critique, base, dcgan, layers, norms

ErrorName = Literal['l1', 'mse']


class Discriminator(base.AnyDiscriminator, kw_only=True):
  """Autoencoder of images (BEGAN, EBGAN).  Berthelot et al. 2017, 1703.10717.

  And Zhao et al. 2017, https://arxiv.org/abs/1609.03126.  Images [B, H, W, C]
  -> code [B, code] -> images -> Critique. The logits [B] are each image's mean
  reconstruction error >= 0, small for real-looking images; the features are the
  code; there are no heads and no minibatch layers. Encoder and decoder have the
  sizes of `dcgan`, by strided convolutions (BEGAN resizes); the last layer is
  linear.

  Further fields: `base.AnyDiscriminator`.

  width, kernel: as of `dcgan.Discriminator`.
  code: size of the code.
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
    self.check_kind(images.shape[1:])
    layers.one_of(self.error, ErrorName, 'error')
    for field in ('heads', 'minibatch', 'conditioning'):
      if (value := getattr(self, field)) not in ((), 'none', 'onehot',
                                                 'embedding'):
        raise ValueError(f'{field}={value!r} belongs to the last layer of a '
                         'discriminator, and an autoencoder has none')
    path = dcgan.sizes(images.shape[1:3])
    weights = dict(bias=norms.shiftless(self.norm), **self.arithmetic())
    conv = partial(layers.Conv, size=self.kernel, stride=2)
    climb = partial(layers.ConvTranspose, size=self.kernel)
    norm = self.norms(train)
    x = conv(self.width, **self.arithmetic())(self.enter(images, label))
    x = self.act(x)
    for i in range(1, len(path) - 1):
      x = self.act(norm(self.norm)(conv(self.width * 2 ** i, **weights)(x)))
    shape = x.shape
    code = layers.Dense(self.code, **self.arithmetic())(
        x.reshape(shape[0], -1))
    x = layers.Dense(shape[1] * shape[2] * shape[3], **weights)(code)
    x = self.act(norm(self.norm)(x.reshape(shape)))
    for i in range(len(path) - 2, 0, -1):
      x = climb(self.width * 2 ** (i - 1), to=path[i], **weights)(x)
      x = self.act(norm(self.norm)(x))
    x = climb(images.shape[-1], to=path[0], **self.arithmetic())(x)
    error = x.astype(jnp.float32) - images.astype(jnp.float32)
    error = jnp.abs(error) if self.error == 'l1' else error ** 2
    return Critique(jnp.mean(error, axis=(1, 2, 3)), code, {})
