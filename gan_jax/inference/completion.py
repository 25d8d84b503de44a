"""Missing parts of images, as a generator draws them.

Yeh et al. 2017, https://arxiv.org/abs/1607.07539: the latent whose image agrees
with what is known around the hole and looks real, and the hole filled with it.
"""

import jax.numpy as jnp
import numpy as np
from jax import nn
from jax.tree_util import Partial

from gan_jax.inference.inversion import search

_WINDOW = 7  # pixels, as in the paper


def weights(hole) -> np.ndarray:
  """How much each known pixel counts: more, the nearer it is to a hole.

  Eq. 3: the share of missing pixels in a window of 7 x 7 around it, and 0 in a
  hole. hole: bool [N, H, W], True where pixels are missing; float32 [N, H, W].
  """
  from scipy.ndimage import uniform_filter  # Slow to import.
  hole = np.asarray(hole)
  missing, inside = (
      uniform_filter(np.float64(x), (0, _WINDOW, _WINDOW), mode='constant')
      for x in (hole, np.ones((1, *hole.shape[1:]))))
  return np.where(hole, 0.0, missing / inside).astype(np.float32)


def complete(decode, logits, x, hole, label, key, *, size: int,
             realism: float = 0.003, **how):
  """Images whose holes a generator fills.

  Minimises sum W |G(z) - x| + realism log(1 - sigmoid(D(G(z)))), eq. 2, 4 and
  5, and blends the best G(z) into the hole. The paper descends from one random
  z in 1,500 steps; here see `search`.

  Args:
    decode: see `gan_jax.inference`.
    logits: a Partial (x [B, ...], label [B]) -> [B] of the discriminator, or
      None.
    x: [N, H, W, C]; what lies in holes is not looked at.
    hole: bool [N, H, W], True where pixels are missing.
    label: [N] or [N, L].
    key: PRNG key.
    size: Z.
    realism: lambda, 0.003 in the paper, whose images are in [-1, 1].
    **how: further arguments of `search`.

  Returns:
    (filled, found), numpy [N, H, W, C]: the blended images, and G(z).
  """
  weight = 2.0 * weights(hole)  # [0, 1] is half as wide as theirs.
  target = jnp.where(hole[..., None], 0.0, x), jnp.asarray(weight), label
  loss = Partial(_known) if logits is None else Partial(_real, logits, realism)
  _, _, found = search(decode, loss, target, label, key, size=size, **how)
  found = np.asarray(found[:, 0])
  return np.stack([blend(*one) for one in zip(x, found, hole, strict=True)]
                  ), found


def _known(found, target):
  x, weight, _ = target
  return jnp.sum(weight[..., None] * jnp.abs(found - x))


def _real(logits, realism, found, target):
  logit = logits(found[None], target[2][None])[0]
  # log(1 - sigmoid(t)) = -softplus(t)
  return _known(found, target) - realism * nn.softplus(logit)


def blend(x, found, hole) -> np.ndarray:
  """Fills a hole with the gradients of another image.

  Poisson blending (Perez et al. 2003, https://doi.org/10.1145/882262.882269,
  eq. 7): in the hole the Laplacian is that of `found`, at its border the values
  are those of x; where it touches the image's border, nothing is prescribed. A
  hole that is the whole image becomes `found`.

  Args:
    x: [H, W, C].
    found: [H, W, C].
    hole: bool [H, W].

  Returns:
    [H, W, C] float32, in [0, 1].
  """
  from scipy import sparse
  from scipy.sparse import linalg  # Slow to import.
  hole = np.asarray(hole)
  if hole.all() or not hole.any():
    return np.asarray(found if hole.any() else x, np.float32)
  x, found = np.asarray(x, np.float64), np.asarray(found, np.float64)
  where = np.argwhere(hole)
  index = np.full(hole.shape, -1)
  index[hole] = np.arange(len(where))
  matrix = sparse.lil_matrix((len(where), len(where)))
  right = np.zeros((len(where), x.shape[2]))
  for step in ((0, 1), (1, 0), (0, -1), (-1, 0)):
    there = where + step
    inside = ((there >= 0) & (there < hole.shape)).all(1)
    rows, (i, j), (k, m) = np.flatnonzero(inside), where[inside].T, there[
        inside].T
    matrix[rows, rows] = matrix[rows, rows].toarray()[0] + 1.0
    right[rows] += found[i, j] - found[k, m]
    missing = hole[k, m]
    matrix[rows[missing], index[k, m][missing]] = -1.0
    right[rows[~missing]] += x[k, m][~missing]
  filled = linalg.spsolve(matrix.tocsc(), right).reshape(right.shape)
  out = x.copy()
  out[hole] = filled.clip(0.0, 1.0)
  return out.astype(np.float32)
