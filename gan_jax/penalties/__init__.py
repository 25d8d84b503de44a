"""Penalties: terms that are added to the adversarial loss.

To add one, write a public function that returns it in a file of this package.
`term.py` says what a penalty is, and which arguments it may declare.
"""

from gan_jax.penalties.classes import *  # noqa: F403 - no entry for a new one
from gan_jax.penalties.consistency import *  # noqa: F403
from gan_jax.penalties.gradients import *  # noqa: F403
from gan_jax.penalties.posterior import *  # noqa: F403
from gan_jax.penalties.simple import *  # noqa: F403
from gan_jax.penalties.term import Regulariser, Term  # noqa: F401 - for users
