"""Fields, inputs and outputs that the networks share."""

import math
from functools import partial
from typing import Any

import jax.numpy as jnp
from flax import linen as nn

from gan_jax.base import examples
from gan_jax.models import Posterior, batch_layers, layers, norms


class Player(nn.Module, kw_only=True):
  """What every network of this package has.

  num_classes: number of classes, or of numbers in a label vector; 0 for data
    without labels.
  dtype: of the arithmetic.
  """

  num_classes: int
  dtype: Any = jnp.float32

  def check_kind(self, shape, *kinds: str):
    """Raises ValueError if examples of `shape` are of none of the kinds.

    kinds: of `base.examples.KINDS`; images by default.
    """
    kind, kinds = examples.kind_of(shape), kinds or ('images',)
    if kind not in kinds:
      player = type(self).__name__
      module = type(self).__module__.rpartition('.')[2]
      other = 'mlp' if kind == 'vectors' else 'dcgan'
      wanted = ', '.join(kinds[:-1]) + ' or ' * (len(kinds) > 1) + kinds[-1]
      raise ValueError(
          f'{module}.{player} needs {wanted}, the data are {kind} '
          f'{list(shape)}; use {player.lower()}={other}.{player}')


class Absent(Player):
  """A network that a run does not have; `as_model` makes None of it."""

  absent = True


def sides(shape: tuple[int, ...]) -> list[int]:
  """Sides of feature maps that double from 4 px to examples [H, W, C].

  Raises:
    ValueError: not a square of 2^n px, 8 or more.
  """
  height, width = shape[:2]
  if height != width or height < 8 or height & (height - 1):
    side = max(8, 2 ** math.ceil(math.log2(max(height, width))))
    raise ValueError(
        f'this network is for square images of 8, 16, 32, 64, ... px, not '
        f'{height}x{width}; use data.pad=({side},{side}), or data.resize')
  return [2 ** i for i in range(2, int(math.log2(height)) + 1)]


class Pyramid(Player, kw_only=True):
  """Networks of square images of 2^n px, between which and 4 px they double.

  width, max_width: channels at the image, doubled by each halving, and at most.
  """

  width: int
  max_width: int
  conditioning: str = 'none'

  def channels(self, shape) -> dict[int, int]:
    """{side: channels} from 4 px to examples [H, W, C]; ValueError if none."""
    self.check_kind(shape)
    return {side: min(self.width * shape[0] // side, self.max_width)
            for side in sides(shape)}

  def classes(self) -> int:
    """Number of classes of a conditional network, 0 of others.

    Raises:
      ValueError: it is conditional, and the data have no labels.
    """
    if self.conditioning == 'none':
      return 0
    layers.check_labels(self.num_classes, f'conditioning {self.conditioning!r}',
                        "conditioning='none'")
    return self.num_classes


class PyramidGenerator(Pyramid, kw_only=True):
  """Such generators, whose last layer is linear."""

  image_shape: tuple[int, ...]
  image_range: tuple[float, float]

  def scaled(self, images):
    """Brings images around [-1, 1] to `image_range`."""
    low, high = self.image_range
    return (images + 1.0) * (0.5 * (high - low)) + low


class Network(Player, kw_only=True):
  """Fields of the networks whose layers a config chooses.

  activation, leak: of the hidden layers; the slope of 'leaky_relu'.
  norm, norm_momentum: normalisation of the hidden layers, see `norms.Norm`.
  weight_norm: reparametrisation of all kernels, see `layers.Weighted`.
  conditioning: how the label, a class int32 [B] or a label vector float32 [B,
    num_classes], enters: 'none', 'onehot' (the label vector itself) or
    'embedding' (of `embed_dim`) joined to the input, 'projection' at a
    discriminator's end.
  axis_name: device axis of batch norm.
  """

  activation: layers.ActivationName = 'relu'
  leak: float = 0.2
  norm: norms.AnyNorm = 'none'
  norm_momentum: float = 0.9
  weight_norm: layers.WeightNormName = 'none'
  conditioning: layers.Conditioning = 'none'
  embed_dim: int = 32
  axis_name: str | None = None

  def arithmetic(self) -> dict:
    """Arguments of all layers with a kernel."""
    return dict(weight_norm=self.weight_norm, dtype=self.dtype)

  def norms(self, train: bool, **kwargs):
    """Makes a norm by name, with the settings of the network."""
    return partial(norms.Norm, train=train, momentum=self.norm_momentum,
                   axis_name=self.axis_name, **self.arithmetic(), **kwargs)

  def act(self, x):
    """The activation."""
    return layers.activation(self.activation, self.leak)(x)

  def join_label(self, x, label):
    """Joins the label's code to the input, if `conditioning` says so."""
    return layers.LabelCode(self.conditioning, self.num_classes,
                            self.embed_dim)(x.astype(self.dtype), label)


class AnyGenerator(Network, kw_only=True):
  """Fields of every generator.

  image_shape, image_range: of the data.
  norm: may be conditional: 'conditional_batch' uses the label;
    'self_modulation', 'adain' and a user's norm with `cond` use z, with the
    label's code.
  """

  image_shape: tuple[int, ...]
  image_range: tuple[float, float]

  def enter(self, z, label):
    """Returns the input (z with the label's code), and the input of the norms.

    Raises:
      ValueError: a conditioning of discriminators, or no labels.
    """
    if self.conditioning == 'projection':
      raise ValueError(
          "conditioning 'projection' compares the label with features, which "
          "only a discriminator has; a generator takes 'onehot', 'embedding', "
          "or norm='conditional_batch'")
    x = self.join_label(z, label)
    if self.norm == 'conditional_batch':
      layers.check_labels(self.num_classes, "norm 'conditional_batch'",
                          "norm='batch', norm='self_modulation'")
      return x, layers.label_code(label, self.num_classes).astype(self.dtype)
    return x, x if norms.conditional(self.norm) else None


class AnyEncoder(Network, kw_only=True):
  """Fields of every encoder.

  Examples [B, ...] and label -> `models.Posterior`, the normal distribution
  q(z | x) over latents (Kingma & Welling 2014, arXiv:1312.6114, eq. 9).

  latent_size: of z.
  norm: without running averages, as a pass leaves no statistics.
  """

  latent_size: int

  def enter(self, images, label):
    """Returns images with the label's code; ValueError for norms of batches."""
    if self.norm in norms.OF_BATCHES or norms.conditional(self.norm):
      raise ValueError(
          f'norm {self.norm!r} keeps running averages, or needs z, and an '
          "encoder has neither; use 'none', 'layer', 'group' or 'instance'")
    return self.join_label(images, label)

  def answer(self, x, **kwargs):
    """The last layer, in float32: features [B, ...] -> Posterior."""
    x = layers.Dense(2 * self.latent_size, weight_norm=self.weight_norm,
                     **kwargs)(x.reshape(x.shape[0], -1))
    return Posterior(*jnp.split(x, 2, axis=-1))


class AnyDiscriminator(Network, kw_only=True):
  """Fields of every discriminator.

  minibatch: 'std' or 'discrimination', on the last layer's features, see
    `batch_layers.minibatch_std`.
  heads: (name, size) of further outputs, see `layers.Heads`; from the
    penalties.
  autoencoder: whether the logits are reconstruction errors.
  """

  minibatch: batch_layers.MinibatchName = 'none'
  heads: tuple[tuple[str, int], ...] = ()
  autoencoder = False

  def enter(self, images, label):
    """Returns images with the label's code; ValueError for G's norms."""
    if norms.conditional(self.norm):
      raise ValueError(f'norm {self.norm!r} is for generators: ' + (
          'a discriminator takes the label by '
          "conditioning='projection', 'onehot' or 'embedding'"
          if self.norm == 'conditional_batch' else
          'it is conditioned on z, which real images have none of; use '
          "'none', 'layer' or 'batch'"))
    return self.join_label(images, label)

  def judge(self, x, label, **kwargs):
    """The last layers: [B, ...] -> Critique; `kwargs` go to them."""
    x = batch_layers.Minibatch(self.minibatch, **self.arithmetic())(x)
    return self.answer(x.reshape(x.shape[0], -1), label, **kwargs)

  def answer(self, features, label, logits=None, **kwargs):
    """`judge` without the minibatch layer, of features [B, F]."""
    return layers.Heads(
        num_classes=self.num_classes, conditioning=self.conditioning,
        heads=self.heads, weight_norm=self.weight_norm, **kwargs)(
            features, label, logits)
