"""InceptionV3 as its first TensorFlow release has it: the network of the FID.

Szegedy et al. 2016, https://arxiv.org/abs/1512.00567; Heusel et al. 2017,
https://arxiv.org/abs/1706.08500.  It differs from later releases: 1008 classes,
means over a window that leave out the padding, and a maximum where the last
block of the paper has a mean.

Layers have two names: that of pytorch-fid's state dict, 'Mixed_5b.branch1x1',
under which weights are kept here, and that of TensorFlow's graph, 'mixed/conv'.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from gan_jax.ops.conv import conv

SIDE = 299  # of the images
FEATURES, CLASSES = 2048, 1008
_EPSILON = 1e-3  # of the batch norms


class Layer(NamedTuple):
  """Convolution without bias, batch norm by fixed statistics, ReLU."""

  name: str
  graph: str
  width: int
  kernel: tuple
  stride: int = 1
  padding: str = 'SAME'


class Branch(NamedTuple):
  """pool, then `layers` in turn, then each of `fork` on what they give.

  pool: '', 'mean' or 'max' of 3x3, or 'halve', the maximum with stride 2.
  """

  layers: tuple = ()
  fork: tuple = ()
  pool: str = ''


def _layers(name, tower, *sizes, halve=False):
  """A chain of layers (width, kernel height, width); the last may halve."""
  found = []
  for i, (width, *kernel) in enumerate(sizes):
    last = i == len(sizes) - 1
    found.append(Layer(
        f'{name}_{i + 1}' if len(sizes) > 1 else name,
        f'{tower}conv' + (f'_{i}' if i else ''), width, tuple(kernel),
        *((2, 'VALID') if halve and last else ())))
  return tuple(found)


def _fork(name, tower, letters):
  return (Layer(f'{name}_{letters[0]}', f'{tower}mixed/conv', 384, (1, 3)),
          Layer(f'{name}_{letters[1]}', f'{tower}mixed/conv_1', 384, (3, 1)))


def _first(width):
  return Branch(_layers('branch1x1', '', (width, 1, 1)))


def _pooled(width, pool='mean'):
  return Branch(_layers('branch_pool', 'tower_2/', (width, 1, 1)), pool=pool)


def _a(pooled):
  return (
      _first(64),
      Branch(_layers('branch5x5', 'tower/', (48, 1, 1), (64, 5, 5))),
      Branch(_layers('branch3x3dbl', 'tower_1/', (64, 1, 1), (96, 3, 3),
                     (96, 3, 3))),
      _pooled(pooled))


_B = (
    Branch(_layers('branch3x3', '', (384, 3, 3), halve=True)),
    Branch(_layers('branch3x3dbl', 'tower/', (64, 1, 1), (96, 3, 3), (96, 3, 3),
                   halve=True)),
    Branch(pool='halve'))


def _c(width):
  return (
      _first(192),
      Branch(_layers('branch7x7', 'tower/', (width, 1, 1), (width, 1, 7),
                     (192, 7, 1))),
      Branch(_layers('branch7x7dbl', 'tower_1/', (width, 1, 1), (width, 7, 1),
                     (width, 1, 7), (width, 7, 1), (192, 1, 7))),
      _pooled(192))


_D = (
    Branch(_layers('branch3x3', 'tower/', (192, 1, 1), (320, 3, 3),
                   halve=True)),
    Branch(_layers('branch7x7x3', 'tower_1/', (192, 1, 1), (192, 1, 7),
                   (192, 7, 1), (192, 3, 3), halve=True)),
    Branch(pool='halve'))


def _e(pool):
  # The second fork starts from two layers, hence 3a and 3b.
  head, = _layers('branch3x3_1', 'tower/', (384, 1, 1))
  return (
      _first(320),
      Branch((head,), _fork('branch3x3', 'tower/', ('2a', '2b'))),
      Branch(_layers('branch3x3dbl', 'tower_1/', (448, 1, 1), (384, 3, 3)),
             _fork('branch3x3dbl', 'tower_1/', ('3a', '3b'))),
      _pooled(192, pool))


# (name, name in the graph, branches whose outputs are joined).
_STEM = (
    ('', '', (Branch((
        Layer('Conv2d_1a_3x3', 'conv', 32, (3, 3), 2, 'VALID'),
        Layer('Conv2d_2a_3x3', 'conv_1', 32, (3, 3), 1, 'VALID'),
        Layer('Conv2d_2b_3x3', 'conv_2', 64, (3, 3)))),)),
    ('', '', (Branch((
        Layer('Conv2d_3b_1x1', 'conv_3', 80, (1, 1)),
        Layer('Conv2d_4a_3x3', 'conv_4', 192, (3, 3), 1, 'VALID')),
        pool='halve'),)),
    ('', '', (Branch(pool='halve'),)))
_MIXED = (
    ('5b', _a(32)), ('5c', _a(64)), ('5d', _a(64)), ('6a', _B), ('6b', _c(128)),
    ('6c', _c(160)), ('6d', _c(160)), ('6e', _c(192)), ('7a', _D),
    ('7b', _e('mean')), ('7c', _e('max')))
BLOCKS = _STEM + tuple(
    (f'Mixed_{name}.', f'mixed_{i}/' if i else 'mixed/', branches)
    for i, (name, branches) in enumerate(_MIXED))


def table() -> list[tuple]:
  """(name, name in the graph, kernel's shape [h, w, I, O]) of every layer."""
  found, channels = [], 3
  for name, graph, branches in BLOCKS:
    joined = 0
    for branch in branches:
      width = channels
      for layer in branch.layers:
        found.append((name + layer.name, graph + layer.graph,
                      (*layer.kernel, width, layer.width)))
        width = layer.width
      for layer in branch.fork:
        found.append((name + layer.name, graph + layer.graph,
                      (*layer.kernel, width, layer.width)))
      joined += sum(v.width for v in branch.fork) or width
    channels = joined
  return found


def shapes() -> dict[str, tuple]:
  """{name: shape} of all weights, as in pytorch-fid's state dict."""
  found = {'fc.weight': (CLASSES, FEATURES)}
  for name, _, (height, width, inputs, outputs) in table():
    found[f'{name}.conv.weight'] = (outputs, inputs, height, width)
    for part in ('weight', 'bias', 'running_mean', 'running_var'):
      found[f'{name}.bn.{part}'] = (outputs,)
  return found


def fold(tensors) -> dict:
  """Weights of `shapes` -> {layer: (kernel [h, w, I, O], bias [O])}, 'fc'.

  y = (W x - mean) gamma / sqrt(var + 0.001) + beta, as one product and a sum.
  """
  found = {'fc': np.asarray(tensors['fc.weight'], np.float32).T}
  for name, *_ in table():
    kernel, gamma, beta, mean, var = (
        np.asarray(tensors[f'{name}.{part}'], np.float64) for part in (
            'conv.weight', 'bn.weight', 'bn.bias', 'bn.running_mean',
            'bn.running_var'))
    scale = gamma / np.sqrt(var + _EPSILON)
    kernel = kernel.transpose(2, 3, 1, 0) * scale
    found[name] = (kernel.astype(np.float32),
                   (beta - mean * scale).astype(np.float32))
  return found


def forward(weights, x) -> dict:
  """The network on images float32 [B, H, W, 3] in about [-1, 1].

  Args:
    weights: of `fold`.
    x: sides of 75 or more; 299 in the FID.

  Returns:
    {'Conv2d_4a_3x3': ..., 'Mixed_5b': ..., 'features': [B, 2048], 'logits':
    [B, 1008]}: what each block gives, [B, h, w, C]; logits without their bias,
    as the Inception Score has them.
  """
  found = {}
  for block, _, branches in BLOCKS:
    x = jnp.concatenate(
        [y for branch in branches for y in _branch(weights, block, branch, x)],
        axis=-1)
    found[block[:-1] or _last(branches, found)] = x
  features = x.mean(axis=(1, 2))
  return {**found, 'features': features, 'logits': features @ weights['fc']}


def _last(branches, found):
  """Blocks of the stem are known by their last layer."""
  last = branches[-1].layers
  return last[-1].name if last else f'{list(found)[-1]}/pool'


def _branch(weights, block, branch, x):
  if branch.pool:
    x = _pool(x, branch.pool)
  for layer in branch.layers:
    x = _layer(weights, block, layer, x)
  return [_layer(weights, block, layer, x) for layer in branch.fork] or [x]


def _pool(x, kind):
  if kind == 'halve':
    return nn.max_pool(x, (3, 3), (2, 2), 'VALID')
  if kind == 'max':
    return nn.max_pool(x, (3, 3), (1, 1), 'SAME')
  return nn.avg_pool(x, (3, 3), (1, 1), 'SAME', count_include_pad=False)


def _layer(weights, block, layer, x):
  kernel, bias = weights[block + layer.name]
  x = conv(x, kernel, stride=layer.stride, padding=layer.padding)
  return jax.nn.relu(x + bias.reshape(1, 1, 1, -1))
