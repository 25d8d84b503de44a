"""Networks: one file per architecture.

`Model(init, apply)` is all that the rest of the program knows of a network.
The networks here are flax.linen modules; anything else enters by supplying the
same pair. Their constructors receive, where they name them: `image_shape`
(H, W, C), `image_range` (lo, hi), `num_classes`, `dtype`, `axis_name`, the
device axis over which batch statistics are averaged, and, discriminators,
`heads`, the further outputs that a loss asks for. A network that looks at the
label has a field `conditioning`, which says how, or says so itself with a
class attribute (of a function: an attribute) `conditional = True`.
"""

import collections
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
from flax import linen as nn
from jax import random

from gan_jax.base import lookup


class Model(NamedTuple):
  """A network as pure functions of its parameters.

  init: (key, x, label) -> (params, stats)
  apply: (params, stats, x, label, *, train) -> (out, stats)
  describe: (x, label) -> a table of its layers, for people.

  A generator maps z [B, Z] and label [B] int32 to images [B, H, W, C] in
  `image_range`, a discriminator images and label to a `Critique`. `stats` are
  what changes without a gradient, such as batch norm's running averages.
  """

  init: Callable
  apply: Callable
  describe: Callable


class Critique(NamedTuple):
  """logits [B], features [B, F] before the last layer, heads {name: ...}."""

  logits: object
  features: object
  heads: dict


def from_linen(module: nn.Module) -> Model:
  """Wraps a linen module whose call is `(x, label, *, train)`."""
  def init(key, x, label):
    stats = dict(module.init(key, x, label, train=False))
    return stats.pop('params'), stats

  def apply(params, stats, x, label, *, train):
    variables = {'params': params, **stats}
    if not train:
      return module.apply(variables, x, label, train=False), stats
    out, new = module.apply(variables, x, label, train=True,
                            mutable=list(stats))
    return out, dict(new)

  def describe(x, label):
    return _layer_table(module, x, label)

  return Model(init, apply, describe)


def as_model(network) -> Model:
  """A linen module, or anything with init and apply, as a `Model`.

  Raises:
    ValueError: neither of the two.
  """
  if isinstance(network, nn.Module):
    return from_linen(network)
  if hasattr(network, 'init') and hasattr(network, 'apply'):
    describe = getattr(network, 'describe', lambda x, label: repr(network))
    return Model(network.init, network.apply, describe)
  raise ValueError(f'{network!r} is neither a flax.linen module nor a Model')


def is_conditional(spec: Mapping) -> bool:
  """Whether the network of a spec from the config looks at the label.

  Raises:
    ValueError: no such network.
  """
  return bool(conditioned_by(spec))


def conditioned_by(spec: Mapping) -> str:
  """The key of a spec that makes its network look at the label, '' for none.

  'conditioning', 'norm', or 'name' of a network that says so itself. Arguments
  that the spec leaves out have the network's defaults.

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


def _layer_table(module: nn.Module, x, label) -> str:
  """A line per layer with parameters: path, shape of its output, their number.

  In the order of the forward pass, which is traced and not computed.
  """
  shapes = {}

  def watch(call, args, kwargs, context):
    out = call(*args, **kwargs)
    if context.method_name == '__call__':
      shapes['/'.join(context.module.path)] = jax.tree.leaves(out)[0].shape
    return out

  def forward(x, label):
    with nn.intercept_methods(watch):
      return module.init(random.key(0), x, label, train=False)['params']

  counts = collections.Counter()
  for path, leaf in jax.tree_util.tree_leaves_with_path(
      jax.eval_shape(forward, x, label)):
    counts['/'.join(key.key for key in path[:-1])] += leaf.size
  lines = [('layer', 'output', 'parameters')]
  lines += [(name, str(list(shape)), f'{counts[name]:,}')
            for name, shape in shapes.items() if counts[name]]
  lines.append(('all', str(list(shapes[''])), f'{counts.total():,}'))
  width = [max(len(line[i]) for line in lines) for i in range(3)]
  return '\n'.join(f'  {a:{width[0]}}  {b:{width[1]}}  {c:>{width[2]}}'
                   for a, b, c in lines)
