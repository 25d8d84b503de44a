"""Trains and samples GANs: python -m gan_jax.main --config=configs/dcgan.py."""

import hashlib
import logging
import os
import re
import sys

from absl import flags
from absl import logging as absl_logging
from ml_collections import config_flags

from gan_jax import signals

BAD_CONFIG, BAD_DATA, BAD_RUN = 2, 3, 4
_SWITCHES = ('help', 'dry_run', 'nodry_run', 'allow_changed_data',
             'noallow_changed_data', 'follow', 'nofollow', 'strict', 'nostrict')


def main(argv: list[str]) -> int:
  """Does what the command line says.

  Args:
    argv: program name and arguments.

  Returns:
    The exit status: 0; 2 for a mistake in the command line or config, 3 in the
    data, 4 in the run; 143, 130 or 85 after SIGTERM, SIGINT or SIGUSR1, with a
    checkpoint: the same command goes on.
  """
  values, unreadable = parse(_joined(argv))
  if values.help:
    print(__doc__ + values.module_help(sys.modules[__name__]))
    return 0
  if os.environ.get('JAX_NUM_CPU_DEVICES', '1') != '1':
    # With fewer threads than devices, collectives on CPU can dead-lock.
    os.environ.setdefault('NPROC', '16')
  # The cache of its fonts would land outside of ours.
  os.environ.setdefault('MPLCONFIGDIR', os.path.expanduser(
      '~/.cache/gan_jax/matplotlib'))
  # Imported here: --help and a mistyped flag need no JAX.
  from gan_jax import checkpoint, experiment, parallel, sample, train, workdir
  from gan_jax.data.files import DataError
  from gan_jax.validation import ConfigError
  logging.basicConfig(format='%(message)s', force=True)
  absl_logging.set_verbosity('warning')  # Orbax tells its life story.
  logging.getLogger('gan_jax').setLevel(logging.INFO)
  parallel.use_compilation_cache()
  problems = [f'cannot read {arg}: {why}' for arg, why in unreadable.items()]
  try:
    for mode, act in (('sample', _sample), ('evaluate', _evaluate),
                      ('report', _report)):
      if values.mode == mode:
        return _fail(BAD_CONFIG, problems) if problems else act(values)
    if not values['config'].present:
      return _fail(BAD_CONFIG, problems or ['give --config=configs/dcgan.py'])
    if values.mode == 'inspect':
      return _fail(BAD_CONFIG, problems) if problems else _inspect(values)
    run = experiment.load(_config(values))
    if problems:
      return _fail(BAD_CONFIG, problems)
    if values.dry_run:
      print(experiment.describe(run))
      return 0
    return train.train(run, _workdir(values),
                       allow_changed_data=values.allow_changed_data,
                       strict=values.strict)
  except (ConfigError, sample.RequestError) as e:
    return _fail(BAD_CONFIG, [*problems, str(e)])
  except DataError as e:
    return _fail(BAD_DATA, [*problems, str(e)])
  except (workdir.WorkdirError, checkpoint.CheckpointError,
          train.NonFiniteError, train.StoppedError) as e:
    return _fail(BAD_RUN, [str(e)])


def _joined(argv):
  """`--flag value` as `--flag=value`, so that each argument stands alone."""
  out = list(argv[:1])
  for arg in argv[1:]:
    last = out[-1]
    if (len(out) > 1 and last.startswith('-') and '=' not in last
        and not arg.startswith('-')
        and last.lstrip('-') not in _SWITCHES):
      out[-1] = f'{last}={arg}'
    else:
      out.append(arg)
  return out


def parse(argv: list[str]) -> tuple[flags.FlagValues, dict[str, str]]:
  """Parses what can be parsed.

  Returns:
    (the flags, {argument: why it cannot be read}).
  """
  values, why = _try(argv)
  if not why:
    return values, {}
  config = [a for a in argv[1:] if re.match(r'--?config=', a)]
  bad = {a: why for a in config if (why := _try([argv[0], a])[1])}
  if bad:  # Without a config, its overrides cannot be judged.
    return _try(argv[:1])[0], bad
  good = list(argv[:1])
  for arg in argv[1:]:
    why = _try([argv[0], *(config if arg not in config else ()), arg])[1]
    if why:
      bad[arg] = why
    else:
      good.append(arg)
  return _try(good)[0], bad


def _try(argv):
  """(flags parsed from argv, why they cannot be or '')."""
  values = flags.FlagValues()
  _define(values, argv)
  try:
    rest = values(argv)[1:]
    return values, f'not a flag: {" ".join(rest)}' if rest else ''
  except Exception as e:  # config_flags raises whatever its parsers raise.
    text = str(e.args[0] if e.args else e)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # Of a traceback, only the last line speaks to the user.
    lines = lines[-1:] if 'Traceback' in text else lines
    return values, ' '.join(lines) or type(e).__name__


def _define(values, argv):
  # New attributes are let through here and judged with all the rest by
  # experiment.load, so that every mistake in a config is named at once.
  config_flags.DEFINE_config_file(
      'config', None, 'File with get_config(arg): configs/dcgan.py, or '
      'configs/dcgan.py:loss=hinge,quick; --config.key=value overrides.',
      lock_config=False, accept_new_attributes=True, flag_values=values,
      sys_argv=argv)

  def add(kind, name, default, text, *args):
    kind(name, default, *args, text, flag_values=values)

  add(flags.DEFINE_string, 'workdir', '', 'Where the run is kept; by default '
      'runs/<config> and the overrides.')
  add(flags.DEFINE_enum, 'mode', 'train', 'What to do with the run.',
      ['train', 'sample', 'evaluate', 'report', 'inspect'])
  add(flags.DEFINE_bool, 'dry_run', False, 'Print networks, durations and '
      'memory, and exit.')
  add(flags.DEFINE_bool, 'allow_changed_data', False, 'Resume although the '
      'examples are not those of the last launch.')
  add(flags.DEFINE_bool, 'strict', False, 'Where the newest checkpoint is '
      'damaged, stop instead of falling back to the one before.')
  add(flags.DEFINE_integer, 'num_samples', 0, 'Images to sample, 64 by '
      'default, or to score.')
  add(flags.DEFINE_integer, 'label', -1, 'Class to sample, -1 for all.')
  add(flags.DEFINE_integer, 'seed', 0, 'Seed of the samples.')
  add(flags.DEFINE_float, 'truncation', 0.0, 'Redraw latents beyond this '
      'size; 0 for never.')
  add(flags.DEFINE_integer, 'interpolate', 0, 'Points of a path between two '
      'latents per sample; 0 for none.')
  add(flags.DEFINE_string, 'out', '', 'F.png, F.gif, F.npz or a folder; by '
      'default WORKDIR/samples.png. Of inspect, a folder.')
  add(flags.DEFINE_string, 'extractor', '', 'What features are compared, by '
      'evaluate and report, for example inception.')
  add(flags.DEFINE_string, 'weights', '', 'Of evaluate: file of its weights.')
  add(flags.DEFINE_list, 'metrics', '', 'Of evaluate: fd,kd,prdc ...')
  add(flags.DEFINE_string, 'best', '', 'Of evaluate: the score by which '
      'WORKDIR/best is kept.')
  add(flags.DEFINE_bool, 'follow', False, 'Of evaluate: go on while the run '
      'is being trained.')
  add(flags.DEFINE_string, 'images', '', 'Of evaluate: a folder or .npz of '
      'images to score beside those of --reference.')
  add(flags.DEFINE_string, 'reference', '', 'See --images.')
  add(flags.DEFINE_bool, 'help', False, 'Print this.')


def _config(values):
  """The ConfigDict of --config.

  Raises:
    ConfigError: no such file.
  """
  from gan_jax.lookup import Problem, near
  from gan_jax.validation import ConfigError
  path = config_flags.get_config_filename(values['config']).split(':')[0]
  if not os.path.isfile(path):
    folder = os.path.dirname(path) or '.'
    names = os.listdir(folder) if os.path.isdir(folder) else ()
    known = [os.path.join(folder, n) for n in names if n.endswith('.py')]
    raise ConfigError([Problem('py', path, 'no such file' + near(path, known))])
  return values.config


def _workdir(values) -> str:
  """--workdir, or runs/<config>-<arg>-<overrides>, readable and stable."""
  return values.workdir or os.path.join('runs', _name(values))


def _name(values) -> str:
  path, _, arg = config_flags.get_config_filename(values['config']).partition(
      ':')
  overrides = config_flags.get_override_values(values['config'])
  parts = [os.path.splitext(os.path.basename(path))[0]]
  parts += [part for part in arg.split(',') if part]
  parts += [f'{key}={value}' for key, value in sorted(overrides.items())]
  name = re.sub(r'[^\w.,=+\[\]%-]+', '_', '-'.join(parts))
  if len(name) > 200:  # Longer names are no file names.
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    name = f'{name[:180]}-{digest}'
  return name


def _sample(values) -> int:
  from gan_jax import sample
  if not values.workdir:
    raise sample.RequestError('give the --workdir of the run to sample from')
  request = sample.Request(values.num_samples or 64, values.label, values.seed,
                           values.truncation, values.interpolate)
  out = values.out or os.path.join(values.workdir, 'samples.png')
  print(sample.sample(values.workdir, request, out, strict=values.strict))
  return 0


def _evaluate(values) -> int:
  from gan_jax import evaluate, sample
  from gan_jax.data.files import DataError
  from gan_jax.validation import ConfigError
  request = evaluate.Request(
      values.extractor, values.weights, tuple(values.metrics),
      values.num_samples, values.best, values.follow)
  try:
    if values.images or values.reference:
      if not (values.images and values.reference):
        raise ValueError('give both --images and --reference')
      print(evaluate.folders(values.images, values.reference, request))
      return 0
    if not values.workdir:
      raise ValueError('give the --workdir of a run, or --images and '
                       '--reference')
    print(evaluate.checkpoints(values.workdir, request))
  except (ConfigError, DataError):
    raise
  except ValueError as e:
    raise sample.RequestError(str(e)) from e
  return 0


def _report(values) -> int:
  from gan_jax import report, sample
  if not values.workdir:
    raise sample.RequestError('give the --workdir of the run to report on')
  extractor = {'name': values.extractor, 'weights': values.weights}
  extractor = {key: value for key, value in extractor.items() if value}
  print(report.report(values.workdir, extractor=extractor, seed=values.seed))
  return 0


def _inspect(values) -> int:
  from gan_jax import inspecting
  out = values.out or os.path.join('runs', f'inspect-{_name(values)}')
  print(inspecting.inspect(_config(values), out))
  return 0


def _fail(status: int, messages) -> int:
  print('gan_jax: ' + '\n'.join(messages), file=sys.stderr)
  return status


if __name__ == '__main__':
  signals.before_the_run()
  sys.exit(main(sys.argv))
