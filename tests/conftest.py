"""Four CPU devices, strict shapes, one compilation cache for all tests."""

import gc
import importlib.metadata
import logging
import os
import shutil
import sys

# JAX's caches hold millions of objects. To search them all for garbage takes
# seconds, and by default is done so often that it is a sixth of the time.
gc.set_threshold(50_000, 20, 20)
# Before JAX starts: with fewer threads than devices, collectives on CPU can
# dead-lock.
os.environ.setdefault('NPROC', '16')
# One process of tests for each core: threads of BLAS would wait for each other.
os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')
# Most of what is compiled here runs a few tiny steps: optimising it would take
# longer than all the tests. The older emitters take half as long to compile,
# and code in one piece less than in pieces for many threads; an XLA that does
# not know a flag ends at once.
os.environ.setdefault('XLA_FLAGS', (
    '--xla_backend_optimization_level=0 '
    '--xla_llvm_disable_expensive_passes=true') + (
        ' --xla_cpu_use_fusion_emitters=false'
        ' --xla_cpu_parallel_codegen_split_count=1'
        * importlib.metadata.version('jaxlib').startswith('0.10.')))
# Kept on the disk however short their compilation: to read one is shorter yet.
os.environ['JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS'] = '0'

import jax  # noqa: E402  (after the line above)
import numpy as np  # noqa: E402
import pytest  # noqa: E402
from PIL import Image  # noqa: E402

jax.config.update('jax_platforms', 'cpu')
jax.config.update('jax_num_cpu_devices', 4)
jax.config.update('jax_numpy_rank_promotion', 'raise')
jax.config.update('jax_compilation_cache_dir', os.path.join(
    os.path.expanduser('~'), '.cache', 'gan_jax', 'xla-tests'))


@pytest.fixture(autouse=True, scope='session')
def _no_cache_of_the_user(tmp_path_factory):
  """What tests share must not depend on features that another run computed."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setenv('GAN_JAX_CACHE', str(tmp_path_factory.mktemp('cache')))
    yield


@pytest.fixture(autouse=True)
def _no_files_in_the_checkout(tmp_path, monkeypatch):
  """What a test writes without saying where must not land in the checkout."""
  monkeypatch.setenv('TMPDIR', str(tmp_path))
  monkeypatch.setenv('GAN_JAX_CACHE', str(tmp_path / 'cache'))


@pytest.fixture(autouse=True)
def _no_modules_of_other_tests(tmp_path_factory):
  """What a test imports from files of its own is forgotten after it."""
  before, folder = set(sys.modules), str(tmp_path_factory.getbasetemp())
  yield
  for name in set(sys.modules) - before:
    spec = getattr(sys.modules[name], '__spec__', None)
    places = [spec.origin, *(spec.submodule_search_locations or ())
              ] if spec else []
    if any(place and place.startswith(folder) for place in places):
      del sys.modules[name]


@pytest.fixture(scope='module')
def pictures(tmp_path_factory):
  """A folder of PNGs for the recipes that start from one."""
  folder = tmp_path_factory.mktemp('pictures')
  rng = np.random.default_rng(0)
  for i in range(10):
    Image.fromarray(rng.integers(0, 256, (20, 24), np.uint8)).save(
        folder / f'{i}.png')
  return str(folder)


@pytest.fixture(scope='module')
def own_data(pictures, tmp_path_factory):
  """{recipe: flags} of those that start from data of one's own."""
  rng = np.random.default_rng(0)
  table = tmp_path_factory.mktemp('table') / 'table.csv'
  table.write_text('height,sex\n' + ''.join(
      f'{height:.1f},{"fm"[i % 2]}\n'
      for i, height in enumerate(rng.normal(170, 9, 2000))))
  folder = f'--config.data.path={pictures}', '--config.data.repeat=9'
  import random_backbones  # Here: it imports the package.
  backbone = random_backbones.classifier(
      tmp_path_factory.mktemp('backbone') / 'small.safetensors')
  # A multiple of packs of ten on four devices.
  return {'sprites': folder, 'xray': folder, 'encoder': (
      '--config.init_from=runs/dcgan',), 'table': (
      f'--config.data.path={table}', '--config.batch_size=480'), 'projected': (
          f'--config.discriminator.weights={backbone}',
          '--config.discriminator.size=0')}


@pytest.fixture(autouse=True)
def _logging_as_it_was():
  """The program sets up logging for a process of its own.

  Its handler would write to the closed output of the test that ran it.
  """
  root, ours = logging.getLogger(), logging.getLogger('gan_jax')
  before = root.handlers[:], root.level, ours.level
  yield
  root.handlers[:], root.level, ours.level = before


@pytest.fixture
def cli(capsys):
  """Runs the program in this process: (status, stdout, stderr)."""
  from gan_jax import main  # Here: most tests do not need all of it.

  def run(*args):
    status = main.main(['gan_jax.main', *map(str, args)])
    return status, *capsys.readouterr()

  return run


@pytest.fixture
def not_compiled(monkeypatch):
  """Mistakes in a config must be found before anything compiles."""
  def fail(*_, **__):
    raise AssertionError('compiles')

  monkeypatch.setattr('gan_jax.parallel.make_runner', fail)
  monkeypatch.setattr('gan_jax.run.train.train', fail)


@pytest.fixture
def root(tmp_path):
  """An empty folder for a data set."""
  (tmp_path / 'set').mkdir()
  return tmp_path / 'set'


@pytest.fixture(scope='module')
def images(tmp_path_factory):
  """An npz of noise images."""
  import tiny
  return tiny.write_images(tmp_path_factory.mktemp('data') / 'noise.npz')


@pytest.fixture
def no_constants():
  """A program with an array in it, a large one in earnest, is an error."""
  before = jax.config.jax_captured_constants_warn_bytes
  jax.config.update('jax_captured_constants_warn_bytes', 200)
  yield
  jax.config.update('jax_captured_constants_warn_bytes', before)


@pytest.fixture
def no_pictures(monkeypatch):
  """Curves take a second each; for tests of something else."""
  monkeypatch.setattr('gan_jax.run.member.Member.draw', lambda self: None)


@pytest.fixture
def sweep(tmp_path):
  """Starts experiments/sweep.sh on a stub: sweep(*args, nap=0.1) -> Popen."""
  import sweeps
  with sweeps.stubbed(tmp_path) as start:
    yield start


@pytest.fixture(scope='session')
def saved_once(tmp_path_factory):
  import saved_states
  folder = tmp_path_factory.mktemp('saved')
  saved_states.save_two(folder)
  return folder


@pytest.fixture
def saved(saved_once, tmp_path):
  """A folder with checkpoints 1 and 2, finished and closed."""
  return shutil.copytree(saved_once, tmp_path, dirs_exist_ok=True)
