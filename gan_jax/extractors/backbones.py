"""`read(path)`: the feature maps of a network from a file that you have.

For `extractors.projected`. No code in the file is run. Known are

  EfficientNet-Lite0 of timm, `tf_efficientnet_lite0` as .safetensors or .pth:
    the network of Projected GANs. Tan & Le 2019,
    https://arxiv.org/abs/1905.11946. For images of 224 px.
  InceptionV3 of 2015, in the files of `inception_v3`. For images of 299 px.
  the classifier of a data set, as `cnn` caches it: extractors/classifier-*
    .safetensors in the cache. For images of that set.
"""

import functools
import json
import os
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import safetensors.numpy
from jax import lax

from gan_jax.base.errors import DataError
from gan_jax.data.files import check_file, looks_like, one_error
from gan_jax.extractors import inception_v3, weight_files
from gan_jax.ops.conv import conv

# EfficientNet-Lite0: (blocks, channels, kernel, stride, expansion) of a stage.
_STAGES = ((1, 16, 3, 1, 1), (2, 24, 3, 2, 6), (2, 40, 5, 2, 6),
           (3, 80, 3, 2, 6), (3, 112, 5, 1, 6), (4, 192, 5, 2, 6),
           (1, 320, 3, 1, 6))
_STEM = 32
_ENDS = (1, 2, 4, 6)  # stages whose outputs are the maps


class Backbone(NamedTuple):
  """A fixed network.

  name: 'efficientnet_lite0', 'inception' or 'classifier'.
  weights: {layer: (kernel [h, w, I, O], bias [O])}, of the last layer of
    inception a matrix, or of the classifier {name: array}.
  channels: numbers of channels that its images may have; () for any.
  maps: (weights, images float32 [B, H, W, C] in [-1, 1]) -> feature maps [B, h,
    w, F], from the largest to the smallest.
  """

  name: str
  weights: dict
  channels: tuple[int, ...]
  maps: Callable


def read(path: str) -> Backbone:
  """The network in a file.

  Raises:
    DataError: no such file, or none of these networks.
  """
  path = check_file(path)
  found = os.stat(path)
  return _read(path, found.st_size, found.st_mtime_ns)


@functools.lru_cache(maxsize=2)
def _read(path, *version):  # of the file, which may be replaced
  del version
  with one_error(path, 'file of weights'), open(path, 'rb') as file:
    data = file.read()
  if data[8:9] == b'{':
    tensors = _safetensors(path, data)
  else:
    if data.startswith(b'\n'):
      return _inception(inception_v3.read(path, data))
    if not data.startswith((b'PK\x03\x04', b'\x80\x02\x8a\n')):
      raise DataError(f'{path!r} is {looks_like(data[:16])}; {_FIT}')
    with one_error(path, 'state dict of torch'):
      tensors = weight_files.state_dict(data)
    if 'Conv2d_1a_3x3.conv.weight' in tensors:
      return _inception(inception_v3.read(path, data))
  if 'conv_stem.weight' in tensors:
    return _efficientnet(path, tensors)
  if {'Conv_0/kernel', 'mean', 'std'} <= set(tensors):
    return _classifier(path, tensors)
  raise DataError(f'{path!r} has {len(tensors)} tensors, of '
                  f'{json.dumps(sorted(tensors)[:3])} ...; {_FIT}')


_FIT = ('what fits is tf_efficientnet_lite0 of timm, the InceptionV3 of 2015, '
        'or a classifier-*.safetensors of the cache of gan_jax')


def _safetensors(path, data) -> dict:
  with one_error(path, 'file of safetensors'):
    try:
      return safetensors.numpy.load(data)
    except safetensors.SafetensorError as e:  # Of no kind that Python has.
      raise ValueError(e) from e


def efficientnet_table() -> list[tuple]:
  """(layer, norm, kernel's shape [h, w, I, O]) by timm's names, in order."""
  found, channels = [('conv_stem', 'bn1', (3, 3, 3, _STEM))], _STEM
  for stage, (blocks, width, size, _, expansion) in enumerate(_STAGES):
    for block in range(blocks):
      name, inner = f'blocks.{stage}.{block}', channels * expansion
      depthwise = (size, size, 1, inner)
      if expansion == 1:
        found += [(f'{name}.conv_dw', f'{name}.bn1', depthwise),
                  (f'{name}.conv_pw', f'{name}.bn2', (1, 1, inner, width))]
      else:
        found += [(f'{name}.conv_pw', f'{name}.bn1', (1, 1, channels, inner)),
                  (f'{name}.conv_dw', f'{name}.bn2', depthwise),
                  (f'{name}.conv_pwl', f'{name}.bn3', (1, 1, inner, width))]
      channels = width
  return found


def _efficientnet(path, tensors) -> Backbone:
  weights = {}
  for name, norm, shape in efficientnet_table():
    parts = {f'{name}.weight': (shape[3], shape[2], *shape[:2])} | {
        f'{norm}.{part}': shape[3:]
        for part in ('weight', 'bias', 'running_mean', 'running_var')}
    weights[name.replace('.', '_')] = weight_files.folded(
        *weight_files.checked(path, tensors, parts, _FIT).values())
  return Backbone('efficientnet_lite0', weights, (1, 3), _efficientnet_maps)


def _efficientnet_maps(weights, x):
  def layer(name, x, stride=1, act=True):
    kernel, bias = weights[name]
    if kernel.shape[2] < x.shape[3]:  # one channel for each
      y = lax.conv_general_dilated(
          x, kernel, (stride, stride), 'SAME', feature_group_count=x.shape[3],
          dimension_numbers=('NHWC', 'HWIO', 'NHWC'))
    else:
      y = conv(x, kernel, stride=stride)
    y = y + bias.reshape(1, 1, 1, -1)
    return jnp.clip(y, 0.0, 6.0) if act else y

  maps, x = [], layer('conv_stem', _colours(x), stride=2)
  for stage, (blocks, _, _, stride, expansion) in enumerate(_STAGES):
    for block in range(blocks):
      name, y = f'blocks_{stage}_{block}', x
      stride = 1 if block else stride
      if expansion > 1:
        y = layer(f'{name}_conv_pw', y)
      y = layer(f'{name}_conv_dw', y, stride)
      last = f'{name}_conv_pw' + 'l' * (expansion > 1)
      y = layer(last, y, act=False)
      x = x + y if x.shape == y.shape else y
    if stage in _ENDS:
      maps.append(x)
  return maps


def _inception(tensors) -> Backbone:
  def maps(weights, x):
    found = inception_v3.forward(weights, _colours(x))
    return [found[name] for name in ('Conv2d_4a_3x3', 'Mixed_5d', 'Mixed_6e',
                                     'Mixed_7c')]

  return Backbone('inception', inception_v3.fold(tensors), (1, 3), maps)


def _classifier(path, tensors) -> Backbone:
  """Of `cnn.Network`: kernels of 4x4, which halve, and 3x3 between them."""
  kernels = [tensors[name].shape for name in sorted(
      (name for name in tensors if name.startswith('Conv_')),
      key=lambda name: (len(name), name))]
  shapes, inputs = {'mean': (), 'std': ()}, kernels[0][2:3]
  channels = inputs
  for i, shape in enumerate(kernels):
    side = 3 if i % 2 else 4
    outputs = shape[3:]
    shapes |= {f'Conv_{i}/kernel': (side, side, *inputs, *outputs)} | {
        f'Norm_{i}/LayerNorm_0/{part}': outputs for part in ('scale', 'bias')}
    inputs = outputs
  weights = {name: np.asarray(x, np.float32) for name, x in (
      weight_files.checked(path, tensors, shapes, _FIT).items())}
  if not weights['std'] > 0:
    raise DataError(f'{path!r}: std is not above 0; write it again')
  return Backbone('classifier', weights, channels, _classifier_maps)


def _classifier_maps(weights, x):
  """Outputs of the layers that halve, see `cnn.Network`."""
  x = ((x + 1.0) * 127.5 - weights['mean']) / weights['std']
  maps, i = [], 0
  while f'Conv_{i}/kernel' in weights:
    kernel = weights[f'Conv_{i}/kernel']
    halves = kernel.shape[0] == 4
    x = conv(x, kernel, stride=1 + halves)
    mean = x.mean((1, 2, 3), keepdims=True)
    x = (x - mean) * lax.rsqrt(x.var((1, 2, 3), keepdims=True) + 1e-5)
    scale, bias = (weights[f'Norm_{i}/LayerNorm_0/{name}'].reshape(1, 1, 1, -1)
                   for name in ('scale', 'bias'))
    x = jax.nn.relu(x * scale + bias)
    maps += [x] * halves
    i += 1
  return maps


def _colours(x):
  return jnp.broadcast_to(x, (*x.shape[:3], 3))
