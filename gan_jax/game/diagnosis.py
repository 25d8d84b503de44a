"""Logged scalars: those of every step, and what `diagnose` measures of rows."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from gan_jax.game import terms
from gan_jax.game.state import TrainState
from gan_jax.ops.keys import per_example

_TINY = 1e-12  # in the denominator of ratios
_ROWS = 16


class Examples(NamedTuple):
  """image [B, H, W, C] in the generator's range or [B, D], label [B] int32."""

  image: Any
  label: Any


def disc_scalars(game, loss, real_out, fake_out):
  """Logged scalars of the discriminator's outputs."""
  real, fake = (terms.realness(game, out) for out in (real_out, fake_out))
  return {
      'loss/disc': loss,
      'logits/real': jnp.mean(real),
      'logits/fake': jnp.mean(fake),
      'prob/real': jnp.mean(jax.nn.sigmoid(real)),
      'prob/fake': jnp.mean(jax.nn.sigmoid(fake)),
      'sign/real': jnp.mean(jnp.sign(real).astype(jnp.float32)),
  }


def update_scalars(player: str, before, after, grads):
  """|grads|, and |change of params| / |params|, of an update.

  The ratio is of every 16th row of the kernels: reading all weights takes most
  of an MLP's step on a CPU.
  """
  def some(tree):
    return [x if x.ndim < 2 else x.reshape(-1, x.shape[-1])[::_ROWS]
            for x in jax.tree.leaves(tree)]

  size = optax.tree.norm(some(before))
  change = optax.tree.norm(jax.tree.map(jnp.subtract, some(after),
                                        some(before)))
  return {f'grad_norm/{player}': optax.tree.norm(grads),
          f'update_ratio/{player}': change / jnp.maximum(size, _TINY)}


def memory_scalars(memories) -> dict:
  """Scalar entries of the memories, for logging."""
  return {f'memory/{name}/{key}': value for name, memory in memories.items()
          for key, value in memory.items()
          if getattr(value, 'shape', None) == ()}


def step_scalars(disc, gen):
  """Scalars of both players, and the ratio of their gradient norms."""
  return disc | gen | {'grad_ratio': gen['grad_norm/gen'] / jnp.maximum(
      disc['grad_norm/disc'], _TINY)}


def diagnose(game, state: TrainState, real: Examples,
             held_out: Examples | None, key, *, image_range):
  """Computes diagnostics of a state on one batch of each kind of examples.

  The discriminator runs as in training: batch statistics of the batch,
  augmentations on. The state is not changed.

  Args:
    game: the `Game`.
    state: after a step.
    real: training examples.
    held_out: as many held-out examples, or None.
    key: of latents and augmentations.
    image_range: (lo, hi) of images.

  Returns:
    {name: float32 []}, those of D if there is one. auc: how well D ranks real
    above generated examples; grad_x/*: mean |dD/dx|; pairwise/*: mean distance
    of two examples of a batch; saturation/* (images): share of values within
    0.5 % of the range from its ends; for held-out examples the means of D,
    sigmoid(D) and sign(D), and how much larger those of D and sign(D) are on
    `real`: overfitting (Karras et al. 2020, arXiv:2006.06676, section 3). D is
    `terms.realness`. sigma/* (with spectral norm): `largest_sigma`.
  """
  keys = per_example(key, jnp.arange(real.image.shape[0]))
  z = game.latent(terms.keys_for(keys, 'latent'))
  fake, _ = game.gen.apply(state.gen.params, state.gen.stats, z, real.label,
                           train=True, keys=terms.keys_for(keys, 'generator'))

  def judge(image, label, purpose='real'):
    """(logits [B], |dD/dx| [B]); of packs, B of them."""
    inputs = terms.inputs_of(game, (state.gen.params, state.gen.stats), image,
                             image, label, keys, z, state.step)

    def logits(images):
      return terms.realness(game, terms.critique(
          game, state.disc.params, state.disc.stats, state.aux, images,
          inputs, purpose)[0])

    out, slope = jax.vjp(logits, inputs.real)
    grad = slope(jnp.ones_like(out))[0].astype(jnp.float32)
    grad = grad.reshape(grad.shape[0], -1)
    return out.astype(jnp.float32), jnp.linalg.norm(grad, axis=1)

  found = _of_disc(judge, real, fake, held_out) if game.disc else {}
  for name, image in (('real', real.image), ('fake', fake)):
    image = image.astype(jnp.float32)
    found[f'pairwise/{name}'] = pairwise_distance(image)
    if image.ndim == 4:
      found[f'saturation/{name}'] = saturation(image, image_range)
  for name, player in (('disc', state.disc), ('gen', state.gen)):
    if (sigma := largest_sigma(player.stats)) is not None:
      found[f'sigma/{name}'] = sigma
  return found


def _of_disc(judge, real, fake, held_out):
  """What D makes of the examples; `judge` as in `diagnose`."""
  logits, slope = judge(*real)
  answers, fake_slope = judge(fake, real.label, 'fake')
  found = {'grad_x/real': jnp.mean(slope), 'grad_x/fake': jnp.mean(fake_slope),
           'auc': auc(logits, answers)}
  if held_out is None:
    return found
  other = judge(*held_out)[0]
  sign = jnp.mean(jnp.sign(other))
  return found | {'logits/held_out': jnp.mean(other),
                  'prob/held_out': jnp.mean(jax.nn.sigmoid(other)),
                  'sign/held_out': sign,
                  'gap/logits': jnp.mean(logits) - jnp.mean(other),
                  'gap/sign': jnp.mean(jnp.sign(logits)) - sign}


def largest_sigma(stats):
  """Largest singular value of a network's kernels, None without spectral norm.

  As estimated in the last training forward pass. The generator's explodes when
  training collapses: Brock et al. 2019, arXiv:1809.11096, section 4.1.
  """
  # A user's network may keep other things there.
  sigmas = [leaf for path, leaf in jax.tree_util.tree_leaves_with_path(
      stats.get('spectral')) if path[-1:] == (jax.tree_util.DictKey('sigma'),)]
  return jnp.max(jnp.stack(sigmas)) if sigmas else None


def auc(high, low):
  """P(high > low) of two batches of numbers [B]; ties count half."""
  return 0.5 + 0.5 * jnp.mean(jnp.sign(high[:, None] - low[None, :]))


def pairwise_distance(examples):
  """Mean Euclidean distance of two different examples of a batch [B, ...]."""
  x = examples.reshape(examples.shape[0], -1)
  x -= jnp.mean(x, axis=0, keepdims=True)  # Reduces rounding errors.
  square = jnp.sum(x ** 2, axis=1)
  product = jnp.matmul(x, x.T, precision='highest')
  distance = jnp.sqrt(jnp.maximum(
      square[:, None] + square[None, :] - 2.0 * product, 0.0))
  count = x.shape[0]
  distance *= 1.0 - jnp.eye(count)  # Rounding leaves the diagonal above 0.
  return jnp.sum(distance) / max(count * (count - 1), 1)


def saturation(images, image_range):
  """Share of values within 0.5 % of the range (lo, hi) from lo or hi."""
  low, high = image_range
  edge = 0.005 * (high - low)
  return jnp.mean((images < low + edge) | (images > high - edge),
                  dtype=jnp.float32)
