"""Pictures of runs and of data: grids, contact sheets, plots, curves, PNG, GIF.

Import all functions from here. Each is pure (arrays in, arrays or bytes out; no
pyplot), so it may run in any thread and without a display. To add one, write a
function that returns uint8 [H, W, C] in the module of its kind, and import it
below.
"""

from gan_jax.pictures.curves import curves
from gan_jax.pictures.images import (
  contact_sheet,
  gif,
  grid,
  pillow,
  png,
  read_png,
  to_uint8,
)
from gan_jax.pictures.plots import plane, scatter, spectrum, statistics

__all__ = ['contact_sheet', 'curves', 'gif', 'grid', 'pillow', 'plane', 'png',
           'read_png', 'scatter', 'spectrum', 'statistics', 'to_uint8']
