"""Throughput of training, beside the same training in PyTorch.

  python experiments/throughput/benchmark.py --case=dcgan64 --peer=torch
  python experiments/throughput/benchmark.py --case=mlp --population=8

Runs gan_jax and the peer, or a population and one run, in turn, so that a drift
of the machine meets both, and prints one JSON line per case.
"""

import json
import os
import platform
import sys
import tempfile
import time

import jax
import numpy as np
from absl import app, flags

# This folder at the end: `profile` is a module of Python, too.
sys.path[0] = os.path.join(os.path.dirname(__file__), '..', '..')
sys.path.append(os.path.dirname(__file__))

from configs import critic_mlp, dcgan, keras_mlp, r3gan, ring, wgan_gp  # noqa: E402 - from the checkout
from gan_jax import parallel  # noqa: E402 - from the checkout
from gan_jax.config import experiment, population  # noqa: E402 - from the checkout
from gan_jax.game.state import MEMBERS  # noqa: E402 - from the checkout
from gan_jax.run import states  # noqa: E402 - from the checkout

# case: (config, image shape, steps in a call on CPU, on an accelerator)
CASES = {
    'dcgan32': (dcgan, (32, 32, 1), 10, 100),
    'dcgan64': (dcgan, (64, 64, 3), 3, 50),
    'mlp': (keras_mlp, (28, 28, 1), 200, 500),
    'critic_mlp': (critic_mlp, (28, 28, 1), 500, 500),
    'wgan_gp32': (wgan_gp, (32, 32, 1), 2, 20),
    'r3gan': (r3gan, (32, 32, 1), 1, 10),
    'ring': (ring, None, 500, 500),  # on its own points
}
AS_THEY_ARE = ('critic_mlp', 'r3gan', 'ring')  # cases without a peer
PEERS = ('none', 'torch', 'torch_compile', 'torch_graph')
BATCH = 64
WIDTH = 64  # of the DCGAN paper, and of the peer
EXAMPLES = 2048

_CASE = flags.DEFINE_enum('case', 'all', [*CASES, 'all'], 'What to train.')
_PEER = flags.DEFINE_enum('peer', 'torch', PEERS, 'Beside what.')
_ROUNDS = flags.DEFINE_integer('rounds', 7, 'Rounds, the medians of which are '
                               'compared.', lower_bound=1)
_CALLS = flags.DEFINE_integer('calls', 3, 'Calls in a round, a call being '
                              'several steps.', lower_bound=1)
_POPULATION = flags.DEFINE_integer(
    'population', 1, 'Members that train at once, beside one alone; there is '
    'no peer then.', lower_bound=1)
_TINY = flags.DEFINE_bool('tiny', False, 'Narrow networks, 2 steps a call: to '
                          'try this program out.')
_DTYPE = flags.DEFINE_enum('dtype', 'float32', ['float32', 'bfloat16'],
                           'Of the arithmetic; parameters are float32.')


def main(argv):
  """Measures and prints the cases asked for."""
  del argv
  parallel.use_compilation_cache()
  of_case = measure if _POPULATION.value == 1 else measure_population
  for case in CASES if _CASE.value == 'all' else [_CASE.value]:
    print(json.dumps(of_case(case)), flush=True)


def measure(case: str) -> dict:
  """One case: rounds of gan_jax and of the peer in turn."""
  loaded, images = prepare(case)
  ours = Ours(loaded)
  peer = _peer(case, images)
  if peer and peer.num_parameters != ours.num_parameters:
    raise ValueError(f'{case}: {ours.num_parameters:,} parameters beside '
                     f'{peer.num_parameters:,} of the peer')

  calls = indices(loaded, 0, _CALLS.value)
  per_round = calls[0].size * len(calls)  # real images
  speeds, idle = {'gan_jax': [], 'torch': []}, []
  ours.run(calls)  # compiles
  if peer:
    peer(calls[0].astype(np.int64))
  for number in range(1, _ROUNDS.value + 1):
    calls = indices(loaded, number, _CALLS.value)
    start = time.perf_counter()
    busy = ours.run(calls)
    wall = time.perf_counter() - start
    speeds['gan_jax'].append(per_round / wall)
    idle.append(1 - busy / wall)
    if peer:
      start = time.perf_counter()
      for call in calls:
        peer(call.astype(np.int64))
      speeds['torch'].append(per_round / (time.perf_counter() - start))
  return _report(case, loaded.config, speeds, idle)


def measure_population(case: str) -> dict:
  """One case: rounds of a population and of its first member alone in turn."""
  found, _ = prepare(case, _members)
  many, alone = Members(found), Ours(found.members[0])
  steps = _CALLS.value * found.members[0].config['steps_per_call']
  count, speeds = len(found.members), {'population': [], 'alone': []}
  for number in range(_ROUNDS.value + 1):  # The first one compiles.
    own = [indices(member, number, _CALLS.value) for member in found.members]
    start = time.perf_counter()
    many.run([np.stack(call) for call in zip(*own, strict=True)])
    middle = time.perf_counter()
    alone.run(own[0])
    if number:
      speeds['population'].append(count * steps / (middle - start))
      speeds['alone'].append(steps / (time.perf_counter() - middle))
  median = {name: float(np.median(v)) for name, v in speeds.items()}
  gains = [a / b for a, b in zip(*speeds.values(), strict=True)]
  return _about(case, found.members[0].config) | {
      'population': count,
      'member_steps_per_second': round(median['population'], 1),
      'alone_steps_per_second': round(median['alone'], 1),
      'gain': round(median['population'] / median['alone'], 3),
      'gain_of_rounds': [round(r, 3) for r in sorted(gains)]} | machine()


def _members(config):
  with config.unlocked():
    config.population = _POPULATION.value
  return population.load(config)


def prepare(case: str, load=experiment.load):
  """The experiment of a case, or what `load` makes of a config; its images."""
  config, shape, on_cpu, elsewhere = CASES[case]
  steps = on_cpu if jax.default_backend() == 'cpu' else elsewhere
  steps = 2 if _TINY.value else steps
  images = shape and np.random.default_rng(0).integers(
      0, 256, (EXAMPLES, *shape), np.uint8)
  argument = {'dcgan32': 'paper', 'dcgan64': 'paper',
              'r3gan': 'quick' if _TINY.value else None}
  config = config.get_config(argument.get(case))
  with config.unlocked():
    config.dtype = _DTYPE.value
    config.steps_per_call = steps
    if case not in AS_THEY_ARE:
      config.batch_size = BATCH
      config.ema_decay = 0.0  # the peer averages no weights
    # The recipes may be narrower, for two cores.
    if 'gan' in case and case not in AS_THEY_ARE:
      config.generator.width = config.discriminator.width = width()
    config.train_steps = config.sample_every = steps
    config.log_every = config.eval_every = config.checkpoint_every = steps
  return _load(config, images, load), images


def width() -> int:
  """Of a DCGAN's layer of most pixels."""
  return 8 if _TINY.value else WIDTH


class Ours:
  """The program's own runner, fed as the program's loop feeds it."""

  def __init__(self, loaded):
    self._mesh = parallel.make_mesh()
    self._runner = states.runner_of(loaded, self._mesh)
    self.state = (
        parallel.made(loaded.init, self._mesh, sharded=True)
        if loaded.config['shard'] == 'state'
        else parallel.replicate(loaded.init(), self._mesh))
    self.num_parameters = sum(
        leaf.size for net in (self.state.gen, self.state.disc)
        for leaf in jax.tree.leaves(net.params))
    self._place(loaded.source)

  def _place(self, source, *more):
    self._data = parallel.replicate(
        parallel.Data(source.images, source.labels), self._mesh)
    self._more = more

  def lower(self, call):
    """The program of a call, not compiled yet."""
    return self._runner.lower(self.state, self._data, call, *self._more)

  def run(self, indices) -> float:
    """Runs the calls; the seconds in which the host only waited for them."""
    waited, pending = 0.0, None
    for call in [*indices, None]:
      if call is not None:
        self.state, scalars = self._runner(self.state, self._data, call,
                                           *self._more)
      if pending is not None:
        start = time.perf_counter()
        jax.block_until_ready(pending)
        waited += time.perf_counter() - start
        {name: np.asarray(value) for name, value in pending.items()}
      pending = scalars
    return waited


class Members(Ours):
  """The same of a population."""

  def __init__(self, found):
    one, seeds = found.members[0], np.array(
        [member.config['seed'] for member in found.members], np.uint32)
    self._mesh = parallel.member_mesh(len(found.members), found.devices)
    self._runner = states.runner_of(one, self._mesh, found)
    self.state = parallel.made(found.init, self._mesh, seeds, found.numbers,
                               axes=MEMBERS)
    self._place(one.source, seeds, found.numbers)


def _load(config, images, load):
  """The experiment of a config, on these images if there are any."""
  if images is None:
    return load(config)
  with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, 'random.npz')
    np.savez(path, images=images)
    with config.unlocked():
      del config.data
      config.data = dict(name='npz', path=path, label_key='none')
    return load(config)


def indices(loaded, number, calls):
  """Calls of one round: [K, disc_steps, B] each."""
  config = loaded.config
  shape = config['steps_per_call'], config['disc_steps']
  count = shape[0] * shape[1]
  return [loaded.batches((number * calls + i) * count, count).reshape(
      *shape, -1) for i in range(calls)]


def _peer(case, images):
  if _PEER.value == 'none' or case in AS_THEY_ARE:
    return None
  device = 'cpu' if jax.default_backend() == 'cpu' else 'cuda'
  graph = _PEER.value == 'torch_graph'
  if graph and device == 'cpu':
    raise SystemExit('--peer=torch_graph is a CUDA graph and needs an NVIDIA '
                     'GPU, and JAX has found CPUs only: use --peer=torch')
  try:
    import torch_peer
  except ImportError as e:
    raise SystemExit(
        f'--peer={_PEER.value} needs PyTorch, which gan_jax itself does not: '
        f'pip install torch==2.13.0, or --peer=none ({e})') from e
  return torch_peer.make(
      case, images, batch_size=BATCH, width=width(), device=device,
      dtype=_DTYPE.value, compile_networks=_PEER.value == 'torch_compile',
      graph=graph)


def _report(case, config, speeds, idle):
  median = {name: float(np.median(v)) for name, v in speeds.items() if v}
  report = _about(case, config) | {
      'peer': _PEER.value,
      'gan_jax_images_per_second': round(median['gan_jax'], 1)}
  if 'torch' in median:
    rounds = [a / b for a, b in zip(speeds['gan_jax'], speeds['torch'],
                                    strict=True)]
    report |= {
        'torch_images_per_second': round(median['torch'], 1),
        'ratio': round(median['gan_jax'] / median['torch'], 3),
        'ratio_of_rounds': [round(r, 3) for r in sorted(rounds)]}
  return report | {'host_share': round(float(np.median(idle)), 4)} | machine()


def _about(case, config):
  return {'case': case, 'dtype': _DTYPE.value,
          'batch_size': config['batch_size'],
          'steps_per_call': config['steps_per_call']}


def machine() -> dict:
  """Date, hardware and versions of a result."""
  return {
      'date': time.strftime('%Y-%m-%d'), 'load_average': os.getloadavg()[0],
      'hardware': hardware(), 'python': platform.python_version(),
      'jax': jax.__version__, 'torch': getattr(
          sys.modules.get('torch'), '__version__', '')}


def hardware() -> str:
  """The device, as a result names it."""
  device = jax.devices()[0]
  if device.platform != 'cpu':
    return f'{len(jax.devices())} x {device.device_kind}'
  model = platform.processor()
  if os.path.exists('/proc/cpuinfo'):
    with open('/proc/cpuinfo') as file:
      model = next((line.split(':')[1].strip() for line in file
                    if line.startswith('model name')), model)
  return f'{os.cpu_count()} cores of {model}'


if __name__ == '__main__':
  app.run(main)
