"""Trains and samples GANs: python -m gan_jax.main --config=configs/dcgan.py."""

import logging
import os
import re
import sys

from absl import app, flags
from absl import logging as absl_logging
from ml_collections import config_flags

# New attributes are let through here and judged with all the rest by
# experiment.load, so that every mistake in a config is named at once.
_CONFIG = config_flags.DEFINE_config_file(
    'config', None, 'File with get_config(arg), e.g. configs/dcgan.py or '
    'configs/dcgan.py:loss=hinge,quick.', lock_config=False,
    accept_new_attributes=True)
_WORKDIR = flags.DEFINE_string(
    'workdir', '', 'Where the run is kept; by default runs/<config> and the '
    'overrides.')
_MODE = flags.DEFINE_enum('mode', 'train', ['train', 'sample'],
                          'What to do with the run.')
_DRY_RUN = flags.DEFINE_bool(
    'dry_run', False, 'Print networks, durations and memory, and exit.')
_NUM_SAMPLES = flags.DEFINE_integer('num_samples', 64, 'Images to sample.')
_LABEL = flags.DEFINE_integer('label', -1, 'Class to sample, -1 for all.')
_SEED = flags.DEFINE_integer('seed', 0, 'Seed of the samples.')
_TRUNCATION = flags.DEFINE_float(
    'truncation', 0.0, 'Redraw latents beyond this size; 0 for never.')
_INTERPOLATE = flags.DEFINE_integer(
    'interpolate', 0, 'Points of a path between two latents per sample.')
_OUT = flags.DEFINE_string(
    'out', '', 'F.png, F.gif, F.npz or a folder; by default '
    'WORKDIR/samples.png.')

BAD_CONFIG, BAD_DATA, BAD_RUN = 2, 3, 4


def main(argv) -> int:
  """Returns the exit status: 0, or one of the constants above."""
  # Imported here: --help and a mistyped flag need no JAX.
  from gan_jax import checkpoint, experiment, parallel, sample, train, workdir
  from gan_jax.data.sources import DataError
  del argv
  absl_logging.set_verbosity('warning')  # Orbax tells its life story.
  logging.getLogger('gan_jax').setLevel(logging.INFO)
  parallel.use_compilation_cache()
  try:
    if _MODE.value == 'sample':
      return _sample(sample)
    if _CONFIG.value is None:
      return _fail(BAD_CONFIG, 'give a config: --config=configs/dcgan.py')
    run = experiment.load(_CONFIG.value)
    if _DRY_RUN.value:
      print(experiment.describe(run))
      return 0
    return train.train(run, _workdir())
  except (experiment.ConfigError, sample.RequestError) as e:
    return _fail(BAD_CONFIG, e)
  except DataError as e:
    return _fail(BAD_DATA, e)
  except (workdir.WorkdirError, checkpoint.CheckpointError,
          train.NonFiniteError) as e:
    return _fail(BAD_RUN, e)


def _sample(module) -> int:
  folder = _workdir()
  request = module.Request(_NUM_SAMPLES.value, _LABEL.value, _SEED.value,
                           _TRUNCATION.value, _INTERPOLATE.value)
  out = _OUT.value or os.path.join(folder, 'samples.png')
  print(module.sample(folder, request, out))
  return 0


def _workdir() -> str:
  """--workdir, or runs/<config>-<arg>-<overrides>, readable and stable."""
  if _WORKDIR.value:
    return _WORKDIR.value
  if _CONFIG.value is None:
    return ''
  path, _, arg = config_flags.get_config_filename(flags.FLAGS['config']
                                                  ).partition(':')
  overrides = config_flags.get_override_values(flags.FLAGS['config'])
  parts = [os.path.splitext(os.path.basename(path))[0]]
  parts += [part for part in arg.split(',') if part]
  parts += [f'{key}={value}' for key, value in sorted(overrides.items())]
  return os.path.join('runs', re.sub(r'[^\w.,=+\[\]%-]+', '_', '-'.join(parts)))


def _fail(status: int, message) -> int:
  print(f'gan_jax: {message}', file=sys.stderr)
  return status


def _parse(argv):
  """Parses the flags; all that are wrong are reported, with exit status 2."""
  try:
    return flags.FLAGS(argv)
  except Exception:  # config_flags raises whatever its parsers raise.
    pass
  first = [a for a in argv[1:] if re.match(r'--?config(=|$)', a)]
  messages = []
  for arg in argv[1:]:
    flags.FLAGS.unparse_flags()
    base = [] if arg in first else first
    try:
      flags.FLAGS([argv[0], *base, arg])
    except Exception as e:
      text = str(e).strip('"\'').splitlines()
      messages.append(f'  {arg}: {" ".join(text) or type(e).__name__}')
  sys.exit(_fail(BAD_CONFIG, '\n'.join(
      ['cannot read the command line:', *dict.fromkeys(messages)])))


def run():
  """Entry point of the command line."""
  app.run(main, flags_parser=_parse)


if __name__ == '__main__':
  run()
