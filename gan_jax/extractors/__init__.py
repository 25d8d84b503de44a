"""Extractors: the networks in whose features scores are computed.

A factory takes its settings as keyword arguments, and `source`, the data set,
if it names it; it returns an `Extractor`. To add one, write it and import it
here; import nothing else, as a config can name whatever this file imports.
Scores by two extractors must not be compared: their sha256 tells them apart.
"""

from gan_jax.extractors.base import Extractor
from gan_jax.extractors.cnn import classifier
from gan_jax.extractors.inception_v3 import inception
from gan_jax.extractors.simple import points, random

__all__ = ['Extractor', 'classifier', 'inception', 'points', 'random']
