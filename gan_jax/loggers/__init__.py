"""Loggers: who else hears what a run logs; each is a choice of `loggers`.

WORKDIR/scalars.jsonl is always written, whatever the config says: resuming,
reports and comparisons read it. To add a logger, write a class as `Logger` is
and import it here, or name it 'module:Class' in the config. A package that it
needs is imported when it is made, so that a missing one is a mistake in the
config, found before anything is compiled.
"""

from gan_jax.loggers.events import tensorboard
from gan_jax.loggers.services import mlflow, wandb

__all__ = ['mlflow', 'tensorboard', 'wandb']
