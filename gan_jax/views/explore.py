"""--mode=explore: a folder whose page draws a generator's images in a browser.

The page runs the ONNX generator by onnxruntime-web: no server, no network.
"""

import base64
import contextlib
import gzip
import hashlib
import http.client
import io
import json
import os
import pathlib
import shutil
import subprocess
import tarfile
import urllib.request
from collections import OrderedDict
from functools import partial
from typing import NamedTuple

import jax
import numpy as np
from flax import linen as nn

from gan_jax.base.errors import RequestError, first_line
from gan_jax.base.files import write_file
from gan_jax.data import cache
from gan_jax.data.label_values import name_of
from gan_jax.views import export
from gan_jax.views.templates import asset, fill
from gan_jax.views.trained import Trained

_PACKAGE = 'onnxruntime-web-1.30.0.tgz'
# As npm has it, under dist.integrity.
_SHA512 = ('q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02V'
           'b7QmRMDs1SigqR4CXAfKYQ==')
_SLIDERS, _LATENTS, _BYTES, _BATCH = 10, 4096, 2**28, 256


class Directions(NamedTuple):
  """Where the features of a generator vary most, see `directions`.

  steps: [K, Z], what one standard deviation along each adds to z.
  shares: [K], of the variance of the features.
  layer: whose output the features are, '' for the images.
  """

  steps: np.ndarray
  shares: np.ndarray
  layer: str


def explore(folder: str, out: str, *, strict: bool = False) -> str:
  """Writes a page to explore a run's latent space; says where and how.

  `out`: a new folder. `strict`: refuse an older checkpoint where the newest is
  damaged.

  Raises:
    WorkdirError, CheckpointError, RequestError: with what to do; nothing is
      written then.
  """
  out = out.rstrip('/')
  if os.path.lexists(out):
    raise RequestError(f'--out={out} exists; remove it, or give another name')
  onnxruntime = export.converter()[2]
  run = Trained(folder, strict=strict)
  shape, latent = run.info.image_shape, export.latent_of(run)
  if len(shape) != 3 or shape[2] not in (1, 3, 4):
    raise RequestError(
        f'{folder}: the page shows images of 1, 3 or 4 channels, and examples '
        f'here are {list(shape)}; --mode=sample draws them')
  files = _runtime(pathlib.Path(onnxruntime.__file__).parent)
  model, _ = export.onnx_of(run)
  found = directions(run)
  name = os.path.basename(os.path.abspath(folder))
  columns = run.info.label_columns if run.conditional else ()
  noise = run.noise(run.latents(1))  # The same for all that the page draws.
  data = {
      'name': name, 'step': run.step, 'shape': shape,
      'range': run.config['image_range'], 'latent': latent,
      'classes': run.info.classes if run.conditional else (),
      'columns': columns, 'label': run.labels(1)[0].tolist(),
      'noise': noise if noise is None else np.round(noise[0], 4).tolist(),
      'directions': np.round(found.steps, 6).tolist(), 'model': _text(model)}
  if latent['name'] not in export.PRIORS:  # Which the page cannot draw from.
    data['pool'] = np.round(run.latents(512), 5).tolist()
  files |= {
      'data.js': f'const DATA = {json.dumps(data)};\n'.encode(),
      'explore.js': asset('explore.js'), 'explore.css': asset('explore.css'),
      'index.html': fill(
          'explore.html', name=name, run=run, latent=latent, found=found,
          columns=columns,
          names={label: name_of(label, run.info.class_names)
                 for label in run.info.classes if run.conditional}).encode()
                    + b'\n'}
  export.write(out, files)
  return (f'generator of step {run.step} in {os.path.join(out, "index.html")}: '
          'open it in a browser, also as a file; it needs no server and no '
          'network')


def directions(run: Trained) -> Directions:
  """GANSpace's.  Haerkoenen et al. 2020, arXiv:2004.02546.

  Principal components of what the first layer that has a kernel and depends on
  z puts out for many latents, or of the images if a network has none; each is
  taken back to z by least squares. What the label decides is taken out before
  (of a label vector, what is linear in it), and the codes of InfoGAN stand
  still: they have controls of their own.
  """
  # The weights are arguments: as constants they would be compiled.
  function, weights = run.function.func, run.function.args
  seen = jax.jit(partial(_layers, function))(
      *weights, run.latents(16), np.repeat(run.labels(1), 16, axis=0))
  layer = next(name for name, x in seen.items() if not name or (
      x.shape[:1] == (16,) and np.ptp(x, 0).max() > 1e-6))
  size = seen[layer][0].size
  count = max(_BATCH, min(_LATENTS, _BYTES // (4 * size)) // _BATCH * _BATCH)
  z, label = run.latents(count).copy(), run.labels(count)
  latent = export.latent_of(run)
  if latent['name'] == 'infogan':
    codes = latent['size'] - latent['noise']
    z[:, :codes] = z[0, :codes]
  outputs = jax.jit(lambda *inputs: _layers(function, *inputs)[layer])
  features = np.concatenate([
      np.asarray(outputs(*weights, z[i:i + _BATCH], label[i:i + _BATCH]),
                 np.float32)
      for i in range(0, count, _BATCH)]).reshape(count, -1)
  if label.ndim == 2:
    known = np.concatenate([np.ones_like(label[:, :1]), label], 1)
    features -= known @ np.linalg.lstsq(known, features)[0]
  for value in np.unique(label) if label.ndim == 1 else ():
    features[label == value] -= features[label == value].mean(0)
  return Directions(*principal(features, z), layer)


def principal(features, z) -> tuple[np.ndarray, np.ndarray]:
  """Directions [K, Z] of z and shares [K], of features [N, F] with mean 0.

  With x_k the k-th principal coordinate of the features, divided by its
  standard deviation, u_k = argmin sum_n |x_nk u_k - z_n|^2 = mean_n x_nk z_n.
  """
  from scipy.sparse.linalg import svds  # Slow to import.
  n, most = len(z), min(*features.shape, _SLIDERS + 1, z.shape[1] + 1) - 1
  x, sizes, _ = svds(features, max(1, most), v0=np.random.default_rng(0).normal(
      size=min(features.shape)))
  shares = sizes[::-1] ** 2 / max(np.square(features).sum(), 1e-12)
  steps = x.T[::-1] @ (z - z.mean(0)) / np.sqrt(n)
  # The sign is chance: the largest entry decides.
  steps *= np.sign(np.take_along_axis(
      steps, np.abs(steps).argmax(1, keepdims=True), 1))
  return steps[shares > 1e-6], shares[shares > 1e-6]


def _layers(function, *inputs):
  """{path: output} of the layers with a kernel, in order, and '': images."""
  seen = OrderedDict()  # Any other jit would sort.

  def watch(call, args, kwargs, context):
    out = call(*args, **kwargs)
    if (context.method_name == '__call__' and context.module.path
        and context.module.has_variable('params', 'kernel')):
      seen.setdefault('/'.join(context.module.path), out)
    return out

  with nn.intercept_methods(watch):
    seen[''] = function(*inputs)
  return seen


def _runtime(onnxruntime) -> dict:
  """The files of onnxruntime-web, with the licence of onnxruntime."""
  with tarfile.open(fileobj=io.BytesIO(_package())) as tar:
    script, glue, wasm = (
        tar.extractfile(f'package/dist/{name}').read() for name in (
            'ort.wasm.min.js', 'ort-wasm-simd-threaded.mjs',
            'ort-wasm-simd-threaded.wasm'))
  # Browsers load no modules and no bytes from file://, but they load scripts.
  return {
      'ort.wasm.min.js': script.partition(b'\n//# sourceMappingURL')[0] + b'\n',
      'runtime.js': (f'const RUNTIME = {{"glue": {json.dumps(glue.decode())},\n'
                     f'"wasm": "{_text(gzip.compress(wasm, mtime=0))}"}};\n'
                     ).encode(),
      **{f'onnxruntime-{name}': (onnxruntime / name).read_bytes()
         for name in ('LICENSE', 'ThirdPartyNotices.txt')}}


def _package() -> bytes:
  """The npm package, from the cache or the registry.

  Raises:
    RequestError: there is none, or another than the one that is known.
  """
  path = pathlib.Path(cache.root(), _PACKAGE)
  if path.exists() and _is_known(data := path.read_bytes()):
    return data
  name, _, version = _PACKAGE.removesuffix('.tgz').rpartition('-')
  fix = (f'; `npm pack {name}@{version}` gets {_PACKAGE} (33 MB) elsewhere: '
         f'put it into {path.parent}')
  # Where npm gets packages: its environment variable, or what it says.
  registry = os.environ.get('npm_config_registry', '')
  if not registry and (npm := shutil.which('npm')):
    registry = subprocess.run([npm, 'config', 'get', 'registry'],
                              capture_output=True, text=True).stdout.strip()
  if not registry:
    raise RequestError(f'the page needs the npm package {name}, and there is '
                       f'no npm to say where packages are{fix}')
  url = f'{registry.rstrip("/")}/{name}/-/{_PACKAGE}'
  try:
    with urllib.request.urlopen(url, timeout=60) as answer:
      data = answer.read()
  except (OSError, http.client.HTTPException, ValueError) as e:
    raise RequestError(f'cannot get {url}: {first_line(e)}{fix}') from e
  if not _is_known(data):
    raise RequestError(f'{url} is not the file that is known by its SHA-512'
                       + fix)
  with contextlib.suppress(OSError):  # It is only got again.
    write_file(path, data)
  return data


def _is_known(data):
  return base64.b64encode(hashlib.sha512(data).digest()).decode() == _SHA512


def _text(data: bytes) -> str:
  return base64.b64encode(data).decode()
