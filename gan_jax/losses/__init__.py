"""Adversarial losses: functions that return a `Loss`, named by a config.

`independent.py` has those whose value for an example depends on that example
(or pair) only, `coupled.py` those that look at the whole batch. To add one,
write a function there: every public one can be named and imported from here.
It may ask for `batch_mean`, the mean over the examples of all devices, and for
`batch_all`, which maps x [b, ...] of a device to [B, ...] of all of them.
"""

from gan_jax.losses.coupled import *  # noqa: F403 - new losses need no entry
from gan_jax.losses.independent import *  # noqa: F403
