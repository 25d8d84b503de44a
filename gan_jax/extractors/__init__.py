"""Extractors: the networks in whose features scores are computed.

A factory takes its settings as keyword arguments, and beside them what the
program supplies and the factory names: `source`, the data set.  It returns an
`Extractor`.  Numbers of two extractors must not be compared: their sha256 says
which they are.

Whatever this file imports, a config can name: factories only.
"""

from gan_jax.extractors.base import Extractor
from gan_jax.extractors.cnn import classifier
from gan_jax.extractors.inception_v3 import inception
from gan_jax.extractors.simple import points, random

__all__ = ['Extractor', 'classifier', 'inception', 'points', 'random']
