"""Losses as pairs (disc, gen), and their formulas in numpy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.base import lookup

NAMES = lookup.names('gan_jax.losses')
# A memory of the midst of training, in which everything has its part.
LATER = {'top_k': {'updates': 1e5}, 'began': {'k': 0.5}}


def log_sigmoid(x):
  """log(1 / (1 + exp(-x))) in the textbook's form, for moderate x."""
  return np.log(1.0 / (1.0 + np.exp(-x)))


def sp(x):
  return np.log1p(np.exp(x))


def relu(x):
  return np.where(x > 0, x, 0.0)


# name: (disc, gen) of real logits a and fake logits b, in float64. The first
# two from probabilities: log D(x), log(1 - D(G(z))).
FORMULAS = {
    'minimax': (lambda a, b: -log_sigmoid(a) - log_sigmoid(-b),
                lambda a, b: log_sigmoid(-b)),
    'non_saturating': (lambda a, b: -log_sigmoid(a) - log_sigmoid(-b),
                       lambda a, b: -log_sigmoid(b)),
    'disc_only': (lambda a, b: -log_sigmoid(a) - log_sigmoid(-b),
                  lambda a, b: 0.0 * b),
    'wasserstein': (lambda a, b: b - a, lambda a, b: -b),
    'least_squares': (lambda a, b: ((a - 1) ** 2 + b ** 2) / 2,
                      lambda a, b: (b - 1) ** 2 / 2),
    'hinge': (lambda a, b: relu(1 - a) + relu(1 + b), lambda a, b: -b),
    'relativistic': (lambda a, b: sp(-(a - b)), lambda a, b: sp(-(b - a))),
    'relativistic_average': (
        lambda a, b: (sp(-(a - b.mean())) + sp(b - a.mean())) / 2,
        lambda a, b: (sp(-(b - a.mean())) + sp(a - b.mean())) / 2),
    'relativistic_average_least_squares': (
        lambda a, b: ((a - b.mean() - 1) ** 2 + (b - a.mean() + 1) ** 2) / 2,
        lambda a, b: ((b - a.mean() - 1) ** 2 + (a - b.mean() + 1) ** 2) / 2),
    'relativistic_average_hinge': (
        lambda a, b: (relu(1 - a + b.mean()) + relu(1 + b - a.mean())) / 2,
        lambda a, b: (relu(1 - b + a.mean()) + relu(1 + a - b.mean())) / 2),
    # From probabilities of the whole batch.
    'softmax_gan': (
        lambda a, b: -np.log(np.exp(a) / partition(a, b)),
        lambda a, b: -(np.log(np.exp(a) / partition(a, b))
                       + np.log(np.exp(b) / partition(a, b))) / 2),
    'dual_contrastive': (lambda a, b: -contrast(a, b) - contrast(-b, -a),
                         lambda a, b: contrast(a, b) + contrast(-b, -a)),
    'ebgan': (lambda a, b: a + relu(10 - b), lambda a, b: b),
    # Its alternative, Jensen-Shannon: log D + log 2 and -log(1 - D) - log 2.
    'fgan': (lambda a, b: -log_sigmoid(a) - log_sigmoid(-b) - 2 * LOG2,
             lambda a, b: -log_sigmoid(b) - LOG2),
}
LOG2 = 0.6931472


def partition(a, b):
  return np.exp(a).sum() + np.exp(b).sum()


def contrast(a, b):
  """log of the share of each a among itself and all b."""
  return np.log(np.exp(a) / (np.exp(a) + np.exp(b).sum()))


def halves(loss, **memory):
  """(disc, gen) of two arguments; memory is the initial one, changed."""
  if not loss.memory:
    return loss.disc, loss.gen
  kept = {**loss.memory, **{k: jnp.float32(v) for k, v in memory.items()}}
  return (lambda a, b: loss.disc(a, b, kept), lambda a, b: loss.gen(a, b, kept))


def build(name, **supplied):
  """(disc, gen) as a config names it; features are made of logits."""
  loss = lookup.build('gan_jax.losses', dict(name=name), **supplied)
  if loss.inputs == 'logits':
    return halves(loss, **LATER.get(name, {}))
  return tuple(lambda a, b, half=half: half(
      jnp.stack([a, jnp.sin(a)], 1), jnp.stack([b, jnp.sin(b)], 1))
               for half in (loss.disc, loss.gen))


def logits(seed=0, size=64, scale=3.0):
  rng = np.random.default_rng(seed)
  return (np.float32(rng.normal(0.5, scale, size)),
          np.float32(rng.normal(-0.5, scale, size)))


# Gradients.


@functools.cache
def compiled(name):
  """(real, fake) -> ([disc, gen], their four slopes), of a loss by name."""
  return jax.jit(functools.partial(values_and_slopes, build(name)))


def values_and_slopes(both, a, b):
  """([disc, gen], [by real and by fake of disc, then of gen])."""
  pulled = [jax.vjp(half, a, b) for half in both]
  return ([value for value, _ in pulled],
          [slope for value, pull in pulled for slope in pull(
              jnp.ones_like(value))])


def slopes(name, a, b):
  """(d disc / d real, d disc / d fake, d gen / d real, d gen / d fake)."""
  return np.array([np.float32(x) for x in compiled(name)(a, b)[1]])
