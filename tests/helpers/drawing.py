"""Networks of one's own that draw: noise in one, dropout in the other."""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import random

from gan_jax.models import Critique, layers


class Generator(nn.Module):
  """A layer of z with noise of its own strength."""

  image_shape: tuple

  @nn.compact
  def __call__(self, z, label, *, train, keys=None):
    x = nn.relu(nn.Dense(8)(z))
    keys = layers.keys_of(z) if keys is None else keys
    noise = jax.vmap(lambda key: random.normal(key, x.shape[1:]))(keys)
    x += noise * self.param('strength', nn.initializers.constant(0.5), ())
    height, width, channels = self.image_shape
    x = nn.Dense(height * width * channels)(x)
    return jnp.tanh(x).reshape(-1, *self.image_shape)


class Discriminator(nn.Module):
  """Dropout of the pixels."""

  @nn.compact
  def __call__(self, images, label, *, train, keys):
    x = images.reshape(images.shape[0], -1)
    if keys is not None:
      kept = jax.vmap(lambda key: random.bernoulli(key, 0.5, x.shape[1:]))(keys)
      x *= 2.0 * kept
    x = nn.tanh(nn.Dense(8)(x))
    return Critique(nn.Dense(1)(x)[:, 0], x, {})


# Of a config.
PAIR = dict(generator=dict(name='drawing:Generator'),
            discriminator=dict(name='drawing:Discriminator'))
