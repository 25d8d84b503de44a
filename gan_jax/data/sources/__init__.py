"""Data sets: one factory per set, arguments -> `Source`.

To add one, write a public function that returns a `Source` and import it here,
or in a file of your own; a config names it: `data=dict(name='npz', path=...)`.
`prepare.make_source` makes a `Source` of arrays, `collection.load` of image
files. A wrong argument is an ArgumentError, a problem of the files a DataError.
`data.load` applies resizing, classes, held-out part and flips; a function with
a parameter `geometry` resizes by itself, as sizes may differ. Images keep the
order of their files.
"""

from gan_jax.data.sources.archives import webdataset, zip
from gan_jax.data.sources.arrays import fashion_mnist, idx, mnist, mnist10k, npz
from gan_jax.data.sources.audio import audio
from gan_jax.data.sources.auto import auto
from gan_jax.data.sources.dicom import dicom
from gan_jax.data.sources.folder import folder
from gan_jax.data.sources.records import lmdb, parquet
from gan_jax.data.sources.rows import hdf5, npy
from gan_jax.data.sources.synthetic import (
  grid,
  noise,
  ring,
  solids,
  stacked_mnist,
  tones,
)
from gan_jax.data.sources.table import table
from gan_jax.data.sources.tfds import tfds

__all__ = ['audio', 'auto', 'dicom', 'fashion_mnist', 'folder', 'grid',
           'hdf5', 'idx', 'lmdb', 'mnist', 'mnist10k', 'noise', 'npy', 'npz',
           'parquet', 'ring', 'solids', 'stacked_mnist', 'table', 'tfds',
           'tones', 'webdataset', 'zip']
