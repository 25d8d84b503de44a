"""Data sets: one factory per set, arguments -> `Source`.

Adding a data set is writing one public function that returns a `Source`, here
or in a file of your own; a config names it: `data=dict(name='npz',
path='x.npz')`. `prepare.make_source` makes a `Source` of arrays.

What all sets share (resizing, classes, held-out part, flips: see `data.load`)
is done to whatever a set returns. A set whose files are of many sizes must do
the geometry itself: it has a parameter `geometry` (`geometry.Geometry`) and
applies it to every image as it is read.

Images keep the order of their files: `pipeline.Batches` shuffles.
"""

from gan_jax.data.sources.arrays import fashion_mnist, idx, mnist, mnist10k, npz
from gan_jax.data.sources.folder import folder
from gan_jax.data.sources.synthetic import grid, noise, ring, stacked_mnist
from gan_jax.data.sources.tfds import tfds

__all__ = ['fashion_mnist', 'folder', 'grid', 'idx', 'mnist', 'mnist10k',
           'noise', 'npz', 'ring', 'stacked_mnist', 'tfds']
