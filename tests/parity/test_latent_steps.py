"""The step of z of LOGAN: latents, their cost, what flows through both.

Gradients are by the weights of a generator and of a critic of one hidden layer.
"""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
from beside import by_jax, by_torch, check, draw
from peers import STUDIOGAN, load

from gan_jax.game import latent_steps, terms
from gan_jax.models import Critique

N, Z = 8, 6
# Within the bound of 1, and beyond it after the step: some are clipped.
LATENTS = 0.6 * draw(0, N, Z)
A, W, V = draw(1, Z, 12), 0.5 * draw(2, 12, 9), draw(3, 9)


def test_natural():
  import torch
  module = load(STUDIOGAN, 'utils.losses')

  def wanted(a, w, v):
    z, cost = module.latent_optimise(
        torch.tensor(LATENTS), None, lambda z, labels, eval: (z @ a).tanh(),
        lambda x, labels, eval: {'adv_output': (x @ w).tanh() @ v}, N,
        lo_rate=1.0, lo_steps=2, lo_alpha=0.9, lo_beta=0.1, eval=False,
        cal_trsp_cost=True, device='cpu')
    return torch.cat([z.reshape(-1), cost[None]])

  def disc(params, stats, images, label, *, train, keys):
    w, v = params
    return Critique(jnp.tanh(images @ w) @ v, None, {}), stats

  game = SimpleNamespace(
      disc=SimpleNamespace(apply=disc), packing=1, joint='none', judge=None,
      penalties=(), gradient_normalization=False,
      loss=SimpleNamespace(needs=''),
      latent_steps=(latent_steps.natural(
          damping=0.1, share=1.0, weight=1.0),))
  keys = jax.random.split(jax.random.key(0), N)

  def found(a, w, v):
    z, cost, _ = terms.optimised(
        game, (w, v), {}, lambda z: jnp.tanh(z @ a), jnp.asarray(LATENTS),
        jnp.zeros(N, jnp.int32), keys)
    return jnp.append(z.ravel(), cost)

  check('game.latent_steps.natural', STUDIOGAN,
        'src/utils/losses.py: latent_optimise', by_jax(found, A, W, V),
        by_torch(wanted, A, W, V), remark='all latents, one step; '
        'the mean squared step too')
