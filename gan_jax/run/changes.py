"""What may change between two launches of a run, and what is refused."""

import logging
import os
import re
import shlex

import jax

from gan_jax import models
from gan_jax.base.errors import CheckpointError, WorkdirError
from gan_jax.config import durations, fields, keys
from gan_jax.config.rules import told_labels
from gan_jax.data import cache
from gan_jax.penalties.term import names
from gan_jax.run import files
from gan_jax.run.checkpoint import Checkpoints
from gan_jax.run.status import POPULATION

_LOG = logging.getLogger(__name__)
# Keys that may change when a run is resumed.
RESUMABLE = ('train_steps', 'log_every', 'sample_every', 'eval_every',
             'evaluators', 'loggers', 'best_metric', 'checkpoint_every',
             'keep_checkpoints', 'shard', 'steps_per_call', 'sample_grid',
             'watchdog', 'standing_batches')
# Keys that may hold schedules.
_SCHEDULED = ('gen_optimizer', 'disc_optimizer', 'penalties', 'augment',
              'ema_decay')
# Location and reading of the data, which the fingerprint identifies.
_ELSEWHERE = tuple(f'data.{key}' for key in (
    'resident_limit', 'path', 'folder', 'data_dir', 'on_bad_image', 'max_bad'))
# Fields of DataInfo that networks and readers depend on, and those that do
# where labels are looked at.
_SHAPES = ('image_shape', 'units', 'columns')
_LABELS = ('num_classes', 'classes', 'label_columns')
_MOVED = 'class '  # How the lines begin of classes with another number.


def check_same_run(folder, experiment, *, allow_changed_data: bool = False,
                   allow_changed=()) -> list[str]:
  """Raises an error for a folder of a run with another config or other data.

  Args:
    folder: the run folder.
    experiment: what is to run there.
    allow_changed_data: only warn of other examples; the shape must agree, and
      the classes if the game looks at labels.
    allow_changed: config paths, such as 'gen_optimizer.learning_rate', that may
      differ, with all below them.

  Returns:
    The allowed changes, 'path: before (checkpoint) -> now (now)'.

  Raises:
    WorkdirError: with the fields that differ.
  """
  if os.path.exists(os.path.join(folder, POPULATION)):
    raise WorkdirError(f'{folder} holds a population, and this is one run: '
                       'give the population again, or another --workdir')
  config = experiment.config
  before = files.read_json(folder, 'config.json') or config
  changed = [line for line in fields.diff(
      keys.without_added(before), keys.without_added(config))
             if not may_change(line.split(':')[0], config)]
  allowed = [line for line in changed if any(
      re.match(rf'{re.escape(path)}[.:[]', line) for path in allow_changed)]
  data = _changed_data(folder, experiment)
  fixed = (*_SHAPES, _MOVED, *_LABELS * _looks_at_labels(experiment))
  same_shapes = not any(line.startswith(fixed) for line in data)
  if allow_changed_data and same_shapes:
    allowed += data
  lines = [line for line in changed + data if line not in allowed]
  if lines:
    flags = []
    if paths := [line.split(':')[0] for line in changed]:
      flags.append(f'--allow_changed={",".join(paths)}')
    if data:
      flags.append('--allow_changed_data')
    # Networks of other shapes or labels cannot go on.
    fix = ('' if not same_shapes else
           f'; or resume with the changes by {" ".join(flags)}' if _fits(
               folder, experiment) else
           '; the weights have other shapes, and with another --workdir '
           f'--config.init_from={shlex.quote(str(folder))} takes those that '
           'fit')
    raise WorkdirError(
        f'{folder} holds another run; use another --workdir, or remove it'
        f'{fix}:\n  ' + '\n  '.join(lines))
  if allowed:
    _LOG.warning('changed since the last launch:\n  %s', '\n  '.join(allowed))
  return allowed


def _fits(folder, experiment) -> bool:
  """Whether the newest checkpoint of a run is of networks of these shapes."""
  with Checkpoints(folder) as saved:
    try:
      step = saved.latest()
    except CheckpointError:  # Damage, of which the resumed run tells.
      return True
    try:
      if step:
        saved.check(jax.eval_shape(experiment.init), step, verified=True)
    except CheckpointError:
      return False
  return True


def _changed_data(folder, experiment):
  """Differences from the data of the last launch."""
  info = experiment.info
  if not (kept := files.read_json(folder, 'data.json')):
    return []
  # Of an older run, which does not know all fields, those that it has.
  now = {key: value for key, value in fields.plain(info._asdict()).items()
         if key in kept}
  lines = [line for line in fields.diff(fields.plain(kept), now)
           if not line.startswith(('manifest', 'notices'))]
  if _looks_at_labels(experiment):
    lines += _moved(kept.get('class_names', ()), info.class_names)
  before = kept.get('manifest', '')
  if any(line.startswith('fingerprint') for line in lines) and all(
      map(os.path.exists, (before, info.manifest))):
    lines += cache.changes(before, info.manifest)
  return lines


def _looks_at_labels(experiment) -> bool:
  """Whether a network or a term of the game looks at labels."""
  config, game = experiment.config, experiment.game
  return game.draws_labelled or any(
      models.is_conditional(config[key]) for key in told_labels(config)) or any(
          names(side, 'label') for term in game.penalties
          for side in (term.parts.disc, term.parts.gen))


def _moved(before, now):
  """Classes whose number has changed, as by a folder with another name."""
  moved = [f'{name} {before.index(name)} -> {now.index(name)}'
           for name in before if name in now
           and before.index(name) != now.index(name)]
  return [f'{_MOVED}numbers: {", ".join(moved)}; the networks know classes by '
          'their numbers, which follow the order of the names: give those '
          'that you renamed names that sort as before'] if moved else []


def may_change(path: str, config) -> bool:
  """Whether a field of a config may change on resume.

  Not the length, if a schedule is a share of it; nor steps_per_call if the
  length is a string, which is rounded to whole calls.
  """
  key = re.split(r'[.[]', path)[0]
  shares = any(durations.is_text(text) and '%' in text
               for name in _SCHEDULED if name in config
               for field in fields.flat({'': config[name]}).items()
               for text in (field[0].rpartition('.')[2], field[1]))
  if shares and (key == 'train_steps' or key == 'steps_per_call'
                 and durations.is_text(config['train_steps'])):
    return False
  return key in RESUMABLE or path in _ELSEWHERE
