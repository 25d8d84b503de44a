"""The game, one step of it: read this file to know what is trained how.

`train_step` plays `disc_steps` updates of the discriminator, then `gen_steps`
of the generator, then averages the generator. It is pure, and knows nothing of
devices: `pmean` is called on what must be averaged over them, and is the
identity by default.
"""

import math
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax, random

from gan_jax.losses import Loss
from gan_jax.models import Model
from gan_jax.penalties import Term
from gan_jax.state import Average, Net, TrainState


class Game(NamedTuple):
  """The rules, static: networks, losses, optimisers, numbers of the config.

  latent: keys [B] -> z [B, Z].
  augment: (images, keys [B]) -> images, for real and generated alike.
  reuse_fakes: the first generator update takes the images of the last
    discriminator update, and their forward pass, instead of fresh ones.
  disc_weight_clip: bound on every parameter of the discriminator after its
    update (Arjovsky et al. 2017), 0 for none.
  ema_decay: of the averaged generator, per step; 0 keeps the last weights.
  ema_rampup: the average's half-life is at most this share of the steps so far
    (Karras et al. 2020, arXiv:2006.06676), 0 for a constant decay.
  """

  gen: Model
  disc: Model
  latent: Callable
  loss: Loss
  penalties: tuple[Term, ...]
  augment: Callable
  gen_optimizer: optax.GradientTransformation
  disc_optimizer: optax.GradientTransformation
  disc_steps: int
  gen_steps: int
  reuse_fakes: bool
  disc_weight_clip: float
  ema_decay: float
  ema_rampup: float


class Batch(NamedTuple):
  """image [S, B, H, W, C], label [S, B] int32, position [B] int32.

  S is disc_steps. The position is that of an example in the global batch: all
  that is random for an example derives from it, so that N devices play the
  same game as one.
  """

  image: Any
  label: Any
  position: Any


class Fakes(NamedTuple):
  """Generated images, the generator's new stats, and the way back to params."""

  image: Any
  stats: Any
  vjp: Callable


def train_step(state: TrainState, batch: Batch, key, *, game: Game,
               pmean: Callable = lambda tree: tree):
  """One step of the game: alternating updates.

  Args:
    state: before the step.
    batch: real images in the generator's range, a batch for each update of the
      discriminator; the generator's updates see the last one again.
    key: PRNG key of the run; the step folds in state.step.
    game: the rules.
    pmean: average over devices, applied to gradients, statistics and scalars.

  Returns:
    (state after the step, {name: float32 []}).
  """
  key = random.fold_in(key, state.step)
  disc_key, gen_key = random.split(key)
  last = game.disc_steps - 1

  def play(state, index, image, label):
    keys = _per_example(random.fold_in(disc_key, index), batch.position)
    fakes = generate(state.gen, label, keys, game=game)
    count = state.step * game.disc_steps + index
    state, scalars = disc_step(state, image, label, fakes.image, keys, count,
                               game=game, pmean=pmean)
    return state, scalars, fakes

  def play_disc(disc, inputs):
    after, scalars, _ = play(state.replace(disc=disc), *inputs)
    return after.disc, scalars

  disc, earlier = lax.scan(
      play_disc, state.disc,
      (jnp.arange(last), batch.image[:last], batch.label[:last]))
  real, label = batch.image[last], batch.label[last]
  state, scalars, fakes = play(state.replace(disc=disc), last, real, label)
  scalars = jax.tree.map(
      lambda many, one: (many.sum(0) + one) / game.disc_steps, earlier, scalars)

  for index in range(game.gen_steps):
    keys = _per_example(random.fold_in(gen_key, index), batch.position)
    if index or not game.reuse_fakes:
      fakes = generate(state.gen, label, keys, game=game)
    state, gen_scalars = gen_step(state, real, label, fakes, keys,
                                  game=game, pmean=pmean)
  ema = _average(state.ema, state.gen, state.step, game)
  return (state.replace(step=state.step + 1, ema=ema),
          scalars | gen_scalars)


def generate(gen: Net, label, keys, *, game: Game) -> Fakes:
  """Images of one latent for each key; keys [B], label [B]."""
  z = game.latent(_purpose(keys, 'latent'))

  def forward(params):
    return game.gen.apply(params, gen.stats, z, label, train=True)

  image, vjp, stats = jax.vjp(forward, gen.params, has_aux=True)
  return Fakes(image, stats, vjp)


def disc_step(state: TrainState, real, label, fake, keys, count, *,
              game: Game, pmean: Callable = lambda tree: tree):
  """One update of the discriminator; the generator is left as it is.

  Args:
    state: before the update.
    real: [B, H, W, C].
    label: [B] int32, of the real images and of the generated ones.
    fake: [B, H, W, C], taken as constants.
    keys: [B].
    count: updates of the discriminator so far, for the lazy penalties.
    game: the rules.
    pmean: average over devices.

  Returns:
    (state, scalars). loss/disc is without penalties; penalty/* is without its
    weight, and times its interval, so that its mean over steps is its mean.
  """
  fake = lax.stop_gradient(fake)

  def apply(params, stats, images, purpose):
    images = game.augment(images, _purpose(keys, purpose))
    out, stats = game.disc.apply(params, stats, images, label, train=True)
    if out.logits.shape != images.shape[:1]:
      raise ValueError(f'the discriminator returned logits {out.logits.shape}, '
                       f'not [B] = {images.shape[:1]}')
    return out.logits, stats

  def objective(params):
    real_logits, stats = apply(params, state.disc.stats, real, 'augment real')
    fake_logits, stats = apply(params, stats, fake, 'augment fake')
    loss = _mean(game.loss.disc(real_logits, fake_logits), real, 'loss.disc')
    scalars = {
        'loss/disc': loss,
        'logits/real': jnp.mean(real_logits),
        'logits/fake': jnp.mean(fake_logits),
        'prob/real': jnp.mean(jax.nn.sigmoid(real_logits)),
        'prob/fake': jnp.mean(jax.nn.sigmoid(fake_logits)),
    }

    # Gradients are taken by the images before the augmentation, through it.
    def critic(images):
      return apply(params, state.disc.stats, images, 'augment real')[0]

    total = loss
    for index, term in enumerate(game.penalties):
      value = _penalty(term, critic, real, fake,
                       _purpose(keys, f'penalty {index}'), count)
      scalars[f'penalty/{term.name}'] = value
      total += term.weight * value
    return total, (stats, scalars)

  grads, (stats, scalars) = jax.grad(objective, has_aux=True)(state.disc.params)
  grads, stats, scalars = pmean((grads, stats, scalars))
  disc = _update(state.disc, grads, stats, game.disc_optimizer)
  if game.disc_weight_clip:
    bound = game.disc_weight_clip
    disc = disc.replace(params=jax.tree.map(
        lambda p: jnp.clip(p, -bound, bound), disc.params))
  scalars['grad_norm/disc'] = optax.tree.norm(grads)
  return state.replace(disc=disc), scalars


def gen_step(state: TrainState, real, label, fakes: Fakes, keys, *,
             game: Game, pmean: Callable = lambda tree: tree):
  """One update of the generator; the discriminator is left as it is.

  Args:
    state: before the update.
    real: [B, H, W, C], for the losses that compare with real images.
    label: [B] int32.
    fakes: of the generator in `state`.
    keys: [B].
    game: the rules.
    pmean: average over devices.

  Returns:
    (state, scalars).
  """
  def logits(images, purpose):
    images = game.augment(images, _purpose(keys, purpose))
    out, _ = game.disc.apply(state.disc.params, state.disc.stats, images,
                             label, train=True)
    return out.logits

  def objective(image):
    # XLA drops the real half where the loss does not look at it.
    return _mean(game.loss.gen(logits(real, 'augment real'),
                               logits(image, 'augment fake')), real, 'loss.gen')

  loss, by_image = jax.value_and_grad(objective)(fakes.image)
  grads, = fakes.vjp(by_image)
  grads, stats, loss = pmean((grads, fakes.stats, loss))
  gen = _update(state.gen, grads, stats, game.gen_optimizer)
  scalars = {'loss/gen': loss, 'grad_norm/gen': optax.tree.norm(grads)}
  return state.replace(gen=gen), scalars


def _penalty(term: Term, critic, real, fake, keys, count):
  """Batch mean of a penalty times its interval, 0 in the steps between."""
  def value():
    values = term.fn(critic, real, fake, keys)
    return term.every * _mean(values, real, term.name)

  if term.every == 1:
    return value()
  return lax.cond(count % term.every == 0, value,
                  lambda: jnp.zeros((), jnp.float32))


def _update(net: Net, grads, stats, optimizer) -> Net:
  updates, opt_state = optimizer.update(grads, net.opt_state, net.params)
  return Net(optax.apply_updates(net.params, updates), stats, opt_state)


def _average(ema: Average, gen: Net, step, game: Game) -> Average:
  """Exponential average with the half-life limited by a share of the steps."""
  new = Average(gen.params, gen.stats)
  if not game.ema_decay:
    return new
  decay = jnp.float32(game.ema_decay)
  if game.ema_rampup:
    half_life = math.log(0.5) / math.log(game.ema_decay)
    half_life = jnp.minimum(half_life, game.ema_rampup * (step + 1))
    decay = 0.5 ** (1.0 / half_life)
  return jax.tree.map(lambda old, new: new + decay * (old - new), ema, new)


def _per_example(key, position):
  """A key for each example, by its place in the global batch: [B]."""
  return jax.vmap(lambda index: random.fold_in(key, index))(position)


def _purpose(keys, purpose: str):
  """Fresh keys [B] for one use, so that no key serves twice."""
  code = zlib.crc32(purpose.encode()) & 0x7fffffff
  return jax.vmap(lambda key: random.fold_in(key, code))(keys)


def _mean(values, images, what):
  """Mean of [B]; [B] minus [B, 1] would be [B, B], silently."""
  if values.shape != images.shape[:1]:
    raise ValueError(f'{what} gave values of shape {values.shape}, not [B] = '
                     f'{images.shape[:1]}')
  return jnp.mean(values)
