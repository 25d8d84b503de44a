"""Training state: everything that is checkpointed."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct


class Net(struct.PyTreeNode):
  """A network: parameters, running statistics, optimiser state."""

  params: Any
  stats: Any
  opt_state: Any


class Average(struct.PyTreeNode):
  """The EMA generator: parameters and running statistics."""

  params: Any
  stats: Any


class TrainState(struct.PyTreeNode):
  """State of a run after `step` steps.

  It holds no key, function or optimiser: keys derive from the seed and the
  step, the rest from the config. `aux` holds the memories of losses,
  augmentations and terms (adaptive augmentation, averages of logits, ...).
  """

  step: jax.Array
  gen: Net
  disc: Net
  ema: Average
  aux: dict


# Axis of the members in the state of a population, as `jax.vmap` takes it. They
# are at the same step, so that what is due at a step is due for all of them.
MEMBERS = TrainState(step=None, gen=0, disc=0, ema=0, aux=0)


def stack(states) -> TrainState:
  """Joins the states of members, all at the same step, on the host."""
  step, states = states[0].step, [s.replace(step=None) for s in states]
  return jax.tree.map(lambda *x: np.stack(x), *states).replace(step=step)


def init_state(game, key, image, label) -> TrainState:
  """Makes the state before the first step.

  Args:
    game: a `game.rules.Game`.
    key: PRNG key.
    image: [B, H, W, C], for its shape only.
    label: [B] int32.

  Raises:
    ValueError: a network has no layer of a name that is frozen, or its stats
      are no dict.
  """
  gen_key, disc_key, z_key = jax.random.split(key, 3)
  z = game.latent(jax.random.split(z_key, image.shape[0]))
  packed = pack(image, game.packing)

  def net(player, model, optimizer, key, x, label):
    params, stats = model.init(key, x, label) if model else ({}, {})
    frozen = getattr(game, f'{player}_frozen')
    who = dict(gen='generator', disc='discriminator')[player]
    if not isinstance(stats, Mapping):
      raise ValueError(f'init of the {who} must return (params, stats), stats '
                       f'a dict, {{}} for none, and not {stats!r}')
    if frozen and (absent := {*frozen} - {*params}):
      raise ValueError(f'{player}_frozen names {sorted(absent)}; the layers of '
                       f'the {who} are {sorted(params)}')
    return Net(params, stats, optimizer.init(params))

  gen = net('gen', game.gen, game.gen_optimizer, gen_key, z, label)
  told = label[::game.packing] if game.joint == 'none' else z
  disc = net('disc', game.disc, game.disc_optimizer, disc_key, packed, told)
  # Copies: a donated buffer may not appear twice in the state.
  ema = jax.tree.map(jnp.copy, Average(gen.params, gen.stats))
  memory = jax.tree.map(jnp.float32, game.memory(gen.params, disc.params))
  return TrainState(jnp.zeros((), jnp.int32), gen, disc, ema, aux=memory)


def pack(images, packing: int):
  """Joins neighbours as channels (PacGAN): [B, H, W, C] -> [B/m, H, W, mC].

  Lin et al. 2018, arXiv:1712.04086. Vectors [B, D] become [B/m, mD].
  """
  if packing == 1:
    return images
  batch, *space, channels = images.shape
  images = images.reshape(batch // packing, packing, *space, channels)
  return jnp.moveaxis(images, 1, -2).reshape(
      batch // packing, *space, packing * channels)


def unpack(images, packing: int):
  """Inverse of `pack`."""
  if packing == 1:
    return images
  batch, *space, channels = images.shape
  images = images.reshape(batch, *space, packing, channels // packing)
  return jnp.moveaxis(images, -2, 1).reshape(
      batch * packing, *space, channels // packing)
