"""Choices by name, and the two ends of a network."""

from collections.abc import Callable
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
from flax import linen as nn

# The values that a field of a network may have: a config is checked by them.
ActivationName = Literal['relu', 'leaky_relu', 'tanh', 'sigmoid', 'elu', 'gelu',
                         'silu']


def one_of(value: str, known: Any, what: str) -> str:
  """Returns `value`, or raises a ValueError that lists the Literal `known`."""
  if value not in get_args(known):
    raise ValueError(
        f'{what} {value!r} is not one of {", ".join(get_args(known))}')
  return value


def activation(name: str, leak: float) -> Callable:
  """The activation of a name; `leak` is the slope of leaky_relu below 0."""
  one_of(name, ActivationName, 'activation')
  if name == 'leaky_relu':
    return lambda x: nn.leaky_relu(x, leak)
  return getattr(nn, name)


def check_images(shape: tuple[int, ...], name: str) -> None:
  """Raises a ValueError where examples of `shape` are not images [H, W, C]."""
  if len(shape) != 3:
    player = name.split('.')[-1]
    raise ValueError(f'{name} needs images [H, W, C], the data are vectors '
                     f'{list(shape)}; use {player.lower()}=mlp.{player}')


def squash(x, image_range):
  """Maps the last layer to images: tanh for (-1, 1), sigmoid for (0, 1)."""
  x = x.astype(jnp.float32)
  return jnp.tanh(x) if tuple(image_range) == (-1.0, 1.0) else nn.sigmoid(x)


def normal_around_one(std: float) -> Callable:
  """N(1, std^2), DCGAN's start of the scale of a normalisation."""
  def init(key, shape, dtype=jnp.float32):
    return 1.0 + std * jax.random.normal(key, shape, dtype)

  return init
