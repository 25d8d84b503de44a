"""Weights & Biases and MLflow, if installed."""

import math
import os
import time
from typing import Literal

from gan_jax.base import lookup
from gan_jax.loggers.base import Logger, kept_id


class wandb(Logger):
  """Weights & Biases, offline in WORKDIR/wandb; `wandb sync` uploads it.

  A resumed run keeps its id. The x axis is the scalar `step`, as steps of W&B
  cannot decrease when a run resumes from a checkpoint.
  """

  def __init__(self, *, project: str = 'gan_jax',
               mode: Literal['offline', 'online'] = 'offline'):
    self._package, self._run = lookup.package('wandb'), None
    self._project, self._mode = project, mode

  def open(self, folder, step, config):
    """Starts or resumes the run."""
    name = kept_id(os.path.join(folder, 'wandb', 'run_id'), step)
    self._run = self._package.init(
        dir=folder, project=self._project, mode=self._mode, id=name,
        name=os.path.basename(os.path.abspath(folder)), config=dict(config),
        resume='allow' if self._mode == 'online' else None)
    self._run.define_metric('*', step_metric='step')

  def write(self, step, scalars):
    """Logs a row."""
    self._run.log({'step': step, **scalars})

  def image(self, step, name, image):
    """Logs an image."""
    self._run.log({'step': step, name: self._package.Image(image)})

  def close(self):
    """Ends the run; idempotent."""
    if self._run:
      self._run.finish()
    self._run = None


class mlflow(Logger):
  """MLflow, in WORKDIR/mlflow.db, or on the server at `uri`.

  A resumed run keeps its id. Values that are not finite are not logged.
  """

  def __init__(self, *, experiment: str = 'gan_jax', uri: str = ''):
    self._package, self._client = lookup.package('mlflow'), None
    self._experiment, self._uri = experiment, uri

  def open(self, folder, step, config):
    """Starts or resumes the run."""
    folder = os.path.abspath(folder)
    client = self._package.MlflowClient(
        self._uri or f'sqlite:///{folder}/mlflow.db')
    found = client.get_experiment_by_name(self._experiment)
    home = found.experiment_id if found else client.create_experiment(
        self._experiment, **({} if self._uri else {
            'artifact_location': f'file://{folder}/mlflow'}))
    mark = kept_id(os.path.join(folder, 'mlflow', 'run_id'), step)
    self._client, runs = client, client.search_runs(
        [home], f"tags.gan_jax = '{mark}'")
    self._id = (runs[0] if runs else client.create_run(
        home, run_name=os.path.basename(folder), tags={'gan_jax': mark}
    )).info.run_id
    client.set_terminated(self._id, 'RUNNING')
    client.log_dict(self._id, dict(config), 'config.json')

  def write(self, step, scalars):
    """Logs a row."""
    now = int(1000 * time.time())
    self._client.log_batch(self._id, [
        self._package.entities.Metric(name, number, now, step)
        for name, number in scalars.items() if math.isfinite(number)])

  def image(self, step, name, image):
    """Logs an image."""
    self._client.log_image(self._id, image, f'{name}/step_{step:08d}.png')

  def close(self):
    """Ends the run; idempotent."""
    if self._client:
      self._client.set_terminated(self._id)
    self._client = None

