"""Pictures of runs and of data: grids, contact sheets, plots, curves, PNG, GIF.

All functions are imported from here. Each is pure: arrays in, arrays or bytes
out, no file written and no global state (Matplotlib without pyplot), so it may
run in any thread and without a display. A new picture is a function in the
module of its kind that returns uint8 [H, W, C], and a name below.
"""

from gan_jax.pictures.curves import curves
from gan_jax.pictures.images import (
  contact_sheet,
  gif,
  grid,
  png,
  read_png,
  to_uint8,
)
from gan_jax.pictures.plots import plane, scatter, spectrum, statistics

__all__ = ['contact_sheet', 'curves', 'gif', 'grid', 'plane', 'png', 'read_png',
           'scatter', 'spectrum', 'statistics', 'to_uint8']
