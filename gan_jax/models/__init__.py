"""Networks: flax modules, one file per architecture.

`layers.py`, `batch_layers.py` and `norms.py` have their parts, `base.py` the
shared fields. To add one, write a file with a class `Generator`,
`Discriminator` or `Encoder`, named `file.Generator` in a config. Its
constructor may declare `image_shape` of an example, (D,), (T, C), (H, W, C) or
(D, H, W, C), `image_range` (lo, hi), `num_classes` (of classes, or of numbers
in a label vector), `row_blocks` (of the rows of a table), `dtype`, `axis_name`
(the device axis of batch statistics) and, for discriminators, `heads`, the
further outputs that penalties need, for encoders `latent_size`. A network that
uses the label has a field `conditioning`, or an attribute `conditional = True`.
One that draws (noise, dropout) declares `keys`, see `as_model`; a generator of
which the noise may be given has a method `input_noise`, see `Noise`.
"""

import collections
import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import random

from gan_jax.base import lookup


class Styles(NamedTuple):
  """The style space of a generator: images are synthesis(mapping(z, label)).

  mapping: (params, stats, z, label, *, keys=None) -> w [B, L, W], a style of
    each of L layers; with keys as in training, mixed, say.
  synthesis: (params, stats, w, *, keys=None) -> images; without keys all with
    the same noise.
  mean: stats -> the mean w [W] of training.
  """

  mapping: Callable
  synthesis: Callable
  mean: Callable


class Noise(NamedTuple):
  """What a generator draws beside z: [B, size], independent numbers.

  name: of the distribution, 'normal' or 'gumbel', in `jax.random` and in numpy.
  size: of numbers for an example.

  Such noise may stand in place of its `keys`, see `layers.noise`.
  """

  name: str
  size: int


class Posterior(NamedTuple):
  """A normal distribution over latents: mean and log variance, each [B, Z]."""

  mean: object
  log_var: object


class Model(NamedTuple):
  """A network as pure functions.

  init: (key, x, label) -> (params, stats), two dicts, {} for nothing.
  apply: (params, stats, x, label, *, train, keys=None) -> (out, stats)
  describe: (x, label) -> a table of its layers as text.
  per_example: whether a discriminator without stats judges each example as if
    it were alone, so that two batches may be judged as one.
  styles: of a generator with a style space, else None.
  encode: of a generator with an encoder, else None: (params, stats, examples,
    label, *, train) -> `Posterior`.
  noise: () -> `Noise` of a generator that may be given it, else None.

  A generator maps z [B, Z] and label, classes int32 [B] or label vectors
  float32 [B, num_classes], to examples [B, *image_shape] in `image_range`, a
  discriminator examples and label to a `Critique`. `stats` change without
  a gradient, such as batch norm's running averages. `keys` [B] are PRNG keys of
  this pass of a step, one per example. With train=False there are none, and an
  image is a function of z and label; or they are noise [B, size].
  """

  init: Callable
  apply: Callable
  describe: Callable
  per_example: bool = False
  styles: Styles | None = None
  encode: Callable | None = None
  noise: Callable | None = None


class Critique(NamedTuple):
  """logits [B], features [B, F] before the last layer, heads {name: ...}."""

  logits: object
  features: object
  heads: dict


def as_model(network) -> Model | None:
  """Makes a `Model` of a linen module, or of anything with init and apply.

  None of the classes of `none.py`.

  A module is called as `(x, label, *, train)`. A module, or an apply, that
  draws declares `keys` too: [B] in a step's passes, so that N devices draw what
  one does, None with train=False and at the start. A module with
  `style_space = True` has methods mapping(z, label, keys=None) and synthesis(w,
  keys=None), see `Styles`, and its mean w in stats['styles']['mean']. With a
  method input_noise() -> `Noise` it takes such noise in place of keys, too.

  Raises:
    ValueError: neither of the two.
  """
  if getattr(network, 'absent', False):
    return None
  if not isinstance(network, nn.Module):
    if hasattr(network, 'init') and hasattr(network, 'apply'):
      return Model(network.init, _told_keys(network.apply), getattr(
          network, 'describe', lambda x, label: repr(network)),
                   styles=getattr(network, 'styles', None),
                   noise=getattr(network, 'input_noise', None))
    raise ValueError(
        f'{type(network).__name__} is neither a flax.linen module nor an '
        'object with the functions init and apply of gan_jax.models.Model')

  drawn = _no_keys(network)

  def init(key, x, label):
    stats = dict(network.init(key, x, label, train=False, **drawn))
    return stats.pop('params', {}), stats  # Nothing in it may be learnt.

  def apply(params, stats, x, label, *, train, keys=None):
    variables = {'params': params, **stats}
    if not train and keys is not None and not jnp.issubdtype(
        keys.dtype, jnp.floating):
      keys = None  # Of a step, and no noise.
    given = dict(keys=keys) if drawn else {}
    if not train:
      return network.apply(variables, x, label, train=False, **given), stats
    out, new = network.apply(variables, x, label, train=True, **given,
                             mutable=list(stats))
    return out, dict(new)

  return Model(init, apply, partial(_layer_table, network),
               _per_example(network), _styles(network),
               noise=getattr(network, 'input_noise', None))


def with_encoder(gen: Model, encoder: Model, *, frozen: bool) -> Model:
  """A generator that has an encoder; they are one player.

  Its parameters are {'generator': ..., 'encoder': ...}, its stats those of the
  generator; ValueError at the start if the encoder has some. A frozen generator
  draws as it does after training, and keeps its stats.
  """
  def init(key, z, label):
    first, second = random.split(key)
    params, stats = gen.init(first, z, label)
    image = jnp.zeros_like(jax.eval_shape(partial(
        gen.apply, train=False), params, stats, z, label)[0])
    weights, kept = encoder.init(second, image, label)
    if jax.tree.leaves(kept):
      raise ValueError(f'the encoder keeps statistics {sorted(kept)}, which no '
                       'pass updates; leave such layers out')
    return {'generator': params, 'encoder': weights}, stats

  def own(params):
    # No slope is computed that would not be used.
    return jax.lax.stop_gradient(params['generator']) if frozen else (
        params['generator'])

  def apply(params, stats, z, label, *, train, keys=None):
    if train and frozen:
      train, keys = False, None
    return gen.apply(own(params), stats, z, label, train=train, keys=keys)

  def encode(params, stats, images, label, *, train):
    del stats  # Of the generator.
    return encoder.apply(params['encoder'], {}, images, label, train=train)[0]

  def describe(z, label):
    image = jax.eval_shape(lambda key, z: gen.apply(
        *gen.init(key, z, label), z, label, train=False)[0], random.key(0), z)
    return (f'{gen.describe(z, label)}\nEncoder\n'
            + encoder.describe(jnp.zeros_like(image), label))

  def of_part(method):
    return lambda params, *args, **kwargs: method(own(params), *args, **kwargs)

  styles = gen.styles and gen.styles._replace(
      mapping=of_part(gen.styles.mapping),
      synthesis=of_part(gen.styles.synthesis))
  return Model(init, apply, describe, styles=styles, encode=encode,
               noise=gen.noise)


def _styles(network: nn.Module) -> Styles | None:
  if not getattr(network, 'style_space', False):
    return None

  def run(method):
    return lambda params, stats, *args, keys=None: network.apply(
        {'params': params, **stats}, *args, keys, method=method)

  return Styles(run('mapping'), run('synthesis'),
                lambda stats: stats['styles']['mean'])


def _no_keys(network: nn.Module) -> dict:
  """The argument `keys` of a module that declares it, without any."""
  declared = 'keys' in inspect.signature(type(network).__call__).parameters
  return dict(keys=None) if declared else {}


def _told_keys(apply: Callable) -> Callable:
  """An apply that may be given keys, whether it declares them or not."""
  if 'keys' in inspect.signature(apply).parameters:
    return apply

  def without(*args, train, keys=None):
    del keys
    return apply(*args, train=train)

  return without


def _per_example(network) -> bool:
  """`Model.per_example`, known of the discriminators of this package only."""
  # Not of subclasses, which may compare the examples of a batch.
  return (type(network).__module__.startswith(f'{__name__}.')
          and hasattr(network, 'heads')
          and getattr(network, 'minibatch', 'none') == 'none'
          and ':' not in getattr(network, 'norm', '')  # a user's own
          and 'proxies' not in dict(network.heads))  # the same for all


def _layer_table(module: nn.Module, x, label) -> str:
  """A line per layer with parameters: path, output shape, their number."""
  shapes, counts = {}, collections.Counter()

  def watch(call, args, kwargs, context):
    out = call(*args, **kwargs)
    if context.method_name == '__call__':
      shapes['/'.join(context.module.path)] = jax.tree.leaves(out)[0].shape
    return out

  with nn.intercept_methods(watch):
    found = jax.eval_shape(partial(module.init, train=False, **_no_keys(
        module)), random.key(0), x, label)
  for path, leaf in jax.tree_util.tree_leaves_with_path(
      found.get('params', {})):
    counts['/'.join(key.key for key in path[:-1])] += leaf.size
  rows = [('layer', 'output', 'parameters'),
          *((name, str(list(shape)), f'{counts[name]:,}')
            for name, shape in shapes.items() if counts[name]),
          ('all', str(list(shapes[''])), f'{counts.total():,}')]
  width = [max(map(len, column)) for column in zip(*rows, strict=True)]
  return '\n'.join(f'  {a:{width[0]}}  {b:{width[1]}}  {c:>{width[2]}}'
                   for a, b, c in rows)


def is_conditional(spec: Mapping) -> bool:
  """Whether the network of a spec uses the label."""
  return bool(conditioned_by(spec))


def conditioned_by(spec: Mapping) -> str:
  """The key of a spec that makes its network use the label, '' for none.

  'conditioning', 'norm', or 'name' of a network with `conditional = True`.

  Raises:
    ValueError: no such network.
  """
  network = lookup.find(__name__, spec['name'], _kind(spec))
  spec = filled(spec)
  if spec.get('conditioning', 'none') != 'none':
    return 'conditioning'
  if spec.get('norm') == 'conditional_batch':
    return 'norm'
  said = spec.get('conditional', getattr(network, 'conditional', False))
  return 'name' if said else ''


def filled(spec: Mapping) -> dict:
  """A network's spec, with the defaults of the fields that it leaves out."""
  return lookup.defaults(__name__, spec['name'], _kind(spec)) | dict(spec)


def _kind(spec):
  return '' if ':' in spec['name'] else spec['name'].rpartition('.')[2]
