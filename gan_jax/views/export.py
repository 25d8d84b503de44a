"""--mode=export: the averaged generator of a run, for other programs."""

import contextlib
import importlib.metadata
import json
import logging
import os
import re
import shlex
import shutil
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import safetensors.numpy
from jax import export as jax_export

import gan_jax
from gan_jax import pictures
from gan_jax.base import lookup
from gan_jax.base.errors import RequestError, first_line
from gan_jax.base.examples import described, kind_of
from gan_jax.base.files import write_file, writing_out
from gan_jax.data.label_values import to_users
from gan_jax.game.sampling import latent_shape
from gan_jax.run import files
from gan_jax.views.asked import columns_of
from gan_jax.views.sample import saved
from gan_jax.views.templates import fill
from gan_jax.views.trained import Trained

_CHECKED, _TOLERANCE = 64, 1e-4
# How numpy draws n latents of each of `gan_jax.game.latents`.
PRIORS = {
    'normal': 'z = rng.normal(size=(n, {size}))',
    'uniform': 'z = rng.uniform(-1, 1, (n, {size}))',
    'truncated_normal': (
        'z = rng.normal(size=(n, {size}))\n'
        'while (far := np.abs(z) > {bound}).any():\n'
        '  z[far] = rng.normal(size=far.sum())'),
    'sphere': (
        'z = rng.normal(size=(n, {size}))\n'
        'z /= np.sqrt(np.mean(z ** 2, axis=1, keepdims=True) + 1e-8)'),
    'infogan': (
        'codes = [np.eye(k)[rng.integers(k, size=n)] for k in {categories}]\n'
        'z = np.concatenate([*codes, rng.uniform(-1, 1, (n, {continuous})), '
        'rng.normal(size=(n, {noise}))], 1)')}


def export(folder: str, out: str, *, strict: bool = False) -> str:
  """Writes the averaged generator of a run; says what was written.

  Args:
    folder: the working directory of the run.
    out: F.stablehlo (`jax.export`), F.onnx, F.safetensors (the weights), or a
      new folder for a model hub, which has the last two, a model card and a
      program that draws with them. A file or folder that exists is refused.
    strict: refuse an older checkpoint where the newest is damaged.

  Raises:
    WorkdirError, CheckpointError, RequestError: with what to do; nothing is
      written then.
  """
  suffix = os.path.splitext(out.rstrip('/'))[1].lower()
  kinds = {'.stablehlo': _stablehlo, '.onnx': onnx_of,
           '.safetensors': _safetensors, '': _folder}
  if suffix not in kinds:
    raise RequestError(f'--out={out}: must end in .stablehlo, .onnx or '
                       '.safetensors, or be a new folder (without a suffix)')
  if os.path.lexists(out):
    raise RequestError(f'--out={out} exists; remove it, or give another name')
  if suffix in ('.onnx', ''):
    converter()
  run = Trained(folder, strict=strict)
  found, said = kinds[suffix](run)
  write(out.rstrip('/'), found)
  return (f'generator of step {run.step} in {out}\n'
          + said.format(out=repr(out)))


def write(out, found):
  """Writes bytes, or a folder {name: bytes}, whole or not at all."""
  with writing_out(out):
    if isinstance(found, bytes):
      return write_file(out, found)
    parent, name = os.path.split(os.path.abspath(out))
    temporary = os.path.join(parent, f'.{name[:50]}.{os.getpid()}.tmp')
    try:
      for file, data in found.items():
        write_file(os.path.join(temporary, file), data)
      os.rename(temporary, out)
    finally:
      shutil.rmtree(temporary, ignore_errors=True)


def _signature(run, names) -> str:
  """What the generator makes of which inputs, in words."""
  shape = ', '.join(map(str, run.info.image_shape))
  said = {'z': f'z [N, {latent_of(run)["size"]}] float32',
          'label': _label_of(run), 'noise': _noise_of(run)}
  return (f'{kind_of(run.info.image_shape)} [N, {shape}] float32'
          f'{_range(run)} of ' + ' and '.join(said[name] for name in names))


def _range(run) -> str:
  """What the numbers of the generator are, in words; '' for vectors."""
  if kind_of(run.info.image_shape) == 'vectors':
    return ''
  said = ' in [{:g}, {:g}]'.format(*run.config['image_range'])
  if run.info.units:
    said += ' (in units of the data {:g} to {:g})'.format(*run.info.units)
  return said


def _label_of(run) -> str:
  """What the input `label` is, in words."""
  columns = run.info.label_columns if run.conditional else ()
  return (f'label [N, {len(columns)}] float32 in [0, 1]' if columns else
          'label [N] int32')


def _noise_of(run) -> str | None:
  """What the input `noise` is, in words, if there is one."""
  noise = run.input_noise
  return noise and f'noise [N, {noise.size}] float32, standard {noise.name}'


def _choices(run) -> dict[str, int]:
  """{what a user may ask for: label} of a run with classes."""
  if not run.conditional or run.info.label_columns:
    return {}
  names = run.info.class_names
  return {names[label] if label < len(names) else str(label): label
          for label in run.info.classes}


def _stablehlo(run):
  function, (batch,) = run.function, jax_export.symbolic_shape('batch')
  with _refused(run, 'jax.export'):
    exported = jax_export.export(jax.jit(function), platforms=(
        'cpu', 'cuda'))(*(jax.ShapeDtypeStruct((batch, *x.shape[1:]), x.dtype)
                          for x in (run.latents(1), run.labels(1))))
    data = bytes(exported.serialize())
  return data, (f'{_signature(run, ("z", "label"))}:\n'
                'images = jax.export.deserialize(pathlib.Path({out})'
                '.read_bytes()).call(z, label)')


def onnx_of(run):
  """(bytes, words), once its images are those of `run.function`."""
  jax2onnx, onnx, onnxruntime = converter()
  # All that traces comes before the converter, which patches JAX meanwhile.
  function, z, label = run.function, run.latents(_CHECKED), run.labels(_CHECKED)
  noise, given = run.input_noise, {'z': z}
  if run.conditional:
    given['label'] = label
  if noise:
    given['noise'] = run.noise(z)

  def images(*inputs):
    inputs = dict(zip(given, inputs, strict=True))
    z = inputs.pop('z')
    return function(z, inputs.pop('label', jnp.zeros(z.shape[:1], jnp.int32)),
                    **inputs)

  with _refused(run, 'jax2onnx'), warnings.catch_warnings(action='ignore'):
    model = jax2onnx.to_onnx(
        images, [jax.ShapeDtypeStruct(('batch', *x.shape[1:]), x.dtype)
                 for x in given.values()],
        input_names=list(given), output_names=['images'])
    # Shapes in between, which it guesses, and wrongly for convolutions.
    del model.graph.value_info[:]
    onnx.helper.set_model_props(model, {
        'recipe': _recipe(run)[0], 'step': str(run.step),
        'classes': json.dumps(run.info.classes if run.conditional else []),
        'class_names': json.dumps(run.info.class_names),
        'label_columns': json.dumps(run.info.label_columns),
        'image_range': json.dumps(run.config['image_range']),
        'latent': json.dumps(latent_of(run)),
        'noise': json.dumps(noise and noise._asdict()),
        'columns': json.dumps(run.info.columns)})
    data = model.SerializeToString()
    session = onnxruntime.InferenceSession(
        data, providers=['CPUExecutionProvider'])
    theirs, = session.run(None, given)
  with jax.default_matmul_precision('highest'):  # A GPU would round.
    ours = np.asarray(jax.jit(function)(z, label))
  worst = (np.abs(theirs - ours).max() if theirs.shape == ours.shape
           else np.inf)
  if not worst <= _TOLERANCE * max(1.0, np.abs(ours).max()):  # NaN too.
    raise RequestError(
        f'{run.folder}: as ONNX this generator would draw other examples: they '
        f'differ by {worst:.2g}, above {_TOLERANCE:g}; jax2onnx converts one '
        'of its operations wrongly, or its weights are not finite; '
        'F.stablehlo holds it as it is')
  return data, (f'{_signature(run, given)}; on {_CHECKED} latents '
                f'the largest difference from ours is {worst:.2g}')


def converter():
  """(jax2onnx, onnx, onnxruntime).

  Raises:
    RequestError: one is not installed.
  """
  # It logs the traceback of each of its parts that an installed library lacks.
  for name in ('jax2onnx', 'onnx_ir'):
    logging.getLogger(name).setLevel(logging.CRITICAL)
  try:
    with warnings.catch_warnings(action='ignore'):
      import jax2onnx
      import onnx
      import onnxruntime
  except ImportError as e:
    raise RequestError(
        f'ONNX needs {e.name}, which is not installed: pip install jax2onnx '
        'onnxruntime "orbax-checkpoint>=0.12"') from e
  return jax2onnx, onnx, onnxruntime


@contextlib.contextmanager
def _refused(run, program):
  """What `program` raises, as a RequestError."""
  try:
    yield
  except Exception as e:  # It has no error of its own.
    name = run.config['generator']['name']
    # pip takes 0.13.0 beside our Orbax. It knows JAX up to 0.10.
    old = program == 'jax2onnx' and jax.__version_info__ >= (0, 11) and (
        importlib.metadata.version(program).startswith('0.13.'))
    raise RequestError(
        f'{run.folder}: {program} cannot convert the generator {name}: '
        f'{first_line(e)}; ' + (
            f'JAX {jax.__version__} needs a later one: pip install --no-deps '
            'jax2onnx==0.17.1' if old else
            'write that part of it in other operations, or export F.safetensors'
        )) from e


def _safetensors(run):
  """Weights and statistics by name, 'generator/params/Dense_0/kernel'."""
  arrays = {}
  for kind in ('params', 'stats'):
    leaves = jax.tree_util.tree_leaves_with_path(getattr(run.average, kind))
    for path, leaf in leaves:
      name = jax.tree_util.keystr(path, simple=True, separator='/')
      # Safetensors writes an array as it lies in memory.
      arrays[f'generator/{kind}/{name}'] = np.array(leaf, order='C')
  data = safetensors.numpy.save(arrays, {
      'config': json.dumps(_shared(run)),
      'data': json.dumps(run.info._asdict() | {'manifest': ''}),
      'step': str(run.step), 'version': gan_jax.__version__})
  return data, f'{len(arrays)} arrays, weights and statistics'


def _folder(run):
  if run.info.columns:
    raise RequestError(
        f'{run.folder}: a folder has a program that draws pictures, and this '
        'run makes tables; export F.onnx')
  latent, shape = latent_of(run), run.info.image_shape
  if latent['name'] not in PRIORS:
    raise RequestError(
        f'{run.folder}: a folder has a program that draws latents with numpy, '
        f'and of the prior {latent["name"]} is not known how; export F.onnx')
  recipe, command = _recipe(run)
  low, high = run.config['image_range']
  values = dict(
      run=run, name=os.path.basename(os.path.abspath(run.folder)),
      kind=kind_of(shape), described=described(shape, run.info.rate),
      low=low, high=high, range=_range(run), channels=shape[-1], latent=latent,
      prior=PRIORS[latent['name']].format(**latent), recipe=recipe,
      out='grid.png' if len(shape) in (1, 3) else 'samples.npy',
      command=command, scores=run.last_scores(), version=gan_jax.__version__)
  choices = _choices(run)
  columns = run.info.label_columns if run.conditional else ()
  asked = ''
  if choices:
    asked = f' --label={shlex.quote([*choices][-1])}'
  elif columns:
    # One that is possible: of 'sex=F' and 'sex=M' exactly one is 1.
    drawn = to_users(run.drawn_labels[0], columns_of(run.info))
    asked = ' --label ' + ' '.join(f'{value:.6g}' for value in drawn)
  values |= dict(choices=choices, columns=columns, asked=asked,
                 label=_label_of(run), noise=run.input_noise,
                 noise_of=_noise_of(run))
  onnx, said = onnx_of(run)
  examples = run.generator(run.latents(64), dtype='stored')
  return {
      'README.md': fill('model_card.md', **values).encode() + b'\n',
      'config.json': json.dumps(_shared(run), indent=1).encode() + b'\n',
      'generator.onnx': onnx, 'weights.safetensors': _safetensors(run)[0],
      **({'labels.npy': saved(np.save, run.drawn_labels)}
         if run.conditional else {}),  # What `sample.py` takes in turn.
      'sample.py': fill('sample.txt', **values).encode() + b'\n',
      'samples.png': pictures.png(pictures.sheet(
          examples, 8, rate=run.info.rate))}, said


def latent_of(run) -> dict:
  """The prior with all its arguments, and the size of z."""
  spec = run.config['latent']
  return {**lookup.defaults('gan_jax.game.latents', spec['name']), **spec,
          'size': latent_shape(run.game.latent)[0]}


def _shared(run) -> dict:
  """The config without the folders of this machine."""
  data = {key: re.sub(r'^/.*/', '', value) if isinstance(value, str) else value
          for key, value in run.config['data'].items()}
  return run.config | {'data': data}


def _recipe(run) -> tuple[str, str]:
  """The --config that started the run, and the command, '' if unknown."""
  flags = [(key, re.sub(r'^/.*/', '', value))
           for key, value in files.launched(run.folder)]
  if not (config := dict(flags).get('config')):
    return os.path.basename(os.path.abspath(run.folder)), ''
  return config, ' '.join(['python -m gan_jax.main', *(
      shlex.quote(f'--{key}={value}') for key, value in flags)])
