"""Extractors: feature networks for scores.

A factory takes its settings as keyword arguments, and `source`, the data set,
if declared; it returns an `Extractor`. To add one, import it here, and nothing
else, as a config can name all that is imported here. Scores of two extractors
do not compare: their sha256 differs.
"""

from gan_jax.extractors.base import Extractor
from gan_jax.extractors.cnn import classifier
from gan_jax.extractors.inception_v3 import inception
from gan_jax.extractors.simple import points, projection, random

__all__ = ['Extractor', 'classifier', 'inception', 'points',
           'projection', 'random']
