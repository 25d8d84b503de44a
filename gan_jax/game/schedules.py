"""Schedules beside those of optax: step int32 [] -> float32 []."""

from collections.abc import Callable

import jax.numpy as jnp


def cosine(*, init_value: float, end_value: float,
           transition_steps: int) -> Callable:
  """Half a cosine from one value to another, up or down.

  init_value + (end_value - init_value) (1 - cos(pi t / transition_steps)) / 2,
  and end_value from t = transition_steps on: R3GAN's (Huang et al. 2024,
  arXiv:2501.05441). Raises ValueError for no steps.
  """
  if not transition_steps > 0:
    raise ValueError(f'transition_steps {transition_steps} must be above 0')

  def schedule(step):
    share = jnp.minimum(jnp.asarray(step, jnp.float32) / transition_steps, 1.0)
    done = 0.5 * (1.0 - jnp.cos(jnp.pi * share))
    return init_value + (end_value - init_value) * done

  return schedule


def half_life(*, init_value: float, end_value: float,
              transition_steps: int) -> Callable:
  """EMA decay 0.5^(1/h) whose half-life h follows a `cosine`.

  For `ema_decay`, as in StyleGAN2 (Karras et al. 2020, arXiv:1912.04958) and
  R3GAN. As a string, '10000 examples', a half-life is in images.

  Raises:
    ValueError: no steps, or a negative half-life.
  """
  if min(init_value, end_value) < 0:
    raise ValueError(f'half-lives {init_value} and {end_value} must not be '
                     'negative')
  steps = cosine(init_value=init_value, end_value=end_value,
                 transition_steps=transition_steps)
  return lambda step: 0.5 ** (1.0 / jnp.maximum(steps(step), 1e-8))
