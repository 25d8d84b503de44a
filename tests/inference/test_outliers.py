"""Scores of outliers, worked out by hand where a decoder is simple."""

import jax
import jax.numpy as jnp
import numpy as np
from decoders import no_labels
from jax.tree_util import Partial

from gan_jax.inference import outliers

# It draws (u, 0): the second number cannot be made.
DECODE = Partial(lambda u, label: jnp.pad(u, ((0, 0), (0, 1))))
ENCODE = Partial(lambda x, label: x[:, :1] + 1.0)  # always 1 off
FEATURES = Partial(lambda x, label: 10.0 * x[:, 1:])
X = jnp.array([[0.5, 0.0], [0.5, 2.0]])


def test_anogan_is_what_is_left_of_pixels_and_features():
  found = outliers.anogan(DECODE, FEATURES, X, no_labels(2), jax.random.key(0),
                          size=1)
  # 0.9 x 2 of the pixels, 0.1 x 20 of the features.
  np.testing.assert_allclose(found.score, [0.0, 1.8 + 2.0], atol=2e-3)
  np.testing.assert_allclose(found.found, [[0.5, 0.0]] * 2, atol=2e-3)
  np.testing.assert_allclose(found.heat, [[0.0, 0.0], [0.0, 2.0]], atol=2e-3)


def test_anogan_without_features_is_the_residual():
  found = outliers.anogan(DECODE, None, X, no_labels(2), jax.random.key(0),
                          size=1)
  np.testing.assert_allclose(found.score, [0.0, 2.0], atol=2e-3)


def test_anogan_descends_on_the_features_too():
  """f = x0 + 1 on the generator's side: between 0.5 and -0.5 by weights."""
  features = Partial(lambda x, label: jnp.where(
      x[:, 1:] == 0.0, x[:, :1] + 1.0, x[:, :1]))
  x = jnp.array([[0.5, 1e-9]])
  near, far = (outliers.anogan(
      DECODE, features, x, no_labels(1), jax.random.key(0), size=1,
      weight=weight).found[0, 0] for weight in (0.1, 0.9))
  np.testing.assert_allclose([near, far], [0.5, -0.5], atol=5e-3)


def test_f_anogan_takes_the_encoders_word():
  found = outliers.f_anogan(DECODE, ENCODE, FEATURES, X, no_labels(2),
                            kappa=0.5)
  # Errors (1, 0) and (1, 2): means of squares 0.5 and 2.5; features 0 and 20.
  np.testing.assert_allclose(found.score, [0.5, 2.5 + 0.5 * 400], rtol=1e-6)
  np.testing.assert_allclose(found.found, [[1.5, 0.0]] * 2)
  evenly = outliers.f_anogan(DECODE, ENCODE, FEATURES, X, no_labels(2))
  np.testing.assert_allclose(evenly.score, [0.5, 2.5 + 400], rtol=1e-6)
  alone = outliers.f_anogan(DECODE, ENCODE, None, X, no_labels(2))
  np.testing.assert_allclose(alone.score, [0.5, 2.5], rtol=1e-6)


def test_heat_of_images_is_the_mean_over_channels():
  decode = Partial(lambda u, label: jnp.zeros((len(u), 1, 2, 2)))
  encode = Partial(lambda x, label: jnp.zeros((len(x), 1)))
  x = jnp.array([[[[1.0, 3.0], [0.0, -1.0]]]])
  found = outliers.f_anogan(decode, encode, None, x, no_labels(1))
  np.testing.assert_allclose(found.heat, [[[2.0, 0.5]]])


def test_what_a_discriminator_takes_for_real_is_no_outlier():
  logits = Partial(lambda x, label: x[:, 0] + label)
  np.testing.assert_allclose(
      outliers.judged(logits, X, jnp.array([0, 3])), [-0.5, -3.5])
