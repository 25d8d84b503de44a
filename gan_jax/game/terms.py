"""Parts of an update: D forward pass, loss, penalties."""

import inspect
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax, random

from gan_jax.base.errors import blaming
from gan_jax.base.lookup import near
from gan_jax.game.state import pack, unpack
from gan_jax.ops import likelihoods
from gan_jax.ops.keys import folded


class Inputs(NamedTuple):
  """Examples of one update; penalties may declare each field as an argument.

  With packing, images, labels and keys are those of packs. step: int32 [],
  steps done so far. codes: {'real': [B, Z], 'fake': [B, Z]} that D judges with
  the images, None if it judges images alone.
  """

  real: Any
  fake: Any
  label: Any
  keys: Any
  z: Any
  step: Any
  codes: Any

  def told(self, purpose: str):
    """What D is told beside the images: their labels, or their codes.

    Those of the real images for any purpose but 'fake', if none are given.
    """
    if not self.codes:
      return self.label
    return self.codes[purpose if purpose in self.codes else 'real']


class Labelled(NamedTuple):
  """Examples whose classes are known: image [B, H, W, C], label [B] int32."""

  image: Any
  label: Any


def inputs_of(game, gen: tuple, real, fake, label, keys, z, step) -> Inputs:
  """Inputs of an update, packed if packing > 1.

  gen: (params, stats) of the generator, whose encoder makes the codes of the
    real images in a joint game, and which no other game reads.
  """
  m, codes = game.packing, None
  if game.joint != 'none':
    code = game.gen.encode(*gen, real, label, train=True)
    codes = {'fake': z, 'real': code.mean if game.joint == 'mean' else
             likelihoods.draw(*code, keys_for(keys, 'posterior'))}
  return Inputs(pack(real, m), pack(fake, m), label[::m], keys[::m], z, step,
                codes)


def critique(game, params, stats, aux, images, inputs: Inputs, purpose: str):
  """Runs the discriminator on augmented images.

  Args:
    game: the `Game`.
    params: of the discriminator.
    stats: of the discriminator.
    aux: memories of the state, for adaptive augmentations.
    images: [B, H, W, C].
    inputs: of the update, for labels and keys.
    purpose: 'real', 'fake' or another, for the random keys of the augmentation
      and of the discriminator.

  Returns:
    (Critique, stats).

  Raises:
    ValueError: logits are not [B].
  """
  images = _augmented(game, aux, images, inputs, purpose)
  return _judge(game, params, stats, images, inputs.told(purpose),
                _keys_of_disc(inputs, purpose))


def critiques(game, params, stats, aux, inputs: Inputs):
  """Runs the discriminator on the real and on the generated images.

  As one batch where that changes nothing: on a CPU products of twice the rows
  run faster, and weights are read, and their gradients written, once. Penalties
  may judge the real images again, which XLA finds if they are a batch.

  Returns:
    (Critique of the real images, of the generated ones, stats); the arguments
    are those of `critique`.
  """
  real, fake = (_augmented(game, aux, images, inputs, purpose)
                for images, purpose in ((inputs.real, 'real'),
                                        (inputs.fake, 'fake')))
  keys = [_keys_of_disc(inputs, purpose) for purpose in ('real', 'fake')]
  told = [inputs.told(purpose) for purpose in ('real', 'fake')]
  if (not game.disc.per_example or jax.tree.leaves(stats)
      or game.judge or any(term.parts.disc for term in game.penalties)):
    real_out, stats = _judge(game, params, stats, real, told[0], keys[0])
    fake_out, stats = _judge(game, params, stats, fake, told[1], keys[1])
    return real_out, fake_out, stats
  out, stats = _judge(game, params, stats, jnp.concatenate([real, fake]),
                      jnp.concatenate(told),
                      jnp.concatenate(keys))
  return *(jax.tree.map(lambda x, i=i: jnp.split(x, 2)[i], out)
           for i in (0, 1)), stats


def _keys_of_disc(inputs, purpose):
  return keys_for(inputs.keys, f'discriminator {purpose}')


def _judge(game, params, stats, images, label, keys):
  """(Critique, stats) of augmented images."""
  @blaming('discriminator')
  def answer(images, label=label):
    out, new = game.disc.apply(params, stats, images, label, train=True,
                               keys=keys)
    if not hasattr(out, 'logits'):
      raise ValueError('the discriminator must return a gan_jax.models.Critique'
                       '(logits [B], features [B, F], heads {})')
    out = judged(game, out)
    check_values(out.logits, images, 'logits')
    # Of bfloat16, losses and penalties would have three digits too.
    out = out._replace(logits=_precise(out.logits))
    return out.logits, (out, new)

  if not game.gradient_normalization:
    _, (out, new) = answer(images)
    return out, new
  # Of a joint game the gradient is by the pair, of which `label` is the code.
  pair = (images, label) if game.joint != 'none' else (images,)
  logits, slope, (out, new) = jax.vjp(answer, *pair, has_aux=True)
  norm = jnp.sqrt(1e-12 + sum(
      jnp.sum(grad.astype(jnp.float32) ** 2, tuple(range(1, grad.ndim)))
      for grad in slope(jnp.ones_like(logits))))
  return out._replace(logits=logits / (norm + jnp.abs(logits))), new


def judged(game, out):
  """A `Critique` whose logits are those that a term makes, if one does."""
  return out._replace(logits=game.judge(out)) if game.judge else out


def _augmented(game, aux, images, inputs, purpose):
  memory = {**aux.get('augment', {}), 'step': inputs.step}
  keys = keys_for(inputs.keys, f'augment {purpose}')
  if game.packing == 1:
    return game.augment.apply(images, keys, memory)
  m = game.packing
  keys = jax.vmap(lambda key: random.split(key, m))(keys).reshape(-1)
  images = game.augment.apply(unpack(images, m), keys, memory)
  return pack(images, m)


def mixed(game, aux, real, fake, keys):
  """Real images, some replaced by generated ones if an augmentation mixes."""
  if game.augment.mix is None:
    return real
  return game.augment.mix(real, fake, keys_for(keys, 'mix'),
                          aux.get('augment', {}))


@blaming('loss')
def adversarial(game, player: str, aux, real_out, fake_out):
  """Adversarial loss of 'disc' or 'gen': float32 []."""
  loss = game.loss
  memory = (aux['loss'],) if loss.memory else ()
  real, fake = (getattr(out, loss.inputs) for out in (real_out, fake_out))
  return mean(getattr(loss, player)(real, fake, *memory), real,
              f'loss.{player}: values')


def realness(game, out):
  """Score [B], higher = more real (negates energies)."""
  return -out.logits if game.loss.needs == 'autoencoder' else out.logits


def optimised(game, params, stats, draw, z, label, keys):
  """Moves latents to where D takes the images for real, see `latent_steps`.

  Args:
    game: the `Game`.
    params: of the discriminator.
    stats: of the discriminator.
    draw: z [B, Z] -> images.
    z: [B, Z].
    label: [B].
    keys: [B].

  Returns:
    (z after the steps, their cost in both losses, scalars).
  """
  def judged(z):
    images = draw(z)
    inputs = inputs_of(game, None, images, images, label, keys, z, None)
    out, _ = _judge(game, params, stats, inputs.fake, inputs.label,
                    keys_for(inputs.keys, 'discriminator latent step'))
    return jnp.sum(realness(game, out))

  cost, scalars = jnp.zeros(()), {}
  for index, step in enumerate(game.latent_steps):
    slope = jax.grad(judged)(z)
    chosen = jax.vmap(lambda key, one, share=step.share: random.bernoulli(
        key, share, one.shape))(keys_for(keys, f'latent step {index}'), z)
    change = step.move(jnp.where(chosen, slope, 0.0))
    moved = jnp.mean(jnp.sum(change ** 2, -1))
    cost += step.weight * moved
    scalars[f'latent/step_{index}'] = moved
    z = z + change
    if step.bound:
      z = jnp.clip(z, -step.bound, step.bound)
  return z, cost, scalars


def regularise(game, player: str, inputs: Inputs, aux, count, **available):
  """Sums the penalties of one player.

  A scalar 'penalty/name' is without its weight and times its interval, so that
  its mean over steps is its value; it is 0 in the steps between. 'weight/name'
  is a weight that follows a schedule.

  Args:
    game: the `Game`.
    player: 'disc' or 'gen'.
    inputs: of the update.
    aux: memories of the state.
    count: updates so far, for lazy terms.
    **available: further arguments of penalties.

  Returns:
    (weighted sum, scalars, {name: memory after the update}).
  """
  total, scalars, memories = jnp.zeros(()), {}, {}
  for index, term in enumerate(game.penalties):
    function, title = getattr(term.parts, player), term.title(player)
    if function is None:
      continue
    own = dict(keys=keys_for(inputs.keys, f'penalty {index}'))
    if term.parts.remembers(player):
      own['memory'] = aux[title]
    with blaming(f'penalties[{index}]'):
      value, memory = _lazily(term, count, own.get('memory'), partial(
          call, function, **(inputs._asdict() | available | own)), inputs.real)
    if memory is not None:
      memories[title] = memory
    scalars[f'penalty/{title}'] = value
    weight = term.weight
    if callable(weight):
      weight = scalars[f'weight/{term.name}'] = weight(inputs.step)
    total += weight * value
  return total, scalars, memories


def _lazily(term, count, memory, function, images):
  """Evaluates a penalty every n-th update; returns (value, memory or None)."""
  def act():
    if memory is None:
      values, after = function(), None
    else:
      made = function()
      if not isinstance(made, tuple) or len(made) != 2:
        raise ValueError('with a memory must return ([B], the memory after the '
                         f'update), and returns {type(made).__name__}')
      values, after = made[0], kept(memory, made[1])
    return term.every * mean(values, images, 'values'), after

  if term.every == 1:
    return act()
  return lax.cond(count % term.every == 0, act,
                  lambda: (jnp.zeros((), jnp.float32), memory))


def kept(memory, after):
  """A memory after an update, as before in its types.

  Raises:
    ValueError: other names or shapes than before.
  """
  old, new = (jax.tree.map(jnp.shape, tree) for tree in (memory, after))
  if old != new:
    raise ValueError(f'the memory after the update has shapes {new}, before '
                     f'it had {old}')
  return jax.tree.map(lambda old, new: lax.stop_gradient(jnp.asarray(
      new, old.dtype)), memory, after)


def call(function: Callable, **available):
  """Calls a function with the arguments that it declares."""
  found = inspect.signature(function).parameters
  absent = [name for name, p in found.items() if name not in available
            and p.default is p.empty and p.kind is not p.VAR_KEYWORD]
  if absent:
    raise ValueError(f'asks for {", ".join(absent)}'
                     f'{near(absent[0], available)}'
                     + '; a memory is declared by gan_jax.penalties.Regulariser'
                     '(disc, memory={name: float})' * ('memory' in absent))
  return function(**{name: available[name] for name in found
                     if name in available})


def remember(game, aux, real_out, fake_out, step):
  """Memories of loss and augmentation after an update of D."""
  after = {}
  if game.loss.memory:
    with blaming('loss'):
      after['loss'] = kept(aux['loss'], game.loss.remember(
          aux['loss'], *(getattr(out, game.loss.inputs)
                         for out in (real_out, fake_out))))
  if game.augment.memory:
    after['augment'] = kept(aux['augment'], game.augment.remember(
        aux['augment'], real_out.logits, step))
  return after


def keys_for(keys, purpose: str):
  """Keys [B] for one purpose, so that no key is used twice."""
  return folded(keys, zlib.crc32(purpose.encode()) & 0x7fffffff)


def mean(values, images, what):
  """Batch mean; checks shape [B] to catch broadcasting errors."""
  check_values(values, images, what)
  return jnp.mean(_precise(values))


def _precise(x):
  """In float32 at least."""
  return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def check_values(values, images, what):
  """ValueError if values are not floats [B], for as many images."""
  shape = getattr(values, 'shape', None)
  if shape != images.shape[:1]:
    found = type(values).__name__ if shape is None else f'of shape {shape}'
    raise ValueError(f'{what} must be [B], here of shape {images.shape[:1]}, '
                     f'and are {found}'
                     + '; return one for each example, without a mean'
                     * (shape == ()))
  if not jnp.issubdtype(values.dtype, jnp.floating):
    raise ValueError(f'{what} must be floats, and are {values.dtype}, through '
                     'which no gradient passes')
