"""Adversarial losses: factories that return a `Loss`.

`independent.py` has losses of single examples or pairs, `coupled.py` those of
the whole batch. To add one, write a public function there. It may declare
`batch_mean`, the mean over the examples of all devices, and `batch_all`, which
gathers [b, ...] of all devices to [B, ...].
"""

from gan_jax.losses.coupled import *  # noqa: F403 - new losses need no entry
from gan_jax.losses.independent import *  # noqa: F403
