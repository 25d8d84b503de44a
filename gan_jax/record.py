"""What a working directory says of its run, and whether it is the same run."""

import json
import logging
import os
import re

from gan_jax import durations, fields, parallel, trust, validation, workdir
from gan_jax.data import scan
from gan_jax.experiment import Facts, plain
from gan_jax.workdir import WorkdirError
from gan_jax.writers import write_file

_LOG = logging.getLogger(__name__)

# What may change when a run is resumed; all else would make it another run.
RESUMABLE = ('train_steps', 'log_every', 'sample_every', 'eval_every',
             'evaluators', 'best_metric', 'checkpoint_every',
             'keep_checkpoints', 'steps_per_call', 'sample_grid', 'watchdog')
# Where schedules may stand.
_SCHEDULED = ('gen_optimizer', 'disc_optimizer', 'penalties', 'augment',
              'ema_decay')
# Where the data lie and how they are read; the fingerprint says what they are.
_ELSEWHERE = tuple(f'data.{key}' for key in (
    'resident_limit', 'path', 'folder', 'data_dir', 'on_bad_image', 'max_bad'))
# Facts of the data that networks and readers depend on.
_SHAPES = ('image_shape', 'num_classes', 'classes')


def check_same_run(folder, experiment, *, allow_changed_data=False):
  """A folder belongs to one run: its config and its data.

  Args:
    folder: the working directory.
    experiment: what is to run there.
    allow_changed_data: only warn where the examples are others than before;
      their shape and classes must be the same all the same.

  Raises:
    WorkdirError: with the fields that differ.
  """
  config = experiment.config
  lines = [line for line in _differences(folder, 'config.json', config)
           if re.split(r'[.:[]', line)[0] not in _resumable(config)
           and line.split(':')[0] not in _ELSEWHERE]
  changed = _changed_data(folder, experiment.facts)
  if changed and allow_changed_data and not any(
      line.startswith(_SHAPES) for line in changed):
    _LOG.warning('the data have changed since the last launch:\n  %s',
                 '\n  '.join(changed))
    changed = []
  if lines or changed:
    fix = ('; or --allow_changed_data to go on with the data as they are'
           if changed and not lines else '')
    raise WorkdirError(
        f'{folder} holds another run; use another --workdir, or remove it'
        f'{fix}:\n  ' + '\n  '.join([*lines, *changed]))


def read_run(folder: str):
  """(config, facts) of a run, as it left them.

  Raises:
    WorkdirError: no run there, or one of another version.
  """
  found = []
  for name in ('config.json', 'data.json'):
    path = os.path.join(folder, name)
    if not os.path.exists(path):
      raise WorkdirError(f'{path} does not exist: {folder!r} is not the '
                         'working directory of a run; give one with --workdir')
    try:
      with open(path) as file:
        found.append(plain(json.load(file)))
    except ValueError as e:
      raise WorkdirError(f'{path} is damaged: {e}') from e
  trust.check(folder, found[0])
  if absent := sorted(validation.KEYS - set(found[0])):
    raise WorkdirError(f'{folder}/config.json is of another version: it lacks '
                       f'{", ".join(absent)}')
  try:
    return found[0], Facts(**found[1])
  except TypeError as e:
    raise WorkdirError(f'{folder}/data.json is of another version: {e}') from e


def _differences(folder, name, now):
  path = os.path.join(folder, name)
  if not os.path.exists(path):
    return []
  with open(path) as file:
    try:
      before = json.load(file)
    except ValueError as e:
      raise WorkdirError(f'{path} is damaged: {e}; bring it back from a copy, '
                         'or use another --workdir') from e
  return fields.diff(before, now)


def _changed_data(folder, facts):
  """What is not as it was when the folder was last written, in words."""
  now = facts._asdict()
  lines = [line for line in _differences(folder, 'data.json', now)
           if not line.startswith('manifest')]
  if any(line.startswith('fingerprint') for line in lines):
    with open(os.path.join(folder, 'data.json')) as file:
      before = json.load(file).get('manifest', '')
    if os.path.exists(before) and os.path.exists(facts.manifest):
      lines += scan.changes(before, facts.manifest)
  return lines


def _resumable(config):
  """Keys that may change; not the length if a schedule is a share of it.

  A duration in words is rounded to whole calls: their length counts as well.
  """
  if any(_has_share(config.get(key)) for key in _SCHEDULED):
    fixed = {'train_steps'} | ({'steps_per_call'} if durations.is_text(
        config['train_steps']) else set())
    return [key for key in RESUMABLE if key not in fixed]
  return RESUMABLE


def _has_share(value):
  """Whether a percentage stands anywhere in a part of a config."""
  if isinstance(value, dict):
    value = tuple(value.values())
  if isinstance(value, (list, tuple)):
    return any(map(_has_share, value))
  return durations.is_text(value) and '%' in value


def write_launch(folder, experiment, start, origin):
  """config.json and data.json of the run, a line per launch in launches.

  Args:
    folder: the working directory.
    experiment: what runs there.
    start: step that it starts from.
    origin: {}, or whose weights it starts with, of `transfer.start_from`.
  """
  for name, value in (('config.json', experiment.config),
                      ('data.json', experiment.facts._asdict())):
    write_file(os.path.join(folder, name),
               (json.dumps(value, indent=1) + '\n').encode())
  launch = workdir.provenance() | {
      'step': start, 'train_steps': experiment.train_steps,
      'devices': parallel.device_names(), 'cores': parallel.cores()}
  if origin:
    launch['init_from'] = origin
  before = _last_launch(folder) if start else {}
  with open(os.path.join(folder, 'launches.jsonl'), 'a') as file:
    file.write(json.dumps(launch) + '\n')
  if start:
    _LOG.info('resuming %s at step %d', folder, start)
  now, then = len(launch['devices']), len(before.get('devices', ()))
  if then and now != then:
    _LOG.warning('on %d devices, before on %d: the same batches and noise, but '
                 'not the same bits%s', now, then,
                 _another_game(experiment.config))
  now, then = launch['cores'], before.get('cores', 0)
  if now and then and now != then:
    _LOG.warning('on %d cores, before on %d: a CPU sums in another order, so '
                 'that it is the same run, but not the same bits', now, then)


def _another_game(config):
  """What the number of devices changes beside rounding, in words."""
  found = [f'{key}={value}' for key, value in fields.flat(config).items()
           if value == 'virtual_batch'
           or key.endswith('.minibatch') and value != 'none']
  return (f'; and not the same game: with {", ".join(found)} each device looks '
          'at its own part of the batch') if found else ''


def _last_launch(folder) -> dict:
  """The launch before this one."""
  try:
    with open(os.path.join(folder, 'launches.jsonl')) as file:
      return json.loads(file.readlines()[-1])
  except (OSError, ValueError, LookupError):
    return {}
