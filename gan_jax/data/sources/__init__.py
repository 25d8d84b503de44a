"""Data sets: one factory per set, arguments -> `Source`.

To add a set, write one public function that returns a `Source`, here or in a
file of your own; a config names it: `data=dict(name='npz', path='x.npz')`.
`prepare.make_source` makes a `Source` of arrays, `collection.load` of named
image files. All raise DataError for whatever is wrong with files or arguments.
`data.load` does resizing, classes, held-out part and flips to whatever a set
returns, except that one with a parameter `geometry` applies it to each image
that it reads, as sizes may differ. Images keep the order of their files.
"""

from gan_jax.data.sources.arrays import fashion_mnist, idx, mnist, mnist10k, npz
from gan_jax.data.sources.folder import folder
from gan_jax.data.sources.synthetic import grid, noise, ring, stacked_mnist
from gan_jax.data.sources.tfds import tfds

__all__ = ['fashion_mnist', 'folder', 'grid', 'idx', 'mnist', 'mnist10k',
           'noise', 'npz', 'ring', 'stacked_mnist', 'tfds']
