"""One training step: D updates, G updates, EMA.

`train_step` makes `disc_steps` updates of the discriminator, then `gen_steps`
of the generator, then averages the generator; `simultaneous_step` updates both
from the same state; `solo_step` is of a game without a discriminator, such as a
variational autoencoder. `pmean` averages over devices, and is the identity by
default.
"""

import math
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import optax
from jax import lax, random

from gan_jax.game import diagnosis, terms
from gan_jax.game.rules import Fakes, Game, is_off
from gan_jax.game.state import Average, Net, TrainState, pack
from gan_jax.ops.keys import per_example


def train_step(state: TrainState, batch, key, *, game: Game,
               pmean: Callable = lambda tree: tree):
  """One training step with alternating updates.

  Args:
    state: before the step.
    batch: real images in the generator's range, a batch for each update of the
      discriminator; the generator's updates reuse the last one. As many of
      labelled ones follow if `game.draws_labelled`.
    key: PRNG key of the run; state.step is folded in.
    game: the `Game`.
    pmean: mean over devices, of gradients, statistics and scalars.

  Returns:
    (state after the step, {name: float32 []}).
  """
  key = random.fold_in(key, state.step)
  disc_key, gen_key = random.split(key)
  last = game.disc_steps - 1

  def play(state, index, image, label, labelled):
    keys = per_example(random.fold_in(disc_key, index), batch.position)
    fakes = generate(state, label, keys, game=game)
    count = state.step * game.disc_steps + index
    state, scalars = disc_step(state, image, label, fakes, keys, count,
                               game=game, pmean=pmean, labelled=labelled)
    return state, scalars, fakes

  def play_disc(carry, inputs):
    after, scalars, _ = play(state.replace(disc=carry[0], aux=carry[1]),
                             *inputs)
    return (after.disc, after.aux), scalars

  labelled = _labelled(batch, game)
  if last:  # A scan of none is traced and compiled, too.
    (disc, aux), earlier = lax.scan(
        play_disc, (state.disc, state.aux),
        (jnp.arange(last), batch.image[:last], batch.label[:last],
         jax.tree.map(lambda x: x[:last], labelled)))
    state = state.replace(disc=disc, aux=aux)
  real, label = batch.image[last], batch.label[last]
  state, scalars, fakes = play(state, last, real, label, jax.tree.map(
      lambda x: x[last], labelled))
  if last:
    scalars = jax.tree.map(lambda many, one: (
        many.sum(0) + one) / game.disc_steps, earlier, scalars)

  for index in range(game.gen_steps):
    keys = per_example(random.fold_in(gen_key, index), batch.position)
    if index or not game.reuse_fakes:
      fakes = generate(state, label, keys, game=game)
    state, gen_scalars = gen_step(state, real, label, fakes, keys,
                                  game=game, pmean=pmean)
  return finish(state, game), diagnosis.step_scalars(scalars, gen_scalars)


def simultaneous_step(state: TrainState, batch, key, *, game: Game,
                      pmean: Callable = lambda tree: tree):
  """One training step, with one update of each network from the same state."""
  disc_key, gen_key = random.split(random.fold_in(key, state.step))
  real, label = batch.image[0], batch.label[0]
  labelled = jax.tree.map(lambda x: x[0], _labelled(batch, game))
  keys = per_example(random.fold_in(disc_key, 0), batch.position)
  fakes = generate(state, label, keys, game=game)
  gen_keys = per_example(random.fold_in(gen_key, 0), batch.position)
  moved, gen_scalars = gen_step(state, real, label, fakes, gen_keys, game=game,
                                pmean=pmean)
  # D's update does not read the memories of G's penalties.
  after, scalars = disc_step(state.replace(aux=moved.aux), real, label, fakes,
                             keys, state.step, game=game, pmean=pmean,
                             labelled=labelled)
  return (finish(after.replace(gen=moved.gen), game),
          diagnosis.step_scalars(scalars, gen_scalars))


def solo_step(state: TrainState, batch, key, *, game: Game,
              pmean: Callable = lambda tree: tree):
  """One training step of the generator alone, by its terms."""
  real, label = batch.image[0], batch.label[0]
  keys = per_example(random.fold_in(key, state.step), batch.position)
  z = game.latent(terms.keys_for(keys, 'latent'))

  def objective(params):
    # XLA removes this pass if no term compares and the network has no stats.
    image, stats = game.gen.apply(
        params, state.gen.stats, z, label, train=True,
        keys=terms.keys_for(keys, 'generator'))
    inputs = terms.inputs_of(game, (params, state.gen.stats), real, image,
                             label, keys, z, state.step)
    loss, scalars, aux = terms.regularise(
        game, 'gen', inputs, state.aux, state.step, params=params,
        **_further(game, params, state.gen.stats, z, label, keys,
                   terms.keys_for(keys, 'generator')))
    return loss, (stats, aux, scalars | {'loss/gen': loss})

  grads, (stats, aux, scalars) = jax.grad(objective, has_aux=True)(
      state.gen.params)
  state, scalars = _updated(state, 'gen', grads, stats, aux, scalars, game,
                            pmean)
  return finish(state, game), scalars


STEPS = {'alternating': train_step, 'simultaneous': simultaneous_step}


def step_of(game: Game, updates: str) -> Callable:
  """The training step of a game; `updates` is a key of STEPS."""
  return partial(STEPS[updates] if game.disc else solo_step, game=game)


def _labelled(batch, game: Game) -> terms.Labelled | None:
  """The labelled examples of each update of the discriminator, if asked for."""
  if not game.draws_labelled:
    return None
  return terms.Labelled(batch.image[game.disc_steps:],
                        batch.label[game.disc_steps:])


def finish(state: TrainState, game: Game) -> TrainState:
  """Updates the EMA and the step counter."""
  ema = _average(state.ema, state.gen, state.step, game)
  return state.replace(step=state.step + 1, ema=ema)


def generate(state: TrainState, label, keys, *, game: Game) -> Fakes:
  """Generates one image per PRNG key, keeping the VJP; keys, label [B]."""
  z = game.latent(terms.keys_for(keys, 'latent'))
  drawn = terms.keys_for(keys, 'generator')

  def draw(params, z):
    return game.gen.apply(params, state.gen.stats, z, label, train=True,
                          keys=drawn)

  if not game.latent_steps:
    image, vjp, stats = jax.vjp(lambda params: draw(params, z),
                                state.gen.params, has_aux=True)
    return Fakes(image, z, stats, drawn, lambda slope: (*vjp(slope), None))

  def forward(gen, disc):
    moved, cost, scalars = terms.optimised(
        game, disc, state.disc.stats, lambda z: draw(gen, z)[0], z, label, keys)
    image, stats = draw(gen, moved)
    return (image, cost), (moved, stats, scalars)

  (image, cost), vjp, (z, stats, scalars) = jax.vjp(
      forward, state.gen.params, state.disc.params, has_aux=True)
  return Fakes(image, z, stats, drawn,
               lambda slope: vjp((slope, jnp.ones_like(cost))), scalars)


def disc_step(state: TrainState, real, label, fakes: Fakes, keys, count, *,
              game: Game, pmean: Callable = lambda tree: tree, labelled=None):
  """One update of the discriminator.

  Args:
    state: before the update.
    real: [B, H, W, C].
    label: [B] int32, of the real images and of the generated ones.
    fakes: constants here, but for their latent steps.
    keys: [B].
    count: updates of the discriminator so far, for lazy penalties.
    game: the `Game`.
    pmean: mean over devices.
    labelled: `terms.Labelled` for terms that declare it.

  Returns:
    (state, scalars). loss/disc excludes penalties; penalty/* is without its
    weight and times its interval, so that its mean over steps is its value.
  """
  fixed = lax.stop_gradient(fakes.image)
  real = terms.mixed(game, state.aux, real, fixed, keys)

  def objective(params, fake):
    inputs = terms.inputs_of(game, (state.gen.params, state.gen.stats), real,
                             fake, label, keys, fakes.z, state.step)
    real_out, fake_out, stats = terms.critiques(
        game, params, state.disc.stats, state.aux, inputs)
    loss = terms.adversarial(game, 'disc', state.aux, real_out, fake_out)

    further = _further(game, state.gen.params, state.gen.stats, fakes.z, label,
                       keys, fakes.keys)
    extra, scalars, aux = terms.regularise(
        game, 'disc', inputs, state.aux, count, params=params,
        real_out=real_out, fake_out=fake_out, labelled=labelled, **further,
        **_critics(game, params, state, inputs))
    aux |= terms.remember(game, state.aux, real_out, fake_out, state.step)
    return loss + extra, (stats, aux, scalars | diagnosis.disc_scalars(
        game, loss, real_out, fake_out))

  if game.latent_steps:
    (grads, by_image), (stats, aux, scalars) = jax.grad(
        objective, (0, 1), has_aux=True)(state.disc.params, fakes.image)
    grads = jax.tree.map(jnp.add, grads, fakes.vjp(by_image)[1])
    scalars |= fakes.moved
  else:
    grads, (stats, aux, scalars) = jax.grad(objective, has_aux=True)(
        state.disc.params, fixed)
  return _updated(state, 'disc', grads, stats, aux, scalars, game, pmean)


def gen_step(state: TrainState, real, label, fakes: Fakes, keys, *,
             game: Game, pmean: Callable = lambda tree: tree):
  """One update of the generator.

  Args:
    state: before the update.
    real: [B, H, W, C], for losses that compare with real images.
    label: [B] int32.
    fakes: of the generator in `state`.
    keys: [B].
    game: the `Game`.
    pmean: mean over devices.

  Returns:
    (state, scalars).
  """
  def objective(image, params):
    inputs = terms.inputs_of(game, (params, state.gen.stats), real, image,
                             label, keys, fakes.z, state.step)
    disc = _unrolled(state, inputs, game, pmean)
    critics = _critics(game, disc, state, inputs)
    further = _further(game, params, state.gen.stats, fakes.z, label, keys,
                       fakes.keys)
    # XLA removes the real half if it is unused.
    real_out, fake_out = (
        critics['critique'](getattr(inputs, side), purpose=side)
        for side in ('real', 'fake'))
    loss = terms.adversarial(game, 'gen', state.aux, real_out, fake_out)
    # Lazy penalties of G count steps, not updates.
    extra, scalars, aux = terms.regularise(
        game, 'gen', inputs, state.aux, state.step, params=params,
        real_out=real_out, fake_out=fake_out, **further, **critics)
    return loss + extra, (aux, scalars | {'loss/gen': loss})

  (by_image, by_params), (aux, scalars) = jax.grad(
      objective, argnums=(0, 1), has_aux=True)(fakes.image, state.gen.params)
  grads = jax.tree.map(jnp.add, fakes.vjp(by_image)[0], by_params)
  return _updated(state, 'gen', grads, fakes.stats, aux, scalars, game, pmean)


def _critics(game, disc, state, inputs) -> dict:
  """The discriminator for penalties, see `penalties.term`.

  Gradients go through the augmentation to the images before it.

  Args:
    game: the `Game`.
    disc: parameters of the discriminator.
    state: its statistics, and memories.
    inputs: of the update.
  """
  def critique(images, code=None, *, purpose='real'):
    if code is not None and game.joint == 'none':
      raise ValueError(f'a critic was given {code!r} as the code of images, '
                       'which only a joint game has')
    given = inputs if code is None else inputs._replace(codes={purpose: code})
    return terms.critique(game, disc, state.disc.stats, state.aux, images,
                          given, purpose)[0]

  def critic(purpose):
    return lambda images, code=None: critique(
        images, code, purpose=purpose).logits

  return dict(critique=critique, critic=critic('real'),
              fake_critic=critic('fake'))


def _further(game, params, stats, z, label, keys, same) -> dict:
  """Further passes of the generator for penalties.

  `same`: keys of the generated images, which terms compare with others; those
  of the update, if the images are reused, are others.

  Returns:
    generate: z -> images, packed, with what was drawn for the generated images.
    styles, with a draw of its own: () -> (styles, styles -> images) of a
    generator with a style space, of any other (z, generate).
    encode: images -> Posterior, if the generator has an encoder.
  """
  keys = terms.keys_for(keys, 'generator of penalties')

  def generate(z):
    return pack(game.gen.apply(params, stats, z, label, train=True,
                               keys=same)[0], game.packing)

  def styles():
    space = game.gen.styles
    if space is None:
      return z, generate
    return space.mapping(params, stats, z, label, keys=keys), lambda w: pack(
        space.synthesis(params, stats, w, keys=keys), game.packing)

  encode = game.gen.encode and (lambda images: game.gen.encode(
      params, stats, images, label, train=True))
  return dict(generate=generate, styles=styles, encode=encode)


def _unrolled(state, inputs, game, pmean):
  """D's parameters after `unrolled_steps` more updates on this batch."""
  def objective(params):
    real, fake = (terms.critique(
        game, params, state.disc.stats, state.aux, images, inputs, purpose)[0]
        for images, purpose in ((inputs.real, 'real'), (inputs.fake, 'fake')))
    return terms.adversarial(game, 'disc', state.aux, real, fake)

  disc = state.disc
  for _ in range(game.unrolled_steps):
    grads = pmean(jax.grad(objective)(disc.params))
    disc, _ = _update(disc, 'disc', grads, disc.stats, game)
  return disc.params


def _updated(state, player, grads, stats, aux, scalars, game, pmean):
  """(state, scalars) after an update of 'disc' or 'gen', over all devices.

  grads, stats: of the player, stats after the pass; aux: memories after it.
  """
  # Networks that are not trained are the same on all devices, and the mean of
  # three equal numbers may differ from them in the last bit. Memories agree,
  # unless their term breaks the rule of `Regulariser`.
  moving = {name: x for name, x in stats.items() if name != 'frozen'}
  grads, moving, aux, scalars = pmean((grads, moving, aux, scalars))
  before = getattr(state, player)
  after, grads = _update(before, player, grads, stats | moving, game)
  scalars |= diagnosis.update_scalars(player, before.params, after.params,
                                      grads)
  scalars |= diagnosis.memory_scalars(aux)
  return state.replace(aux=state.aux | aux, **{player: after}), scalars


def _update(net: Net, player: str, grads, stats, game: Game):
  """(net after the update, gradients, which are 0 of frozen layers)."""
  optimizer, frozen = (getattr(game, f'{player}_{what}')
                       for what in ('optimizer', 'frozen'))
  if frozen:  # Before the optimiser, in whose norm they would count.
    grads = grads | {name: jax.tree.map(jnp.zeros_like, grads[name])
                     for name in frozen}
  updates, opt_state = optimizer.update(grads, net.opt_state, net.params)
  params = optax.apply_updates(net.params, updates)
  if player == 'disc' and not is_off(bound := game.disc_weight_clip):
    params = jax.tree.map(lambda p: jnp.clip(p, -bound, bound), params)
  if frozen:  # Clipping and the decay of weights would change them.
    params = params | {name: net.params[name] for name in frozen}
  return Net(params, stats, opt_state), grads


def _average(ema: Average, gen: Net, step, game: Game) -> Average:
  """EMA update with half-life ramp-up."""
  new = Average(gen.params, gen.stats)
  if is_off(game.ema_decay):
    return new
  decay = game.ema_decay
  if callable(decay):
    decay = decay(step)
  log = math.log if isinstance(decay, float) else jnp.log
  if not is_off(game.ema_rampup):
    half_life = jnp.minimum(math.log(0.5) / log(decay),
                            game.ema_rampup * (step + 1))
    decay = 0.5 ** (1.0 / half_life)
  return jax.tree.map(lambda old, new: new + decay * (old - new), ema, new)
