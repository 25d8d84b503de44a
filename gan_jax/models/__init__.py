"""Networks: flax modules, one file per architecture.

`layers.py` and `norms.py` have their parts, `base.py` the shared fields. To add
one, write a file with a class `Generator` or `Discriminator`, named
`file.Generator` in a config. Its constructor may declare `image_shape` of an
example, (D,), (T, C), (H, W, C) or (D, H, W, C), `image_range` (lo, hi),
`num_classes` (of classes, or of numbers in a label vector), `blocks` (of the
rows of a table), `dtype`, `axis_name` (the device axis of batch statistics)
and, for discriminators, `heads`, the further outputs that penalties need. A
network that uses the label has a field `conditioning`, or an attribute
`conditional = True`. One that draws (noise, dropout) declares `keys`, see
`as_model`.
"""

import collections
import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import jax
from flax import linen as nn
from jax import random

from gan_jax.base import lookup


class Model(NamedTuple):
  """A network as pure functions.

  init: (key, x, label) -> (params, stats)
  apply: (params, stats, x, label, *, train, keys=None) -> (out, stats)
  describe: (x, label) -> a table of its layers as text.
  per_example: whether a discriminator without stats judges each example as if
    it were alone, so that two batches may be judged as one.

  A generator maps z [B, Z] and label, classes int32 [B] or label vectors
  float32 [B, num_classes], to examples [B, *image_shape] in `image_range`, a
  discriminator examples and label to a `Critique`. `stats` change without
  a gradient, such as batch norm's running averages. `keys` [B] are PRNG keys of
  this pass of a step, one per example. With train=False there are none: an
  image is a function of z and label.
  """

  init: Callable
  apply: Callable
  describe: Callable
  per_example: bool = False


class Critique(NamedTuple):
  """logits [B], features [B, F] before the last layer, heads {name: ...}."""

  logits: object
  features: object
  heads: dict


def as_model(network) -> Model:
  """Makes a `Model` of a linen module, or of anything with init and apply.

  A module is called as `(x, label, *, train)`. A module, or an apply, that
  draws declares `keys` too: [B] in a step's passes, so that N devices draw what
  one does, None with train=False and at the start.

  Raises:
    ValueError: neither of the two.
  """
  if not isinstance(network, nn.Module):
    if hasattr(network, 'init') and hasattr(network, 'apply'):
      return Model(network.init, _told_keys(network.apply), getattr(
          network, 'describe', lambda x, label: repr(network)))
    raise ValueError(f'{network!r} is neither a flax.linen module nor a Model')

  drawn = _no_keys(network)

  def init(key, x, label):
    stats = dict(network.init(key, x, label, train=False, **drawn))
    return stats.pop('params'), stats

  def apply(params, stats, x, label, *, train, keys=None):
    variables = {'params': params, **stats}
    if not train:
      return network.apply(variables, x, label, train=False, **drawn), stats
    out, new = network.apply(variables, x, label, train=True, **(
        dict(keys=keys) if drawn else {}), mutable=list(stats))
    return out, dict(new)

  return Model(init, apply, partial(_layer_table, network),
               _per_example(network))


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
          and getattr(network, 'minibatch', '') == 'none'
          and ':' not in network.norm  # a user's own
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
    params = jax.eval_shape(partial(module.init, train=False, **_no_keys(
        module)), random.key(0), x, label)['params']
  for path, leaf in jax.tree_util.tree_leaves_with_path(params):
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
  kind = '' if ':' in spec['name'] else spec['name'].rpartition('.')[2]
  network = lookup.find(__name__, spec['name'], kind)
  spec = {**lookup.defaults(__name__, spec['name'], kind), **spec}
  if spec.get('conditioning', 'none') != 'none':
    return 'conditioning'
  if spec.get('norm') == 'conditional_batch':
    return 'norm'
  said = spec.get('conditional', getattr(network, 'conditional', False))
  return 'name' if said else ''
