"""Normalisation layers by name."""

from typing import Any, Literal

import jax.numpy as jnp
from flax import linen as nn
from jax import lax, random

from gan_jax import parallel
from gan_jax.base import lookup
from gan_jax.models.layers import Dense, WeightNormName, one_of, spread

NormName = Literal['none', 'batch', 'layer', 'instance', 'group', 'pixel',
                   'virtual_batch', 'conditional_batch', 'self_modulation',
                   'adain']
# Those whose scale and shift come from a second input.
CONDITIONAL_NORMS = ('conditional_batch', 'self_modulation', 'adain')
# Those that keep moments of batches among the stats.
OF_BATCHES = ('batch', 'virtual_batch', 'conditional_batch', 'self_modulation')
# One of them, or one of the user's own.
AnyNorm = NormName | lookup.PlugIn
_EPSILON = 1e-5


def shiftless(name: str) -> bool:
  """Whether a layer keeps its bias, as its norm may have no shift."""
  return name in ('none', 'pixel') or ':' in name


def conditional(name: str) -> bool:
  """Whether a norm has a second input; a user's own declares `cond`."""
  if ':' in name:
    return 'cond' in lookup.parameters(lookup.find(__name__, name))
  return name in CONDITIONAL_NORMS


class Norm(nn.Module):
  """Normalisation by name, of examples [B, *space, C] or vectors [B, C].

  batch: over batch and space, of the whole batch across devices; the running
    averages have the decay `momentum` (Ioffe & Szegedy 2015, 1502.03167).
  layer: over all of an example but the batch (Ba et al. 2016, 1607.06450).
  instance: over space (Ulyanov et al. 2016, 1607.08022); over the features of a
    vector, which has no space.
  group: over space and groups of channels (Wu & He 2018, 1803.08494), 32 groups
    where that leaves 2 channels or more to each.
  pixel: x / sqrt(mean_c x^2 + 1e-8), nothing learnt (Karras et al. 2018,
    1710.10196, section 4.2).
  virtual_batch: by the moments of the first training batch, so that examples do
    not depend on each other (Salimans et al. 2016, 1606.03498).

  The following take `cond` [B, E]; scale = 1 + a linear function of it, shift =
  another:
  conditional_batch: batch norm (Dumoulin et al. 2017, 1610.07629); cond is the
    one-hot label or the label vector, or in biggan a shared embedding and a
    piece of z (Brock et al. 2019, 1809.11096).
  self_modulation: batch norm, cond is z behind a hidden layer of 32 units (Chen
    et al. 2019, 1810.01365).
  adain: instance norm, cond is z (Huang & Belongie 2017, 1703.06868; Karras et
    al. 2019, 1812.04948, eq. 1).

  'module:function' names a user's norm: a flax module, or a function that
  returns one, called with x. It gets those of train, dtype, axis_name, momentum
  and cond that it declares; cond is z (in biggan a piece of it), with the
  label's code by the generator's `conditioning`. Scales start from normal(1,
  `scale_std`).
  """

  name_of: str
  train: bool
  momentum: float = 0.9
  scale_std: float = 0.0
  axis_name: str | None = None
  weight_norm: WeightNormName = 'none'
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x, cond=None):
    name = self.name_of
    if cond is None and conditional(name):
      raise ValueError(f'norm {name!r} needs what it is conditioned on')
    if ':' in name:
      return self._own(x, cond)
    one_of(name, NormName, 'norm')
    if name == 'none':
      return x
    if name == 'pixel':
      square = jnp.mean(x.astype(jnp.float32) ** 2, axis=-1, keepdims=True)
      return (x * lax.rsqrt(square + 1e-8)).astype(self.dtype)
    y = self._standardise(name, x)
    return self._modulate(y, cond) if conditional(name) else y

  def _own(self, x, cond):
    norm = lookup.build(
        __name__, dict(name=self.name_of), train=self.train, dtype=self.dtype,
        momentum=self.momentum, axis_name=self.axis_name, cond=cond)
    y = norm(x)
    if y.shape != x.shape:
      raise ValueError(f'norm {self.name_of!r} makes {y.shape} of {x.shape}')
    return y.astype(self.dtype)

  def _standardise(self, name, x):
    def around_one(key, shape, dtype=jnp.float32):  # DCGAN's start of scales.
      return 1.0 + self.scale_std * random.normal(key, shape, dtype)

    learnt = not conditional(name)
    start = around_one if self.scale_std else nn.initializers.ones
    if name == 'virtual_batch':
      return VirtualBatchNorm(self.train, self.axis_name, start, self.dtype)(x)
    # The fast variance, E x^2 - (E x)^2, is 0 or noise for values around 1,000
    # of deviation 0.1; the other one costs 0 to 9 % of a norm's time on a CPU.
    args = dict(epsilon=_EPSILON, dtype=self.dtype, use_scale=learnt,
                use_bias=learnt, scale_init=start, use_fast_variance=False)
    if name in ('batch', 'conditional_batch', 'self_modulation'):
      return nn.BatchNorm(use_running_average=not self.train,
                          momentum=self.momentum, axis_name=self.axis_name,
                          **args)(x)
    if name == 'group':
      most = max(min(32, x.shape[-1] // 2), 1)
      groups = max(n for n in range(1, most + 1) if not x.shape[-1] % n)
      return nn.GroupNorm(groups, **args)(x)
    if name == 'layer' or x.ndim == 2:
      return nn.LayerNorm(reduction_axes=tuple(range(1, x.ndim)),
                          feature_axes=-1, **args)(x)
    return nn.InstanceNorm(feature_axes=-1, **args)(x)

  def _modulate(self, x, cond):
    """Scales by 1 + a(cond) and shifts by b(cond), a and b linear."""
    args = dict(weight_norm=self.weight_norm, dtype=self.dtype)
    if self.name_of == 'self_modulation':
      cond = nn.relu(Dense(32, name='hidden', **args)(cond))
    args |= dict(bias=self.name_of != 'conditional_batch',
                 kernel_init=nn.initializers.normal(0.02))
    shape = (x.shape[0],) + (1,) * (x.ndim - 2) + (x.shape[-1],)
    scale, shift = (Dense(x.shape[-1], name=name, **args)(cond).reshape(shape)
                    for name in ('scale', 'shift'))
    return x * spread(1 + scale, x) + spread(shift, x)


class VirtualBatchNorm(nn.Module):
  """Virtual batch norm.  Salimans et al. 2016, 1606.03498, section 3.5.

  An example is normalised by the moments of a reference batch of B examples,
  the first training batch, across devices, joined by its own with the weight
  1 / (B + 1). Departure: the moments stay those of the first step, where the
  paper runs the reference through the network in every step.

  The collection 'reference' holds `taken` (0 before the first training batch, 1
  after), and weight, mean and var times `taken`, so that they stay right
  under an exponential average.
  """

  train: bool
  axis_name: str | None = None
  scale_init: Any = nn.initializers.ones
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x):
    channels = x.shape[-1:]
    kept = [self.variable('reference', name, jnp.zeros, shape)
            for name, shape in (('taken', ()), ('weight', ()),
                                ('mean', channels), ('var', channels))]
    y = x.astype(jnp.float32)
    values = [variable.value for variable in kept]
    if self.train and not self.is_initializing():
      first = lax.stop_gradient(self._moments(y))
      values = [jnp.where(kept[0].value > 0, old, new)
                for old, new in zip(values, first, strict=True)]
      for variable, value in zip(kept, values, strict=True):
        variable.value = value
    scale = self.param('scale', self.scale_init, channels)
    shift = self.param('bias', nn.initializers.zeros, channels)
    shape = (1,) * (x.ndim - 1) + (-1,)
    taken, *values = values
    weight, ref_mean, ref_variance = (
        v.reshape(shape if v.ndim else ()) / jnp.maximum(taken, 1e-12)
        for v in values)
    # Without a reference, an example has only its own moments.
    weight = jnp.where(taken > 0, weight, 1.0)
    space = tuple(range(1, x.ndim - 1))
    own, own_variance = y, jnp.zeros(())
    if space:
      own = jnp.mean(y, space, keepdims=True)
      own_variance = jnp.mean((y - own) ** 2, space, keepdims=True)
    # Of the mixture. E x^2 - (E x)^2 would be noise for values far from 0.
    mean = (1 - weight) * ref_mean + weight * own
    variance = ((1 - weight) * ref_variance + weight * own_variance
                + weight * (1 - weight) * (own - ref_mean) ** 2)
    y = (y - mean) * lax.rsqrt(variance + _EPSILON)
    return (y * scale.reshape(shape) + shift.reshape(shape)).astype(self.dtype)

  def _moments(self, y):
    """Of a reference batch: what the collection holds, `taken` 1."""
    average, devices = parallel.along(self.axis_name)
    axes = tuple(range(y.ndim - 1))
    mean = average(jnp.mean(y, axes))
    var = average(jnp.mean((y - spread(mean, y)) ** 2, axes))
    return jnp.ones(()), jnp.float32(1 / (devices * len(y) + 1)), mean, var
