"""Data sets that take the arguments of their groups one by one.

`sets.folder(path=root, max_bad=0.5)` is `sources.folder(path=root,
reading=Reading(max_bad=0.5))`, without what `data.load` does afterwards.
"""

from gan_jax.data import load as data
from gan_jax.data import sources


def _flat(make):
  def call(**arguments):
    parts = {}
    for key, part in data.PARTS.items():
      given = {k: arguments.pop(k) for k in part._fields if k in arguments}
      if given:
        parts[key] = part(**given)
    return make(**arguments, **parts)
  return call


def __getattr__(name):
  return _flat(getattr(sources, name))
