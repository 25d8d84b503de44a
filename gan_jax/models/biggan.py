"""BigGAN: `resnet` with z in pieces and the label in every norm.

The discriminator has a projection; the weights start orthogonal under spectral
norm. BigGAN for 128 px has width=96, max_width=1536 and attention=64.
"""

import jax.numpy as jnp
from flax import linen as nn

from gan_jax.models import layers, norms, resnet


class Generator(resnet.Generator, kw_only=True):
  """Residual network with z in pieces (BigGAN).  Brock et al. 2019, 1809.11096.

  Appendix B. z [B, Z] in n + 1 pieces: one for the first layer, and one for the
  norms of each of the n blocks, beside the shared embedding of the label with
  norm='conditional_batch'; the last norm is then batch norm. Fields:
  `resnet.Generator`.
  """

  width: int = 64
  max_width: int = 1024
  norm: norms.AnyNorm = 'conditional_batch'
  weight_norm: layers.WeightNormName = 'spectral'
  embed_dim: int = 128
  start = staticmethod(nn.initializers.orthogonal())

  def inputs(self, z, label, blocks):
    """The first piece, with the label by `conditioning`; then the others."""
    if z.shape[-1] <= blocks:
      raise ValueError(f'biggan.Generator cuts z into {blocks + 1} pieces, and '
                       f'z has {z.shape[-1]} numbers; use latent.size='
                       f'{20 * (blocks + 1)}')
    # The first piece takes what the others leave.
    cut = z.shape[-1] // (blocks + 1)
    first, *pieces = jnp.split(
        z.astype(self.dtype),
        [z.shape[-1] - i * cut for i in range(blocks, 0, -1)], axis=-1)
    x, _ = self.enter(first, label)
    if not norms.conditional(self.norm):
      return x, [None] * blocks
    if self.norm == 'conditional_batch':
      shared = layers.embedding(label, self.num_classes, self.embed_dim,
                                name='embedding').astype(self.dtype)
      pieces = [jnp.concatenate([shared, piece], -1) for piece in pieces]
    return x, pieces

  def last_norm(self, norm, x, conds):
    """Batch norm, if the blocks' norms are conditional."""
    return norm('batch' if norms.conditional(self.norm) else self.norm)(x)


class Discriminator(resnet.Discriminator, kw_only=True):
  """Residual network with a projection.  Brock et al. 2019, arXiv:1809.11096.

  Appendix B. Fields: `resnet.Discriminator`.
  """

  width: int = 64
  max_width: int = 1024
  to: int = 4
  flat_blocks: int = 1
  hidden: resnet.HiddenName = 'out'
  weight_norm: layers.WeightNormName = 'spectral'
  conditioning: layers.Conditioning = 'projection'
  start = staticmethod(nn.initializers.orthogonal())
