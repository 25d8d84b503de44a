"""Checkpoints that are whole, or that are not believed."""

from gan_jax.checkpoint.checkpoints import (
    Checkpoints,
    NonFiniteStateError,
    arrays,
    digest,
    name_of,
)
from gan_jax.checkpoint.steps import CheckpointError

__all__ = ['CheckpointError', 'Checkpoints', 'NonFiniteStateError', 'arrays',
           'digest', 'name_of']
