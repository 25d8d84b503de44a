"""Pictures of a run and of data: grids, points, PNG, GIF, training curves.

Every function is pure: arrays in, arrays or bytes out.  No file is written
and nothing global is touched (matplotlib is used through `Figure`, without
pyplot), so all of it may run in any thread and without a display.
"""

from gan_jax.pictures.comparison import beside, neighbours
from gan_jax.pictures.distributions import plane, principal_axes, spectrum
from gan_jax.pictures.overview import contact_sheet, statistics
from gan_jax.pictures.pictures import gif, grid, png, read_png, to_uint8
from gan_jax.pictures.plots import curves
from gan_jax.pictures.points import scatter

__all__ = ['beside', 'contact_sheet', 'curves', 'gif', 'grid', 'neighbours',
           'plane', 'png', 'principal_axes', 'read_png', 'scatter', 'spectrum',
           'statistics', 'to_uint8']
