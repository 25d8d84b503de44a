"""InceptionV3 of 2015: the extractor of the FID and of the Inception Score.

The first TensorFlow release differs from later ones: 1008 classes, mean pooling
that does not count the padding, and max pooling where the last block of the
paper has mean pooling.

Images are resized to 299 x 299 first, in a way that is part of a score's name
(Parmar et al. 2022, https://arxiv.org/abs/2104.11222):

  tf1      bilinear as in TensorFlow 1: pixel i of the result is at i * H / 299,
           without the shift of half a pixel and without a low-pass filter; then
           (x - 128) / 128. The FID of Heusel et al. 2017 and torch-fidelity.
  pytorch  bilinear with the shift, pixel i at (i + 1/2) H / 299 - 1/2, without
           a filter; then 2 x / 255 - 1. pytorch-fid.
  clean    bicubic with a filter, by Pillow, in float32, clipped to [0, 255];
           then (x - 128) / 128. clean-fid.
"""

import hashlib
import logging
import re
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from PIL import Image

from gan_jax import parallel
from gan_jax.base.errors import DataError
from gan_jax.data.files import check_file, looks_like, one_error
from gan_jax.extractors import base, weight_files
from gan_jax.ops.conv import conv

Resizer = Literal['tf1', 'pytorch', 'clean']
SIDE = 299  # of the images
FEATURES, CLASSES = 2048, 1008
# To be increased by any change of what the network computes.
_VERSION = 1
_CHUNK = 32  # images at a time on a device
# sha256 of files whose weights are those of the published scores.
_KNOWN = {
    '6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2':
        'pt_inception-2015-12-05-6726825d.pth'}
_BATCH_NORM = {'weight': 'gamma', 'bias': 'beta',
               'running_mean': 'moving_mean',
               'running_var': 'moving_variance'}
_log = logging.getLogger(__name__)


def inception(*, weights: str, resizer: Resizer = 'tf1') -> base.Extractor:
  """InceptionV3 of 2015, as the FID and the Inception Score use it.

  Szegedy et al. 2016, https://arxiv.org/abs/1512.00567; Heusel et al. 2017,
  https://arxiv.org/abs/1706.08500. Features [N, 2048] are the output of the
  last pooling; logits [N, 1008] have no bias. Grey images become three equal
  channels. Weights are cached under their sha256.

  Args:
    weights: your own file: TensorFlow's classify_image_graph_def.pb (from
      inception-2015-12-05.tgz), or pytorch-fid's
      pt_inception-2015-12-05-6726825d.pth. No code in either is run.
    resizer: 'tf1', 'pytorch' or 'clean', see the module; their scores do not
      compare.

  Raises:
    DataError: no such file, or other weights in it.
  """
  path = check_file(weights)
  with one_error(path, 'file of weights'), open(path, 'rb') as file:
    data = file.read()
  file_sha256 = hashlib.sha256(data).hexdigest()
  cached = base.cache_path('inception', _VERSION, file_sha256)
  kept = base.read_cache(cached)
  tensors = kept[0] if kept else read(path, data)
  if not kept:
    base.write_cache(cached, tensors, {'file_sha256': file_sha256})
  if file_sha256 not in _KNOWN:
    _log.warning('%s (sha256 %s) is not a file known here: compare its scores '
                 'with published ones only if you trust where it comes from',
                 path, file_sha256)
  return build(tensors, resizer, dict(
      weights_file_sha256=file_sha256,
      weights_file=_KNOWN.get(file_sha256, 'unknown')))


def build(tensors, resizer, notes) -> base.Extractor:
  """The extractor of weights with the names and shapes of `read`."""
  mesh = parallel.own_mesh()
  folded = parallel.replicate(fold(tensors), mesh)

  @parallel.spread
  def apply(weights, images):
    out = forward(weights, resize_on_device(resizer, images))
    return out['features'], out['logits']

  def apply_to_colours(images):
    images = np.broadcast_to(images, (*images.shape[:3], 3))
    return apply(folded, resize_on_host(resizer, images))

  def extract(images):
    base.check_images(images, 'inception')
    if images.shape[3] not in (1, 3):
      raise ValueError(f'images of {images.shape[3]} channels: inception takes '
                       '1 or 3; use data.channels=3')
    return base.in_chunks(apply_to_colours, images, _CHUNK * mesh.size)

  sha256 = base.hash_arrays(f'inception {_VERSION} {resizer}', tensors)
  name = 'inception' if resizer == 'tf1' else f'inception_{resizer}'
  return base.Extractor(name, sha256, extract, dict(resizer=resizer, **notes))


def read(path, data) -> dict:
  """{name: float32 array} of all weights, of the content of a file.

  Raises:
    DataError: a file of another kind, damaged, or with other weights.
  """
  if data.startswith((b'PK\x03\x04', b'\x80\x02\x8a\n')):
    with one_error(path, 'state dict of torch'):
      found = weight_files.state_dict(data)
  elif data.startswith(b'\n'):
    with one_error(path, 'TensorFlow graph'):
      constants = weight_files.graph_constants(data)
    found = {name: constants[graph].transpose(axes)
             for name, (_, graph, axes) in weights_table().items()
             if graph in constants and constants[graph].ndim == len(axes)}
  else:
    raise DataError(
        f'{path!r} is {looks_like(data[:16])}; the weights of Inception are '
        f'read from classify_image_graph_def.pb (unpack '
        f'inception-2015-12-05.tgz) or from '
        f'pt_inception-2015-12-05-6726825d.pth')
  found = weight_files.checked(
      path, found, {name: row[0] for name, row in weights_table().items()},
      'these are not the weights of the InceptionV3 of 2015')
  return {name: np.asarray(x, np.float32) for name, x in found.items()}


def resize_on_host(resizer: Resizer, images) -> np.ndarray:
  """The part of the resizing that needs Pillow: uint8 [B, H, W, 3]."""
  if resizer != 'clean':
    return images
  out = np.empty((len(images), SIDE, SIDE, images.shape[3]), np.float32)
  for i, image in enumerate(images):
    for c in range(images.shape[3]):
      plane = Image.fromarray(image[..., c].astype(np.float32))
      out[i, ..., c] = plane.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
  return out.clip(0.0, 255.0)


def resize_on_device(resizer: Resizer, images):
  """From `resize_on_host` to the network: float32 [B, 299, 299, 3]."""
  x = images.astype(np.float32)
  if resizer == 'pytorch':
    return _bilinear(x / 255.0, shift=0.5) * 2.0 - 1.0
  if resizer == 'tf1':
    x = _bilinear(x, shift=0.0)
  return (x - 128.0) / 128.0


def _bilinear(x, shift):
  for axis in (2, 1):  # The order in which TensorFlow rounds.
    size = x.shape[axis]
    scale = np.float32(size / SIDE)
    at = (np.arange(SIDE, dtype=np.float32) + np.float32(shift)) * scale
    at = np.maximum(at - np.float32(shift), np.float32(0.0))
    low = np.minimum(at.astype(np.int64), size - 1)
    high = np.minimum(low + 1, size - 1)
    part = (at - low.astype(np.float32)).reshape(
        [SIDE if i == axis else 1 for i in range(4)])
    below = x.take(low, axis)
    x = below + (x.take(high, axis) - below) * part
  return x


class Layer(NamedTuple):
  """Convolution without bias, batch norm by fixed statistics, ReLU."""

  name: str  # in pytorch-fid's state dict and here: 'Mixed_5b.branch1x1'
  graph: str  # in TensorFlow's graph: 'mixed/conv'
  width: int
  kernel: tuple
  stride: int = 1
  padding: str = 'SAME'


_STEM = (
    Layer('Conv2d_1a_3x3', 'conv', 32, (3, 3), 2, 'VALID'),
    Layer('Conv2d_2a_3x3', 'conv_1', 32, (3, 3), 1, 'VALID'),
    Layer('Conv2d_2b_3x3', 'conv_2', 64, (3, 3)),
    'halve',
    Layer('Conv2d_3b_1x1', 'conv_3', 80, (1, 1)),
    Layer('Conv2d_4a_3x3', 'conv_4', 192, (3, 3), 1, 'VALID'),
    'halve')
# The other blocks. A line is a branch, whose outputs are joined: its name, its
# folder in the graph, and its steps: a pooling ('mean' or 'max' of 3x3, 'halve'
# for the maximum with stride 2), or width:kernel of a convolution, '/2' with
# stride 2 and no padding. Two convolutions with '|' take the same input.
_A = """branch1x1 . 64:1x1
branch5x5 tower/ 48:1x1 64:5x5
branch3x3dbl tower_1/ 64:1x1 96:3x3 96:3x3
branch_pool tower_2/ mean {}:1x1"""
_B = """branch3x3 . 384:3x3/2
branch3x3dbl tower/ 64:1x1 96:3x3 96:3x3/2
branch_pool . halve"""
_C = """branch1x1 . 192:1x1
branch7x7 tower/ {0}:1x1 {0}:1x7 192:7x1
branch7x7dbl tower_1/ {0}:1x1 {0}:7x1 {0}:1x7 {0}:7x1 192:1x7
branch_pool tower_2/ mean 192:1x1"""
_D = """branch3x3 tower/ 192:1x1 320:3x3/2
branch7x7x3 tower_1/ 192:1x1 192:1x7 192:7x1 192:3x3/2
branch_pool . halve"""
_E = """branch1x1 . 320:1x1
branch3x3 tower/ 384:1x1 384:1x3|384:3x1
branch3x3dbl tower_1/ 448:1x1 384:3x3 384:1x3|384:3x1
branch_pool tower_2/ {} 192:1x1"""
_MIXED = {
    '5b': _A.format(32), '5c': _A.format(64), '5d': _A.format(64), '6a': _B,
    '6b': _C.format(128), '6c': _C.format(160), '6d': _C.format(160),
    '6e': _C.format(192), '7a': _D, '7b': _E.format('mean'),
    '7c': _E.format('max')}


def _branch(block, graph, line):
  """Steps of a line: a pooling's name, or layers that share an input."""
  name, tower, *steps = line.split()
  numbered = sum(':' in step for step in steps) > 1
  found, number = [], 0
  for step in steps:
    parts = re.findall(r'(\d+):(\d)x(\d)(/2)?', step)
    number += bool(parts)
    layers = []
    for i, (width, *kernel, halves) in enumerate(parts):
      letter, place = ('ab'[i], i) if len(parts) > 1 else ('', number - 1)
      layers.append(Layer(
          f'{block}.{name}' + f'_{number}{letter}' * numbered,
          graph + tower.strip('.') + 'mixed/' * bool(letter) + 'conv'
          + f'_{place}' * bool(place), int(width), tuple(map(int, kernel)),
          *((2, 'VALID') if halves else ())))
    found.append(layers or step)
  return found


# {name of a block: branches [[step]]}.
BLOCKS = {
    getattr(step, 'name', f'pool_{i}'): [[[step] if step != 'halve' else step]]
    for i, step in enumerate(_STEM)} | {
    f'Mixed_{name}': [_branch(f'Mixed_{name}', f'mixed_{i}/' if i else 'mixed/',
                              line) for line in text.splitlines()]
    for i, (name, text) in enumerate(_MIXED.items())}


def table() -> list[tuple]:
  """(name, name in the graph, kernel's shape [h, w, I, O]) of every layer."""
  found, channels = [], 3
  for branches in BLOCKS.values():
    joined = 0
    for steps in branches:
      width = channels
      for step in steps:
        if not isinstance(step, str):
          found += [(layer.name, layer.graph, (*layer.kernel, width,
                                               layer.width)) for layer in step]
          width = sum(layer.width for layer in step)
      joined += width
    channels = joined
  return found


def weights_table() -> dict[str, tuple]:
  """{pytorch-fid's name of weights: (shape, graph's name, its axes)}."""
  found = {'fc.weight': ((CLASSES, FEATURES), 'softmax/weights', (1, 0))}
  for name, graph, (height, width, inputs, outputs) in table():
    found[f'{name}.conv.weight'] = ((outputs, inputs, height, width),
                                    f'{graph}/conv2d_params', (3, 2, 0, 1))
    found |= {f'{name}.bn.{own}': ((outputs,), f'{graph}/batchnorm/{theirs}',
                                   (0,)) for own, theirs in _BATCH_NORM.items()}
  return found


def fold(tensors) -> dict:
  """Weights of `read` -> {layer: (kernel [h, w, I, O], bias [O])}, 'fc'."""
  found = {'fc': np.asarray(tensors['fc.weight'], np.float32).T}
  for name, *_ in table():
    found[name] = weight_files.folded(tensors[f'{name}.conv.weight'], *(
        tensors[f'{name}.bn.{part}'] for part in _BATCH_NORM))
  return found


def forward(weights, x) -> dict:
  """Outputs of all blocks for `fold`ed weights and x of about [-1, 1].

  From [B, H, W, 3], sides of 75 or more, {'Conv2d_1a_3x3': [B, h, w, C], ...,
  'features': [B, 2048], 'logits': [B, 1008]}; logits without their bias, as in
  the Inception Score.
  """
  found = {}
  for block, branches in BLOCKS.items():
    outs = []
    for steps in branches:
      ys = [x]
      for step in steps:
        ys = ([_pool(ys[0], step)] if isinstance(step, str) else
              [_layer(weights, layer, ys[0]) for layer in step])
      outs += ys
    x = found[block] = jnp.concatenate(outs, axis=-1)
  features = x.mean(axis=(1, 2))
  return {**found, 'features': features, 'logits': features @ weights['fc']}


def _pool(x, kind):
  if kind == 'halve':
    return nn.max_pool(x, (3, 3), (2, 2), 'VALID')
  if kind == 'max':
    return nn.max_pool(x, (3, 3), (1, 1), 'SAME')
  return nn.avg_pool(x, (3, 3), (1, 1), 'SAME', count_include_pad=False)


def _layer(weights, layer, x):
  kernel, bias = weights[layer.name]
  x = conv(x, kernel, stride=layer.stride, padding=layer.padding)
  return jax.nn.relu(x + bias.reshape(1, 1, 1, -1))
