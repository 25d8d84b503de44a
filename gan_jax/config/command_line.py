"""The command line: which flags there are, and reading all that can be."""

import hashlib
import os
import re
import sys

from absl import flags
from ml_collections import config_flags

_SWITCHES = ('help', 'dry_run', 'nodry_run', 'allow_changed_data',
             'noallow_changed_data', 'follow', 'nofollow', 'strict', 'nostrict')


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


def folders(argv: list[str]) -> list[str]:
  """The arguments that are no flags: folders or patterns of them."""
  return [arg for arg in _joined(argv)[1:] if not arg.startswith('-')]


def parse(argv: list[str]) -> tuple[flags.FlagValues, dict[str, str]]:
  """Parses what can be parsed.

  Returns:
    (the flags, {argument: why it cannot be read}).
  """
  rest = folders(argv)
  values, bad = _parse([arg for arg in _joined(argv) if arg not in rest])
  if values.mode != 'compare':
    bad |= {arg: 'not a flag' for arg in rest}
  return values, bad


def _parse(argv):
  """The same for flags alone."""
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


def usage(values) -> str:
  """All flags with what they are for."""
  return values.module_help(sys.modules[__name__])


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
      ['train', 'sample', 'evaluate', 'report', 'inspect', 'compare'])
  add(flags.DEFINE_bool, 'dry_run', False, 'Print networks, durations and '
      'memory, and exit.')
  add(flags.DEFINE_bool, 'allow_changed_data', False, 'Resume although the '
      'examples are not those of the last launch.')
  add(flags.DEFINE_bool, 'strict', False, 'Where the newest checkpoint is '
      'damaged, stop instead of falling back to the one before.')
  add(flags.DEFINE_string, 'coordinator', '', 'HOST:PORT of process 0, where '
      'several processes share a run; auto for what JAX finds out. Slurm, Open '
      'MPI and TPU pods need no flag.')
  add(flags.DEFINE_integer, 'num_processes', 0, 'How many share it.')
  add(flags.DEFINE_integer, 'process_id', -1, 'Which of them this is, from 0.')
  add(flags.DEFINE_integer, 'num_samples', None, 'Images to sample, 64 by '
      'default, or to score.')
  add(flags.DEFINE_integer, 'label', -1, 'Class to sample, -1 for all.')
  add(flags.DEFINE_integer, 'seed', 0, 'Seed of the samples.')
  add(flags.DEFINE_float, 'truncation', 0.0, 'Redraw latents beyond this '
      'size; 0 for never.')
  add(flags.DEFINE_integer, 'interpolate', 0, 'Points of a path between two '
      'latents per sample; 0 for none.')
  add(flags.DEFINE_string, 'out', '', 'F.png, F.gif, F.npz or a folder; by '
      'default WORKDIR/samples.png. Of inspect, a folder; of compare, F.md or '
      'F.csv; of evaluate, with --images, F.jsonl.')
  add(flags.DEFINE_string, 'extractor', '', 'What features are compared, by '
      'evaluate and report, for example inception.')
  add(flags.DEFINE_string, 'weights', '', 'Of evaluate: file of its weights.')
  add(flags.DEFINE_string, 'resizer', '', 'Of evaluate: how the extractor '
      'inception resizes, tf1, pytorch or clean.')
  add(flags.DEFINE_list, 'metrics', '', 'Of evaluate: fd,kd,prdc ...')
  add(flags.DEFINE_string, 'best', '', 'Of evaluate: the score by which '
      'WORKDIR/best-NAME is kept.')
  add(flags.DEFINE_bool, 'follow', False, 'Of evaluate: go on while the run '
      'is being trained.')
  add(flags.DEFINE_string, 'images', '', 'Of evaluate: a folder or .npz of '
      'images to score beside those of --reference.')
  add(flags.DEFINE_string, 'reference', '', 'See --images.')
  add(flags.DEFINE_list, 'resize', '', 'H,W that both are brought to.')
  add(flags.DEFINE_string, 'sort', '', 'Of compare, whose arguments are the '
      "folders of runs, or patterns such as 'runs/sweep/*': a score.")
  add(flags.DEFINE_bool, 'help', False, 'Print this.')


def config_of(values):
  """The ConfigDict of --config.

  Raises:
    ConfigError: no such file.
  """
  from gan_jax.base.errors import ConfigError, Problem
  from gan_jax.base.lookup import near
  path = config_flags.get_config_filename(values['config']).split(':')[0]
  if not os.path.isfile(path):
    folder = os.path.dirname(path) or '.'
    names = os.listdir(folder) if os.path.isdir(folder) else ()
    known = [os.path.join(folder, n) for n in names if n.endswith('.py')]
    raise ConfigError([Problem('py', path, 'no such file' + near(path, known))])
  return values.config


def workdir_of(values) -> str:
  """--workdir, or runs/<config>-<arg>-<overrides>, readable and stable."""
  return values.workdir or os.path.join('runs', name_of(values))


def name_of(values) -> str:
  """Of the run: <config>-<arg>-<overrides>, made fit for a file."""
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
