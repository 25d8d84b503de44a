"""Sampling from a generator."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax import random

from gan_jax.game.state import Average
from gan_jax.models import Model, layers
from gan_jax.ops.keys import per_example


def generate(gen: Model, average: Average, z, label, psi=None, noise=None):
  """Generates images [B, H, W, C] of z [B, Z] and label [B], in eval mode.

  psi [B], for a generator with a style space: styles w become mean + psi (w -
  mean), of which 1 changes nothing and 0 makes the mean image (Karras et al.
  2019, https://arxiv.org/abs/1812.04948, appendix B).

  noise [B, size], for a generator that may be given it: not `noise_of` z.
  """
  params, stats = average.params, average.stats
  if psi is None:
    return gen.apply(params, stats, z, label, train=False, keys=noise)[0]
  w = gen.styles.mapping(params, stats, z, label)
  mean = gen.styles.mean(stats)[None, None]
  return gen.styles.synthesis(
      params, stats, mean + psi[:, None, None] * (w - mean),
      keys=layers.keys_of(z) if noise is None else noise)


def noise_of(gen: Model, z):
  """The noise [B, size] that follows from z [B, Z], None of others."""
  return gen.noise and layers.noise(gen.noise(), layers.keys_of(z))


def standing(gen: Model, average: Average, z, label, axis_name: str):
  """The average, with the moments of these batches in its batch norms.

  Standing statistics (Brock et al. 2019, arXiv:1809.11096, C.1):
  running averages lag behind the weights, and those of averaged weights are of
  other weights. Means and variances are averaged over the batches, as in
  PyTorch-StudioGAN, whose batches have random sizes.

  Args:
    gen: the generator.
    average: its weights and statistics.
    z: [N, B, Z], N batches.
    label: [N, B] or [N, B, L].
    axis_name: device axis of its batch norms.
  """
  kept = average.stats.get('batch_stats')
  if kept is None:
    return average

  def after(start, z, label):
    stats = {**average.stats, 'batch_stats': start}
    _, new = gen.apply(average.params, stats, z, label, train=True,
                       keys=layers.keys_of(z))
    return new['batch_stats']

  def moments(batch):
    # A running average r becomes m r + (1 - m) x; two starts tell m and x.
    zero = after(jax.tree.map(jnp.zeros_like, kept), *batch)
    start = jax.tree.map(lambda x: 1.0 + jnp.abs(x), zero)
    other = after(start, *batch)
    return jax.tree.map(lambda a, b, s: a / (1.0 - (b - a) / s), zero, other,
                        start)

  # The axis has one device here, for all of the batch.
  found = jax.lax.map(jax.vmap(moments, axis_name=axis_name),
                      (z[:, None], label[:, None]))
  found = jax.tree.map(lambda x: x.mean((0, 1)), found)
  return average.replace(stats={**average.stats, 'batch_stats': found})


def latent_shape(latent: Callable) -> tuple[int, ...]:
  """Shape of one z of a prior; ValueError if z is not [B, Z]."""
  keys = jax.eval_shape(lambda: random.split(random.key(0), 3))
  z = jax.eval_shape(latent, keys)
  if getattr(z, 'ndim', 0) != 2 or len(z) != len(keys):
    raise ValueError(f'a prior must make z [B, Z] of keys [B], not {z}')
  return z.shape[1:]


def latents(latent, key, count: int, start=0):
  """Latents [count, Z] of a prior at positions start, start + 1, ...

  Each depends on its position only.
  """
  return latent(per_example(key, start + jnp.arange(count)))


def truncated(latent, key, count: int, bound: float):
  """Latents [count, Z], entries beyond `bound` resampled (truncation trick).

  Brock et al. 2019, arXiv:1809.11096, section 3.1. A prior that never falls
  within the bound is clipped in the end.

  Args:
    latent: the prior.
    key: PRNG key.
    count: number of latents.
    bound: largest |z_i|, 0.05 or more.

  Raises:
    ValueError: a smaller bound, for which resampling would take very long.
  """
  if not bound >= 0.05:  # NaN too.
    raise ValueError(f'truncation {bound} is not 0.05 or more')
  return _redrawn(latent, key, count, bound)


@partial(jax.jit, static_argnums=(0, 2))
def _redrawn(latent, key, count, bound):
  z = latents(latent, key, count)

  def outside(carry):
    # A prior of 0.05 or wider needs a few hundred rounds at most.
    return (carry[0] < 2000) & jnp.any(jnp.abs(carry[1]) > bound)

  def redraw(carry):
    round_, z = carry
    fresh = latents(latent, random.fold_in(key, -round_), count)
    return round_ + 1, jnp.where(jnp.abs(z) > bound, fresh, z)

  z = jax.lax.while_loop(outside, redraw, (1, z))[1]
  return jnp.clip(z, -bound, bound)


@partial(jax.jit, static_argnums=2)
def interpolate(start, end, steps: int):
  """Interpolates spherically between latents.  White 2016, arXiv:1609.04468.

  Args:
    start: [B, Z].
    end: [B, Z].
    steps: points of each path, both ends included, 2 or more.

  Returns:
    [B, steps, Z]; the norm goes linearly from that of start to that of end.
  """
  norm = jnp.linalg.norm(start, axis=-1), jnp.linalg.norm(end, axis=-1)
  cosine = jnp.sum(start * end, axis=-1) / (norm[0] * norm[1])
  angle = jnp.arccos(jnp.clip(cosine, -1.0, 1.0))[:, None, None]
  t = jnp.linspace(0.0, 1.0, steps)[None, :, None]
  sine = jnp.sin(angle)
  # Parallel latents: the limit is a straight line.
  flat = sine < 1e-6
  sine = jnp.where(flat, 1.0, sine)
  weights = (jnp.where(flat, 1.0 - t, jnp.sin((1.0 - t) * angle) / sine),
             jnp.where(flat, t, jnp.sin(t * angle) / sine))
  units = [x / n[:, None] for x, n in zip((start, end), norm, strict=True)]
  path = sum(w * u[:, None, :] for w, u in zip(weights, units, strict=True))
  length = norm[0][:, None, None] * (1.0 - t) + norm[1][:, None, None] * t
  return path * length
