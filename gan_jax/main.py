"""Trains and samples GANs: python -m gan_jax.main --config=configs/dcgan.py."""

import logging
import os
import sys

from absl import logging as absl_logging

from gan_jax.base.errors import (
  CheckpointError,
  NonFiniteError,
  RequestError,
  StoppedError,
  TeamError,
  WorkdirError,
)
from gan_jax.config.command_line import (
  config_of,
  folders,
  name_of,
  parse,
  usage,
  workdir_of,
)
from gan_jax.run import signals

BAD_CONFIG, BAD_DATA, BAD_RUN = 2, 3, 4


def main(argv: list[str]) -> int:
  """Does what the command line says.

  Args:
    argv: program name and arguments.

  Returns:
    The exit status: 0; 2 for a mistake in the command line or config, 3 in the
    data, 4 in the run; 143, 130 or 85 after SIGTERM, SIGINT or SIGUSR1, with a
    checkpoint: the same command goes on.
  """
  # Where matplotlib keeps its fonts: configs import it already.
  os.environ.setdefault('MPLCONFIGDIR', os.path.expanduser(
      '~/.cache/gan_jax/matplotlib'))
  values, unreadable = parse(argv)
  if values.help:
    print(__doc__ + usage(values))
    return 0
  if os.environ.get('JAX_NUM_CPU_DEVICES', '1') != '1':
    # With fewer threads than devices, collectives on CPU can dead-lock.
    os.environ.setdefault('NPROC', '16')
  # Imported here: --help and a mistyped flag need no JAX.
  from gan_jax import parallel
  from gan_jax.run import processes
  logging.basicConfig(format='%(message)s', force=True)
  absl_logging.set_verbosity('warning')  # Orbax tells its life story.
  logging.getLogger('gan_jax').setLevel(logging.INFO)
  parallel.use_compilation_cache()
  if values.mode != 'train' or values.dry_run:
    return _act(argv, values, unreadable, processes.Team())
  try:
    crew = processes.join(values.coordinator, values.num_processes,
                        values.process_id)
  except TeamError as e:
    return _fail(BAD_CONFIG, [str(e)])
  try:
    status = _act(argv, values, unreadable, crew)
  except TeamError as e:
    status = _fail(BAD_RUN, [str(e)])
    crew.end(status, lost=isinstance(e, processes.LostError))
    return status
  except Exception as e:
    crew.broken(e)
    raise
  crew.end(status)
  return status


def _act(argv, values, unreadable, crew) -> int:
  """Does it; the exit status."""
  from gan_jax.base.errors import ConfigError, DataError
  from gan_jax.config import experiment
  from gan_jax.run import train
  problems = [f'cannot read {arg}: {why}' for arg, why in unreadable.items()]
  try:
    for mode, act in (('sample', _sample), ('evaluate', _evaluate),
                      ('report', _report)):
      if values.mode == mode:
        return _fail(BAD_CONFIG, problems) if problems else act(values)
    if values.mode == 'compare':
      return _fail(BAD_CONFIG, problems) if problems else _compare(
          values, folders(argv))
    if not values['config'].present:
      return _fail(BAD_CONFIG, problems or ['give --config=configs/dcgan.py'])
    if values.mode == 'inspect':
      return _fail(BAD_CONFIG, problems) if problems else _inspect(values)
    run = experiment.load(config_of(values))
    if problems:
      return _fail(BAD_CONFIG, problems)
    if values.dry_run:
      print(experiment.describe(run))
      return 0
    return train.train(run, workdir_of(values),
                       allow_changed_data=values.allow_changed_data,
                       strict=values.strict, team=crew)
  except (ConfigError, RequestError) as e:
    return _fail(BAD_CONFIG, [*problems, str(e)])
  except DataError as e:
    return _fail(BAD_DATA, [*problems, str(e)])
  except (WorkdirError, CheckpointError,
          NonFiniteError, StoppedError) as e:
    return _fail(BAD_RUN, [str(e)])


def _sample(values) -> int:
  from gan_jax.views import sample
  if not values.workdir:
    raise RequestError('give the --workdir of the run to sample from')
  count = 64 if values.num_samples is None else values.num_samples
  request = sample.Request(count, values.label, values.seed, values.truncation,
                           values.interpolate)
  out = values.out or os.path.join(values.workdir, 'samples.png')
  print(sample.sample(values.workdir, request, out, strict=values.strict))
  return 0


def _evaluate(values) -> int:
  from gan_jax.base.errors import ConfigError, DataError
  from gan_jax.views import evaluate
  request = evaluate.Request(
      values.extractor, values.weights, values.resizer, tuple(values.metrics),
      values.num_samples or 0, values.best, values.follow)
  try:
    if values.images or values.reference:
      if not (values.images and values.reference):
        raise ValueError('give both --images and --reference')
      print(evaluate.folders(values.images, values.reference, request,
                             resize=_size(values.resize), out=values.out))
      return 0
    if not values.workdir:
      raise ValueError('give the --workdir of a run, or --images and '
                       '--reference')
    print(evaluate.checkpoints(values.workdir, request))
  except (ConfigError, DataError):
    raise
  except ValueError as e:
    raise RequestError(str(e)) from e
  return 0


def _size(texts) -> tuple[int, ...]:
  """(H, W) of a flag, () where it is not given."""
  if not all(text.isdigit() for text in texts) or len(texts) not in (0, 2):
    raise ValueError(f'--resize={",".join(texts)}: must be H,W, as 64,64')
  return tuple(map(int, texts))


def _report(values) -> int:
  from gan_jax.views import report
  if not values.workdir:
    raise RequestError('give the --workdir of the run to report on')
  extractor = {'name': values.extractor, 'weights': values.weights}
  extractor = {key: value for key, value in extractor.items() if value}
  print(report.report(values.workdir, extractor=extractor, seed=values.seed))
  return 0


def _compare(values, patterns) -> int:
  from gan_jax.views import compare
  try:
    if not patterns:
      raise ValueError("give folders of runs, for example 'runs/sweep/*'")
    print(compare.compare(patterns, sort=values.sort, out=values.out))
  except ValueError as e:
    raise RequestError(str(e)) from e
  return 0


def _inspect(values) -> int:
  from gan_jax.views import inspect
  out = values.out or os.path.join('runs', f'inspect-{name_of(values)}')
  print(inspect.inspect(config_of(values), out))
  return 0


def _fail(status: int, messages) -> int:
  print('gan_jax: ' + '\n'.join(messages), file=sys.stderr)
  return status


if __name__ == '__main__':
  signals.before_the_run()
  sys.exit(main(sys.argv))
