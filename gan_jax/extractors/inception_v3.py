"""The extractor of the FID and of the Inception Score."""

import hashlib
import logging
from functools import partial

import numpy as np

from gan_jax import parallel
from gan_jax.base.errors import DataError
from gan_jax.data.files import check_file, looks_like, one_error
from gan_jax.extractors import (
  graph_file,
  inception_net,
  resizing,
  stored,
  torch_file,
)
from gan_jax.extractors.base import Extractor, check_images, digest, in_chunks

# As in `cnn`.
_VERSION = 1
_CHUNK = 32
# sha256 of files whose weights are those of the published scores.
_KNOWN = {
    '6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2':
        'pt_inception-2015-12-05-6726825d.pth',
}
_GRAPH, _ZIP, _OLD = b'\n', b'PK\x03\x04', b'\x80\x02\x8a\n'
_BATCH_NORM = {'weight': 'gamma', 'bias': 'beta',
               'running_mean': 'moving_mean',
               'running_var': 'moving_variance'}
_log = logging.getLogger(__name__)


def inception(*, weights: str, resizer: resizing.Resizer = 'tf1') -> Extractor:
  """InceptionV3 of 2015, as the FID and the Inception Score have it.

  Features: what the last mean gives, [N, 2048]; logits [N, 1008] without their
  bias.  Grey images are taken as three equal channels.  Weights that were read
  once are kept in the cache as safetensors, by the sha256 of their file.

  Args:
    weights: a file of yours: TensorFlow's classify_image_graph_def.pb (from
      inception-2015-12-05.tgz), or pytorch-fid's
      pt_inception-2015-12-05-6726825d.pth. Nothing in either is run.
    resizer: see `resizing`; scores of different ones do not compare.

  Raises:
    DataError: no such file, another kind of file, other weights in it.
  """
  path = check_file(weights)
  with one_error(path, 'file of weights'), open(path, 'rb') as file:
    data = file.read()
  file_sha256 = hashlib.sha256(data).hexdigest()
  own = stored.path_of('inception', _VERSION, file_sha256)
  kept = stored.read(own)
  tensors = kept[0] if kept else read(path, data)
  if not kept:
    stored.write(own, tensors, {'file_sha256': file_sha256})
  if file_sha256 not in _KNOWN:
    _log.warning('%s (sha256 %s) is not a file known here: compare its scores '
                 'with published ones only if you trust where it comes from',
                 path, file_sha256)
  return build(tensors, resizer, dict(
      weights_file_sha256=file_sha256,
      weights_file=_KNOWN.get(file_sha256, 'unknown')))


def build(tensors, resizer, notes) -> Extractor:
  """The extractor of weights with the names and shapes of `read`."""
  mesh = parallel.own_mesh()
  folded = parallel.replicate(inception_net.fold(tensors), mesh)

  @parallel.spread
  def apply(weights, images):
    out = inception_net.forward(weights, resizing.on_device(resizer, images))
    return out['features'], out['logits']

  def extract(images):
    check_images(images, 'inception')
    if images.shape[3] not in (1, 3):
      raise ValueError(f'images of {images.shape[3]} channels: inception takes '
                       '1 or 3; choose channels=3 for the data')
    return in_chunks(partial(_apply, apply, folded, resizer), images,
                     _CHUNK * mesh.size)

  sha256 = digest(f'inception {_VERSION} {resizer}', tensors)
  # The resizer is a part of the score.
  name = 'inception' if resizer == 'tf1' else f'inception_{resizer}'
  return Extractor(name, sha256, extract, dict(
      resizer=resizer, **notes))


def _apply(apply, folded, resizer, images):
  images = np.broadcast_to(images, (*images.shape[:3], 3))
  return apply(folded, resizing.on_host(resizer, images))


def read(path, data) -> dict:
  """{name: float32 array} of all weights, named as in pytorch-fid.

  Args:
    path: for messages.
    data: what is in the file.

  Raises:
    DataError: a file of another kind, damaged, or with other weights.
  """
  if data.startswith((_ZIP, _OLD)):
    with one_error(path, 'state dict of torch'):
      found = torch_file.state_dict(data)
  elif data.startswith(_GRAPH):
    with one_error(path, 'TensorFlow graph'):
      found = _renamed(graph_file.constants(data))
  else:
    raise DataError(
        f'{path!r} is {looks_like(data[:16])}; the weights of Inception are '
        f'read from classify_image_graph_def.pb (unpack '
        f'inception-2015-12-05.tgz) or from '
        f'pt_inception-2015-12-05-6726825d.pth')
  for name, shape in inception_net.shapes().items():
    have = found[name].shape if name in found else 'absent'
    if have != shape:
      raise DataError(f'{path!r}: {name} is {have}, not {shape}; these are not '
                      f'the weights of the InceptionV3 of 2015')
    if not np.isfinite(found[name]).all():
      raise DataError(f'{path!r}: {name} has NaN or Inf; download it again')
  return {name: np.asarray(found[name], np.float32)
          for name in inception_net.shapes()}


def _renamed(constants):
  """From the names and axes of the graph to those of pytorch-fid."""
  pairs = [('fc.weight', 'softmax/weights', (1, 0))]
  for name, graph, _ in inception_net.table():
    pairs.append((f'{name}.conv.weight', f'{graph}/conv2d_params',
                  (3, 2, 0, 1)))
    pairs += [(f'{name}.bn.{own}', f'{graph}/batchnorm/{theirs}', (0,))
              for own, theirs in _BATCH_NORM.items()]
  return {own: constants[graph].transpose(axes) for own, graph, axes in pairs
          if graph in constants and constants[graph].ndim == len(axes)}
