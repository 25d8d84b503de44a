"""Networks for tables of numbers and categories."""

from typing import Literal

import jax.numpy as jnp
from flax import linen as nn

from gan_jax.models import Noise, base, layers, norms


class Generator(base.AnyGenerator, kw_only=True):
  """Rows of a table (CTGAN).  Xu et al. 2019, arXiv:1907.00503, section 4.4.

  z [B, Z] -> dense layers, each joined to its input -> vectors [B, D] of
  `row_blocks`: tanh of a number, the Gumbel softmax of a choice, softmax(
  (logits + noise) / temperature) (Jang et al. 2017, 1611.01144, eq. 2).

  The Gumbel noise is drawn anew in each pass of training, and follows from z
  when sampling: the same z gives the same row.

  Further fields: `base.AnyGenerator`.

  row_blocks: parts of a vector, ('number', 1) or ('choice', n); from the data.
  widths: units of the hidden layers.
  temperature: of the choices, above 0.
  """

  row_blocks: tuple[tuple[Literal['number', 'choice'], int], ...]
  widths: tuple[int, ...] = (256, 256)
  norm: norms.AnyNorm = 'batch'
  temperature: float = 0.2

  def input_noise(self) -> Noise:
    """For each entry of the vector, of which those of choices count."""
    return Noise('gumbel', sum(size for _, size in self.row_blocks))

  @nn.compact
  def __call__(self, z, label, *, train, keys=None):
    if not self.row_blocks:
      raise ValueError('table.Generator makes rows of a table, and the data '
                       'are none; use data=table, or generator=mlp.Generator')
    x, cond = self.enter(z, label)
    for width in self.widths:
      y = layers.Dense(width, bias=norms.shiftless(self.norm),
                       **self.arithmetic())(x)
      y = self.act(self.norms(train)(self.norm)(y, cond))
      x = jnp.concatenate([y, x], axis=-1)
    kind = self.input_noise()
    # In float32: numbers of a column would have three digits.
    x = layers.Dense(kind.size, weight_norm=self.weight_norm)(x)
    noise = layers.noise(kind, layers.keys_of(z) if keys is None else keys)
    out, start = [], 0
    for kind, size in self.row_blocks:
      part = slice(start, start + size)
      out.append(jnp.tanh(x[:, part]) if kind == 'number' else nn.softmax(
          (x[:, part] + noise[:, part]) / self.temperature))
      start += size
    return jnp.concatenate(out, axis=-1)
