"""Loggers: outputs of scalars and sample grids, components of `loggers`.

WORKDIR/scalars.jsonl is written whatever the config says, as resuming, reports
and comparisons read it. To add a logger, subclass `base.Logger` and import it
here, or name it 'module:Class' in the config. A package that it needs is
imported by its constructor, so that a missing one is an error in the config,
before compilation.
"""

from gan_jax.loggers.events import tensorboard
from gan_jax.loggers.services import mlflow, wandb

__all__ = ['mlflow', 'tensorboard', 'wandb']
