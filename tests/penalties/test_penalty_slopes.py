"""Derivatives of every term by the parameters, in both dtypes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from critics import SHAPE, B, build, images, keys_of, normal

from gan_jax.base import lookup
from gan_jax.game import terms
from gan_jax.models import Critique, Posterior
from gan_jax.penalties import Term

K, Z, HIDDEN = 3, 6, 7
# Whatever takes one of them is given it: lecam acts at once, half an image is a
# pixel.
OPTIONS = dict(num_classes=K, categories=(3,), continuous=1, start=0, size=4,
               shift=0.5)
REAL, LABEL, LATENT = images()[0], jnp.arange(B) % K, normal(7, B, Z)
KEYS = keys_of()


def networks(heads, dtype):
  """(parameters of both players, critique, generate): smooth perceptrons."""
  size = int(np.prod(SHAPE))
  disc = {'hidden': normal(1, size, HIDDEN) / 3, 'logits': normal(2, HIDDEN)}
  for i, (name, width) in enumerate(heads):
    rows = K if name == 'proxies' else HIDDEN
    disc[name] = normal(10 + i, rows, width)
  gen = {'first': normal(4, Z, HIDDEN) / 2, 'last': normal(5, HIDDEN, size) / 2}

  def critique(params, x):
    w = jax.tree.map(lambda p: p.astype(dtype), params)
    features = jnp.tanh(x.reshape(len(x), -1).astype(dtype) @ w['hidden'])
    # The ends are float32, as in models.layers.Heads.
    last = features.astype(jnp.float32)
    return Critique(last @ params['logits'], features, {
        name: params[name] if name == 'proxies' else last @ params[name]
        for name, _ in heads})

  def generate(params, z):
    w = jax.tree.map(lambda p: p.astype(dtype), params)
    x = jnp.tanh(z.astype(dtype) @ w['first']) @ w['last']
    return jnp.tanh(x.astype(jnp.float32)).reshape(-1, *SHAPE)

  return {'disc': disc, 'gen': gen}, critique, generate


def encode(params, images):
  """The generator's weights the other way round."""
  mean = images.reshape(len(images), -1) @ params['last'].T @ params['first'].T
  return Posterior(mean, jnp.tanh(mean))


def mean_of(term, player, both, critique, generate, real):
  """The term of a player as a function of its parameters."""
  def value(params):
    now = both | {player: params}
    fake = generate(now['gen'], LATENT)
    def ask(x, purpose='real'):
      return critique(now['disc'], x)
    def critic(x):
      return ask(x).logits
    available = dict(
        real=real, fake=fake, label=LABEL, z=LATENT, keys=KEYS, step=0,
        critic=critic, fake_critic=critic, critique=ask, params=params,
        real_out=ask(real), fake_out=ask(fake),
        generate=lambda z: generate(now['gen'], z),
        encode=lambda images: encode(now['gen'], images),
        labelled=terms.Labelled(real, LABEL),
        styles=lambda: (LATENT, lambda z: generate(now['gen'], z)))
    if not term.remembers(player):
      return jnp.mean(terms.call(getattr(term, player), **available))
    start = term.memory(params) if callable(term.memory) else term.memory
    memory = jax.tree.map(lambda x: jnp.float32(x) + 0.5, start)
    return jnp.mean(terms.call(getattr(term, player), memory=memory,
                               **available)[0])

  return value


def along_itself(slope):
  """The derivative of a function of parameters in their own direction."""
  return lambda params: jax.jvp(slope, (params,), (params,))[1]


@pytest.mark.parametrize('order', [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize('name', lookup.names('gan_jax.penalties'))
def test_slopes_of_every_term_are_finite(name, dtype, order):
  """Of gradient penalties the first is a second derivative already."""
  arguments = lookup.parameters(lookup.find('gan_jax.penalties', name))
  options = {k: v for k, v in OPTIONS.items() if k in arguments}
  term = Term(name, build(name, **options), 1.0, 1).parts
  both, critique, generate = networks(term.heads, dtype)

  @jax.jit
  def slopes(both, real):
    found = {}
    for player in both:
      if getattr(term, player):
        slope = jax.grad(mean_of(term, player, both, critique, generate, real))
        found[player] = (slope if order == 1 else along_itself(slope))(
            both[player])
    return found

  found = slopes(both, REAL)
  assert found
  for player, slope in found.items():
    leaves = jax.tree.leaves(slope)
    assert all(np.isfinite(x).all() for x in leaves), player
    assert max(np.abs(x).max() for x in leaves) > 1e-6, player
  # Networks that answer 0 to everything: roots and ratios of nothing. Real
  # images that are the generated ones: nothing to interpolate.
  same = generate(both['gen'], LATENT)
  for x in jax.tree.leaves([slopes(jax.tree.map(jnp.zeros_like, both), REAL),
                            slopes(both, same)]):
    assert np.isfinite(x).all()
