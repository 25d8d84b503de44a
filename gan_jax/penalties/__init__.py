"""Penalties: all terms that are added to the adversarial loss.

A function that returns a term, `r1` for example, is named by a config; every
public one of the files below can be imported from here, and to add one is to
write it there. `term.py` says what a term is, and which arguments it may name.
"""

from gan_jax.penalties.classes import *  # noqa: F403 - no entry for a new one
from gan_jax.penalties.consistency import *  # noqa: F403
from gan_jax.penalties.gradients import *  # noqa: F403
from gan_jax.penalties.simple import *  # noqa: F403
from gan_jax.penalties.term import Regulariser, Term  # noqa: F401 - for users
