"""Games of two numbers: eigenvalues of the update, by hand and as measured.

  python experiments/toy_games/toy_games.py

Dirac-GAN (Mescheder et al. 2018, https://arxiv.org/abs/1801.04406, section 2)
and the linear-quadratic GAN (Nagarajan & Kolter 2017,
https://arxiv.org/abs/1706.04156), played by the project's own step with SGD.
Writes results.jsonl and dirac.png.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
import optax

matplotlib.use('Agg')
from matplotlib import pyplot as plt  # noqa: E402  (after the backend)

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', '..'))
from gan_jax import augment, losses, penalties  # noqa: E402
from gan_jax.game.rules import Game  # noqa: E402
from gan_jax.game.state import init_state  # noqa: E402
from gan_jax.game.step import step_of  # noqa: E402
from gan_jax.models import Critique, Model  # noqa: E402
from gan_jax.parallel import Batch  # noqa: E402
from gan_jax.penalties import Term  # noqa: E402

RATE, STEPS_PLAYED = 0.2, 500  # of the authors' notebook
START = (1.0, 1.0)  # away from the equilibrium, in (theta, psi), as theirs


class Toy(NamedTuple):
  """A game of generator theta and discriminator psi.

  points: latents and real examples alike.
  generate, judge: G(z; theta), D(x; psi), of one coordinate.
  equilibrium: theta there; psi is 0.
  """

  points: np.ndarray
  generate: Callable
  judge: Callable
  equilibrium: float


# D(x) = psi x, the generator draws theta, the data are 0.
DIRAC = Toy(np.zeros(1), lambda z, theta: z + theta, lambda x, psi: psi * x,
            0.0)
# D(x) = psi x^2, G(z) = theta z. Four points with the moments of U(-1, 1) that
# the games see: E x^2 = 1/3 and E x^4 = 1/5.
_NODES = np.sqrt((1 + 2 / np.sqrt(5) * np.array([1, -1])) / 3)
QUADRATIC = Toy(np.concatenate([_NODES, -_NODES]), lambda z, theta: theta * z,
                lambda x, psi: psi * x ** 2, 1.0)


class Row(NamedTuple):
  """One row of the table: a game, and its vector field at the equilibrium.

  The Jacobian of the field, by (theta, psi), is [[0, pull], [-pull, -damping]]
  in all of these games; README.md works the numbers out.
  """

  toy: Toy
  loss: losses.Loss
  pull: float
  damping: float
  terms: tuple = ()
  changes: dict = {}
  copies: int = 1  # of the points in a batch


def term(name, weight):
  """A penalty of D, in every update."""
  return Term(name, getattr(penalties, name)(), weight, 1)


GAN, WGAN, PAIRS = (losses.minimax(), losses.wasserstein(),
                    losses.relativistic())
_NOISE = 0.7
# The root of the penalty, sqrt(psi^2 + eps), makes its kink at psi = 0 a steep
# hill: w (|psi| - 1)^2 has the damping 2 w (1 - 1 / sqrt(eps)). The authors'
# weight 0.7 is of (|psi| - 1) sign(psi), half the slope of the square.
_HILL = 2 * 0.35 * (1 - 1 / np.sqrt(1e-10))
# f(t) = -log(1 + exp(-t)) has f'(0) = 1/2 and f''(0) = -1/4; f(t) = t 1 and 0.
ROWS = {
    'GAN': Row(DIRAC, GAN, 0.5, 0.0),
    'non-saturating': Row(DIRAC, losses.non_saturating(), 0.5, 0.0),
    'WGAN': Row(DIRAC, WGAN, 1.0, 0.0),
    'WGAN clip': Row(DIRAC, WGAN, 1.0, 0.0, (), dict(disc_weight_clip=1.0)),
    'WGAN-GP': Row(DIRAC, WGAN, 1.0, _HILL, (term('wgan_gp', 0.35),)),
    'DRAGAN': Row(DIRAC, GAN, 0.5, _HILL, (term('dragan', 0.35),)),
    'instance noise': Row(
        DIRAC, GAN, 0.5, _NOISE ** 2 / 2, (),
        dict(augment=augment.instance_noise(std=_NOISE)), copies=1000),
    'R1': Row(DIRAC, GAN, 0.5, 0.3, (term('r1', 0.3),)),
    'R1 critical': Row(DIRAC, GAN, 0.5, 1.0, (term('r1', 1.0),)),
    'R2': Row(DIRAC, GAN, 0.5, 0.3, (term('r2', 0.3),)),
    'RpGAN': Row(DIRAC, PAIRS, 0.5, 0.0),
    'RpGAN R1 R2': Row(DIRAC, PAIRS, 0.5, 0.6, (term('r1', 0.3),
                                                term('r2', 0.3))),
    'LQ-GAN': Row(QUADRATIC, GAN, 1 / 3, 0.1),
    'LQ-WGAN': Row(QUADRATIC, WGAN, 2 / 3, 0.0),
    'LQ-WGAN R1': Row(QUADRATIC, WGAN, 2 / 3, 0.4, (term('r1', 0.3),)),
}
_PLOTTED = ('GAN', 'non-saturating', 'WGAN clip', 'WGAN-GP', 'instance noise',
            'R1', 'R1 critical', 'RpGAN R1 R2')
_UPDATES = ('simultaneous', 'alternating')


def play(row: Row, updates: str):
  """step(point, i) -> point: the project's step on (theta, psi) [2]."""
  points = jnp.tile(jnp.asarray(row.toy.points), row.copies)[:, None]

  def model(function, name):
    def apply(params, stats, x, label, *, train, keys=None):
      return function(x, params[name]), stats
    return Model(lambda key, x, label: ({name: jnp.zeros(())}, {}), apply,
                 None)

  def critique(x, psi):
    return Critique(row.toy.judge(x[:, 0], psi), x, {})

  sgd = optax.sgd(RATE)
  game = Game(
      model(row.toy.generate, 'theta'), model(critique, 'psi'),
      latent=lambda keys: points[:len(keys)], loss=row.loss,
      penalties=row.terms, augment=augment.Augmentation(
          lambda points, keys, memory: points), gen_optimizer=sgd,
      disc_optimizer=sgd, disc_steps=1, gen_steps=1, reuse_fakes=True,
      disc_weight_clip=0.0, ema_decay=0.0, ema_rampup=0.0)._replace(
          **row.changes)
  label = jnp.zeros(len(points), jnp.int32)
  first = init_state(game, jax.random.key(0), points, label)
  batch = Batch(points[None], label[None], jnp.arange(len(points)))

  def step(point, i):
    state = first.replace(
        step=i, gen=first.gen.replace(params={'theta': point[0]}),
        disc=first.disc.replace(params={'psi': point[1]}))
    after, _ = step_of(game, updates)(state, batch, jax.random.key(0))
    return jnp.stack([after.gen.params['theta'], after.disc.params['psi']])

  return step


def predicted(row: Row, updates: str) -> np.ndarray:
  """Eigenvalues of the update [2], complex, from the row's two numbers.

  With the rate h, simultaneous: 1 + h l for the eigenvalues l of the field.
  Alternating: the product of D's and G's update has the trace
  2 - h damping - (h pull)^2 and the determinant 1 - h damping.
  """
  if updates == 'simultaneous':
    return 1 + RATE * np.roots([1, row.damping, row.pull ** 2])
  trace = 2 - RATE * row.damping - (RATE * row.pull) ** 2
  return np.roots([1, -trace, 1 - RATE * row.damping])


def measured(row: Row, updates: str) -> np.ndarray:
  """Eigenvalues of the step's Jacobian at the equilibrium [2].

  Of central differences in float64: `jax.jacobian` finds none of D's update by
  theta, as the step takes its fakes as constants.
  """
  with jax.enable_x64(True):
    step = jax.jit(play(row, updates))
    centre, tiny = np.array([row.toy.equilibrium, 0.0]), 1e-8
    columns = [step(centre + shift, 0) - step(centre - shift, 0)
               for shift in tiny * np.eye(2)]
  return np.linalg.eigvals(np.stack(columns, axis=1) / (2 * tiny))


def trajectory(row: Row, updates: str) -> np.ndarray:
  """(theta - its equilibrium, psi) before and after each step [T + 1, 2]."""
  step = play(row, updates)
  start = jnp.array(START) + jnp.array([row.toy.equilibrium, 0.0])

  @jax.jit
  def run(start):
    return jax.lax.scan(lambda x, i: (step(x, i), x), start,
                        jnp.arange(STEPS_PLAYED + 1))[1]

  return np.asarray(run(start)) - [row.toy.equilibrium, 0.0]


def line(name: str, updates: str) -> dict:
  """A line of results.jsonl."""
  row = ROWS[name]
  found, known = measured(row, updates), predicted(row, updates)
  distance = np.linalg.norm(trajectory(row, updates), axis=1)
  return {'game': name, 'updates': updates, **{
      what: [[round(float(part), 4) for part in (x.real, x.imag)]
             for x in sorted(values, key=lambda x: (x.imag, x.real))]
      for what, values in (('predicted', known), ('measured', found))},
          'largest': [round(float(abs(x).max()), 4) for x in (known, found)],
          'distance': {t: float(f'{distance[t]:.3g}')
                       for t in (0, 50, STEPS_PLAYED)}}


def draw(path: str) -> None:
  """Trajectories over the field of the simultaneous step."""
  fig, axes = plt.subplots(2, len(_PLOTTED), figsize=(2.6 * len(_PLOTTED), 5.6),
                           sharex=True, sharey=True)
  side = np.linspace(-2, 2, 10, dtype=np.float32)
  grid = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
  for column, name in zip(axes.T, _PLOTTED, strict=True):
    row = ROWS[name]
    moved = jax.vmap(play(row, 'simultaneous'), (0, None))(grid, 0)
    field = np.asarray(moved) - grid
    for axis, updates in zip(column, _UPDATES, strict=True):
      axis.quiver(*grid.T, *field.T, color='0.6', width=0.006)
      walk = trajectory(row, updates)
      axis.plot(*walk.T, lw=0.8, color='tab:blue')
      axis.plot(*walk[0], 'o', color='tab:green', ms=5)
      axis.plot(*walk[-1], 's', color='tab:red', ms=5)
      axis.set(xlim=(-2.2, 2.2), ylim=(-2.2, 2.2), aspect='equal')
    column[0].set_title(name, fontsize=11)
    column[1].set_xlabel(r'$\theta$')
  for axis, updates in zip(axes[:, 0], _UPDATES, strict=True):
    axis.set_ylabel(f'{updates}\n' + r'$\psi$')
  fig.tight_layout()
  fig.savefig(path, dpi=80)


def main():
  """Writes results.jsonl and dirac.png."""
  parser = argparse.ArgumentParser()
  parser.add_argument('--out', default=os.path.dirname(__file__))
  out = parser.parse_args().out
  with open(os.path.join(out, 'results.jsonl'), 'w') as file:
    for name in ROWS:
      for updates in _UPDATES:
        print(json.dumps(line(name, updates)), file=file, flush=True)
  draw(os.path.join(out, 'dirac.png'))


if __name__ == '__main__':
  main()
