"""The program from Python: what `import gan_jax` offers."""

import copy
import os
import signal
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from ml_collections import ConfigDict
from ml_collections.config_flags import config_path

from gan_jax import parallel
from gan_jax.base.errors import ConfigError, Problem, RequestError
from gan_jax.config import population, recipe
from gan_jax.config.overrides import run_name
from gan_jax.run import populations, signals
from gan_jax.run.status import read as status_of
from gan_jax.views import evaluate
from gan_jax.views.leaderboard import load as _frame_of_runs
from gan_jax.views.trained import Trained

get_config = recipe.get_config


def load(folder: str, *, step: int = 0) -> Trained:
  """A checkpoint of a run: `gan_jax.load('runs/dcgan').sample(64)`.

  Args:
    folder: the working directory of the run.
    step: of the checkpoint, 0 for the newest valid one.

  Raises:
    WorkdirError, CheckpointError: with what to do.
    ConfigError: it names code of one's own that cannot be imported.
  """
  parallel.use_compilation_cache()
  run = Trained(folder, step=step)
  _ = run.state
  return run


def train(config: str | os.PathLike | Mapping, workdir: str = '',
          allow_changed: Sequence[str] = (),
          **overrides) -> Trained | list[Trained]:
  """Trains, or resumes, a run and returns it: `gan_jax.train('dcgan:quick')`.

  Of a population, all members that have a checkpoint.

  Call it in the main thread. Ctrl-C, or a notebook's stop button, saves first.

  Args:
    config: a recipe's name or file, with its argument ('dcgan:loss=hinge'), or
      a config.
    workdir: folder of the run; by default runs/NAME as on the command line,
      where the config has a name.
    allow_changed: keys of the config that may differ from those of the run that
      is resumed, such as ['gen_optimizer.learning_rate'].
    **overrides: keys of the config, also as `**{'loss.name': 'hinge'}`.

  Raises:
    ConfigError, DataError, WorkdirError, CheckpointError, NonFiniteError,
      StoppedError: with what to do.
    RequestError: not in the main thread, or no folder.
    KeyboardInterrupt, SystemExit: after SIGINT; after SIGTERM or SIGUSR1. The
      state is saved, and the same call resumes.
  """
  parallel.use_compilation_cache()
  if threading.current_thread() is not threading.main_thread():
    raise RequestError('gan_jax.train needs the main thread, where signals '
                       'arrive')
  name = os.fspath(config) if isinstance(config, str | os.PathLike) else ''
  # A copy: overrides are for this run only.
  config = get_config(name) if name else ConfigDict(copy.deepcopy(config))
  for path, value in overrides.items():
    try:
      config_path.set_value(path, config, value, accept_new_attributes=True)
    except (LookupError, TypeError, ValueError) as e:
      raise ConfigError([Problem(path, value, f'cannot be set: {e}')]) from e
  if not name and not workdir:
    raise RequestError("give a folder for the run: workdir='runs/first'")
  workdir = os.fspath(workdir) or os.path.join(
      'runs', run_name(name, overrides))
  flags = {'config': name} | {f'config.{path}': value
                              for path, value in overrides.items()}
  found = population.load(config)
  status = populations.train(
      found, workdir, allow_changed=allow_changed,
      argv=['gan_jax.main', *(f'--{key}={value}'
                              for key, value in flags.items() if name)])
  if status == signals.STATUS[signal.SIGINT]:
    raise KeyboardInterrupt(f'{workdir} is saved; the same call resumes')
  if status:  # SIGTERM and SIGUSR1 end the program.
    raise SystemExit(status)
  if len(found.members) == 1:
    return load(workdir)
  return [load(folder) for folder in populations.folders_of(found, workdir)
          if status_of(folder).step]


def score(images: str, reference: str = '', **asked: Any) -> pd.DataFrame:
  """Scores the checkpoints of a run, or a folder of images against another.

  Args:
    images: the working directory of a run; with `reference`, a folder or .npz
      of images.
    reference: a folder or .npz of real images.
    **asked: metrics, extractor, ..., see `evaluate.specs`, and the
      arguments of `evaluate.checkpoints` or `evaluate.folders`.

  Returns:
    A row for each score: step, name, value, floor (the score of real images),
    low and high (95 % interval), reason (why there is no value), and how it was
    measured.
  """
  parallel.use_compilation_cache()
  images, reference = os.fspath(images), os.fspath(reference)
  rows = (evaluate.folders(images, reference, **asked) if reference
          else evaluate.checkpoints(images, **asked))
  return pd.DataFrame([{'step': step, **score._asdict()}
                       for step, score in rows])


def compare(folders: Any) -> pd.DataFrame:
  """Runs and their scores as a frame, see `gan_jax.views.leaderboard.load`.

  `folders`: one or several, or patterns such as 'runs/sweep/*'.
  """
  one = isinstance(folders, str | os.PathLike)
  return _frame_of_runs(
      [os.fspath(folder) for folder in ([folders] if one else folders)])
