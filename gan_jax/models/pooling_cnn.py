"""A classical discriminator: convolution, ReLU, max-pooling."""

from flax import linen as nn

from gan_jax.models import base, layers, norms


class Discriminator(base.AnyDiscriminator, kw_only=True):
  """Convolutions with max-pooling, as in classifiers.

  Images -> (conv, activation, 2x2 max-pool) per width -> dense -> Critique.

  Further fields: `base.AnyDiscriminator`.

  widths, kernel: channels and side of the convolutions, stride 1.
  activation, leak: 'relu' or 'leaky_relu' with a slope of 0.01.
  dense: units of the hidden dense layer.
  norm: after every convolution but the first.
  conditioning: 'onehot' and 'embedding' are joined as further channels.
  """

  widths: tuple[int, ...] = (32, 64)
  kernel: int = 5
  activation: layers.ActivationName = 'leaky_relu'
  leak: float = 0.01
  dense: int = 256

  @nn.compact
  def __call__(self, images, label, *, train):
    self.check_kind(images.shape[1:])
    x = self.enter(images, label)
    for i, width in enumerate(self.widths):
      name = self.norm if i else 'none'
      x = layers.Conv(width, size=self.kernel, bias=norms.shiftless(name),
                      **self.arithmetic())(x)
      x = layers.max_pool(self.act(self.norms(train)(name)(x)))
    x = layers.Dense(self.dense, **self.arithmetic())(
        x.reshape(x.shape[0], -1))
    return self.judge(self.act(x), label)
