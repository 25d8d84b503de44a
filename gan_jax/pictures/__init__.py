"""Pictures of runs and of data: sheets, plots, curves, PNG, GIF.

`sheet` draws examples of any kind: vectors, signals, images, volumes.

Import all functions from here. Each is pure (arrays in, arrays or bytes out; no
pyplot), so it may run in any thread and without a display. To add one, write a
function that returns uint8 [H, W, C] in the module of its kind, and import it
below.
Matplotlib and SciPy, half a second that each start would wait for, are imported
by the functions that need them.
"""

from gan_jax.pictures.curves import curves
from gan_jax.pictures.examples import (
  channels_shown,
  contact_sheet,
  sheet,
  tiles,
)
from gan_jax.pictures.images import gif, grid, pillow, png, read_png, to_uint8
from gan_jax.pictures.plots import (
  forest,
  pareto,
  plane,
  scatter,
  spectrum,
  statistics,
)
from gan_jax.pictures.searches import (
  foresight,
  history,
  importances,
  pair,
  slices,
)

__all__ = ['channels_shown', 'contact_sheet', 'curves', 'foresight', 'forest',
           'gif', 'grid', 'history', 'importances', 'pair', 'pareto', 'pillow',
           'plane', 'png', 'read_png', 'scatter', 'sheet', 'slices', 'spectrum',
           'statistics', 'tiles', 'to_uint8']
