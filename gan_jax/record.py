"""What a working directory says of its run, and whether it is the same run."""

import json
import logging
import os
import re

from gan_jax import parallel, workdir
from gan_jax.workdir import WorkdirError
from gan_jax.writers import write_file

_LOG = logging.getLogger(__name__)

# What may change when a run is resumed; all else would make it another run.
RESUMABLE = ('train_steps', 'log_every', 'sample_every', 'eval_every',
             'evaluators', 'checkpoint_every', 'keep_checkpoints',
             'steps_per_call', 'sample_grid')


def check_same_run(folder, experiment):
  """A folder belongs to one run: its config and its data.

  Raises:
    WorkdirError: with the fields that differ.
  """
  lines = []
  for name, now in (('config.json', experiment.config),
                    ('data.json', experiment.facts._asdict())):
    path = os.path.join(folder, name)
    if os.path.exists(path):
      with open(path) as file:
        old = json.load(file)
      lines += [line for line in workdir.diff(old, now)
                if re.split(r'[.:[]', line)[0] not in _resumable(now)]
  if lines:
    raise WorkdirError(
        f'{folder} holds another run; use another --workdir, or remove it:\n  '
        + '\n  '.join(lines))


def _resumable(config):
  """Keys that may change; not train_steps if a schedule is a share of it."""
  schedules = [config.get(key, {}).get('learning_rate')
               for key in ('gen_optimizer', 'disc_optimizer')]
  if any(isinstance(v, str) and '%' in v for schedule in schedules
         if isinstance(schedule, dict) for v in schedule.values()):
    return [key for key in RESUMABLE if key != 'train_steps']
  return RESUMABLE


def write_launch(folder, experiment, start):
  """config.json and data.json of the run, a line per launch in launches."""
  for name, value in (('config.json', experiment.config),
                      ('data.json', experiment.facts._asdict())):
    write_file(os.path.join(folder, name),
               (json.dumps(value, indent=1) + '\n').encode())
  launch = workdir.provenance() | {
      'step': start, 'devices': parallel.device_names()}
  before = _last_devices(folder) if start else []
  with open(os.path.join(folder, 'launches.jsonl'), 'a') as file:
    file.write(json.dumps(launch) + '\n')
  if start:
    _LOG.info('resuming %s at step %d', folder, start)
  if before and len(before) != len(launch['devices']):
    _LOG.warning('on %d devices, before on %d: the same batches and noise, but '
                 'not the same bits', len(launch['devices']), len(before))


def _last_devices(folder):
  """The devices of the launch before this one."""
  try:
    with open(os.path.join(folder, 'launches.jsonl')) as file:
      return json.loads(file.readlines()[-1])['devices']
  except (OSError, ValueError, LookupError):
    return []
