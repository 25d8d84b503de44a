"""Multi-layer perceptrons, for examples of any kind."""

import math

import jax
from flax import linen as nn
from jax import random

from gan_jax.models import base, layers


class Generator(base.AnyGenerator, kw_only=True):
  """Multi-layer perceptron.  Goodfellow et al. 2014, arXiv:1406.2661.

  z [B, Z] -> dense layers -> signals [B, T, C], images [B, H, W, C] or volumes
  [B, D, H, W, C] in `image_range`, or vectors [B, D] from a linear last layer.

  Further fields: `base.AnyGenerator`.

  widths: units of the hidden layers.
  activation, norm: after each of them, in this order, as in the Keras recipe.
  first_std: if not 0, the first layer starts from normal(0, first_std); all
    others from Glorot's uniform.
  """

  widths: tuple[int, ...] = (128, 256, 512)
  activation: layers.ActivationName = 'leaky_relu'
  norm_momentum: float = 0.8
  first_std: float = 0.0

  @nn.compact
  def __call__(self, z, label, *, train):
    x, cond = self.enter(z, label)
    x = _hidden(self, x, cond, train)
    # In float32, as all last layers of numbers: bfloat16 has three digits.
    x = layers.Dense(math.prod(self.image_shape), kernel_init=_init(
        len(self.widths), self.first_std), weight_norm=self.weight_norm)(x)
    if len(self.image_shape) > 1:
      x = layers.squash(x, self.image_range)
    return x.reshape(x.shape[0], *self.image_shape)


class Discriminator(base.AnyDiscriminator, kw_only=True):
  """Multi-layer perceptron.  Goodfellow et al. 2014, arXiv:1406.2661.

  Examples [B, ...] -> dense layers -> Critique. Fields: of the generator and of
  `base.AnyDiscriminator`; the label joins the flat example.

  noise: deviation of the normal noise on the output of each hidden layer while
    training, as in the code of Salimans et al. 2016, arXiv:1606.03498; the
    features of terms are those without it. `instance_noise` puts it on images.
  """

  widths: tuple[int, ...] = (512, 256, 128)
  activation: layers.ActivationName = 'leaky_relu'
  norm_momentum: float = 0.8
  first_std: float = 0.0
  noise: float = 0.0

  @nn.compact
  def __call__(self, images, label, *, train, keys=None):
    x = self.enter(images.reshape(images.shape[0], -1), label)
    x = _hidden(self, x, None, train, keys)
    out = self.judge(_noisy(self, x, len(self.widths), keys), label,
                     kernel_init=_init(len(self.widths), self.first_std))
    return out._replace(features=x) if self.noise else out


class Encoder(base.AnyEncoder, kw_only=True):
  """Multi-layer perceptron.  Kingma & Welling 2014, arXiv:1312.6114, C.

  Examples [B, ...] -> dense layers -> Posterior. Fields: of the generator and
  of `base.AnyEncoder`; the label joins the flat example.
  """

  widths: tuple[int, ...] = (512, 256)
  activation: layers.ActivationName = 'leaky_relu'
  first_std: float = 0.0

  @nn.compact
  def __call__(self, images, label, *, train):
    x = self.enter(images.reshape(images.shape[0], -1), label)
    return self.answer(_hidden(self, x, None, train))


def _hidden(network, x, cond, train, keys=None):
  norm = network.norms(train)
  for i, width in enumerate(network.widths):
    x = _noisy(network, x, i, keys) if i else x
    x = network.act(layers.Dense(width, kernel_init=_init(
        i, network.first_std), **network.arithmetic())(x))
    x = norm(network.norm)(x, cond)
  return x


def _noisy(network, x, layer, keys):
  """Adds normal noise of the network's deviation to x [B, F], by keys [B]."""
  std = getattr(network, 'noise', 0.0)
  if not std or keys is None:
    return x
  draw = jax.vmap(lambda key: random.normal(
      random.fold_in(key, layer), x.shape[1:]))
  return x + (std * draw(keys)).astype(x.dtype)


def _init(layer: int, first_std: float):
  if layer == 0 and first_std:
    return nn.initializers.normal(first_std)
  return nn.initializers.glorot_uniform()
