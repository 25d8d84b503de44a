"""Pictures of a run: uint8 grids, PNG, GIF and training curves.

Every function is pure: arrays in, arrays or bytes out.  No file is written
and nothing global is touched (matplotlib is used through `Figure`, without
pyplot), so all of it may run in any thread and without a display.
"""

from gan_jax.media.pictures import gif, grid, png, read_png, to_uint8
from gan_jax.media.plots import curves

__all__ = ['curves', 'gif', 'grid', 'png', 'read_png', 'to_uint8']
