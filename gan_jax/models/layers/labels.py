"""Where labels enter a network, and what leaves a discriminator."""

from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
from flax import linen as nn

from gan_jax.models import Critique
from gan_jax.models.layers.choices import one_of
from gan_jax.models.layers.weights import Dense, WeightNormName

Conditioning = Literal['none', 'onehot', 'embedding', 'projection']


def check_labels(num_classes: int, who: str, instead: str) -> None:
  """Raises a ValueError where `who` needs labels and the data have none."""
  if num_classes < 1:
    raise ValueError(f'{who} needs labels, and the data have none; use '
                     f'{instead} or data with labels')


class LabelCode(nn.Module):
  """Labels [B] -> [B, num_classes] one-hot, or [B, embed_dim] learnt.

  Mirza & Osindero 2014, arXiv:1411.1784, concatenate it to the input.
  """

  conditioning: str
  num_classes: int
  embed_dim: int

  @nn.compact
  def __call__(self, label):
    check_labels(self.num_classes, f'conditioning {self.conditioning!r}',
                 "conditioning='none'")
    if self.conditioning == 'onehot':
      return jax.nn.one_hot(label, self.num_classes)
    return nn.Embed(self.num_classes, self.embed_dim)(label)


def concat_label(x, label, *, conditioning: str, num_classes: int,
                 embed_dim: int):
  """Concatenates the label's code to vectors [B, D] or images [B, H, W, C].

  'projection' enters at the other end, in `Heads`.
  """
  one_of(conditioning, Conditioning, 'conditioning')
  if conditioning in ('none', 'projection'):
    return x
  code = LabelCode(conditioning, num_classes, embed_dim)(label)
  code = code.reshape(code.shape[:1] + (1,) * (x.ndim - 2) + code.shape[1:])
  code = jnp.broadcast_to(code, x.shape[:-1] + code.shape[-1:])
  return jnp.concatenate([x, code.astype(x.dtype)], axis=-1)


class Heads(nn.Module):
  """Features [B, F] and labels [B] -> Critique, the end of a discriminator.

  logits = <w, features> + b; with the conditioning 'projection' also
  + <e_label, features>, e [num_classes, F] learnt. Miyato & Koyama 2018,
  https://arxiv.org/abs/1802.05637, eq. 3.

  All of it is float32, whatever the dtype of the features.

  heads: (name, size) of what a loss asks for beside the logits: linear layers
    of the features, {name: [B, size]}. ('proxies', size) is a learnt vector per
    class instead, [num_classes, size].
  """

  num_classes: int = 0
  conditioning: Conditioning = 'none'
  heads: tuple[tuple[str, int], ...] = ()
  kernel_init: Callable = nn.initializers.lecun_normal()
  weight_norm: WeightNormName = 'none'

  @nn.compact
  def __call__(self, features, label):
    def linear(size, name, x=features, bias=True):
      # In float32: bfloat16 would round a logit to three digits.
      return Dense(size, bias=bias, kernel_init=self.kernel_init, name=name,
                   weight_norm=self.weight_norm)(x)

    logits = linear(1, 'logits')[:, 0]
    if self.conditioning == 'projection':
      check_labels(self.num_classes, "conditioning 'projection'",
                   "conditioning='none'")
      # A linear layer of the one-hot label is a table with weight_norm.
      embedded = linear(features.shape[-1], 'projection',
                        jax.nn.one_hot(label, self.num_classes), bias=False)
      logits += jnp.sum(embedded * features.astype(jnp.float32), axis=-1)
    out = {}
    for name, size in self.heads:
      if name in ('logits', 'projection') or name in out:
        raise ValueError(f'a head cannot be named {name!r}: it is taken')
      out[name] = (self._proxies(size) if name == 'proxies'
                   else linear(size, name))
    return Critique(logits, features, out)

  def _proxies(self, size):
    check_labels(self.num_classes, "the head 'proxies'", 'another loss')
    return self.param('proxies', nn.initializers.normal(1.0),
                      (self.num_classes, size))
