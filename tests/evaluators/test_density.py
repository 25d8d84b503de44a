"""The evaluator `ais`, of decoders whose density is known."""

import jax.numpy as jnp
import numpy as np
import pytest
from decoders import linear
from jax.tree_util import Partial
from scipy.stats import multivariate_normal

from gan_jax.data.prepare import make_source
from gan_jax.evaluators import ais
from gan_jax.evaluators.density import _score
from gan_jax.game.decoder import Decoder

FEW = dict(num_test=6, num_simulated=6, chains=32, temperatures=100)
# For decoders that ignore their latents.
FEWER = dict(num_test=6, num_simulated=3, chains=2, temperatures=5)


def source_of(x):
  return make_source(np.asarray(x, np.float32), np.zeros(len(x), np.int32), 0,
                     name='points')


def model_of(decode, size):
  return lambda: Decoder(decode, None, Partial(lambda u: u), size)


@pytest.mark.parametrize('values, half', [
    # 12.7062 and 4.3027 deviations of 1 / sqrt(2) and 1 / sqrt(3).
    ([1.0, 1 + 2 ** 0.5], 12.7062 / 2 ** 0.5), ([2.0, 3, 4], 4.30265 / 3**0.5)])
def test_few_examples_have_an_interval_of_student(values, half):
  # With 1.96 in place of t, those of 5 examples held the truth in 88 %.
  score = _score('ais', np.array(values), {}, {})
  np.testing.assert_allclose([score.low, score.high], [
      np.mean(values) - half, np.mean(values) + half], rtol=1e-5)
  assert _score('ais', np.array([1.0]), {}, {}).low is None


def test_the_mean_density_of_points_of_a_linear_decoder():
  decode, w, b = linear(size=2, numbers=20)
  rng = np.random.default_rng(0)
  x = rng.normal(size=(200, 2)) @ w + b + 0.5 * rng.normal(size=(200, 20))
  source = source_of(x)
  score, gap = ais(**FEW, source=source, seed=0)(None, model_of(decode, 2))
  assert (score.name, gap.name) == ('ais_6_train', 'ais_gap_6')
  sigma = score.found['sigma']
  np.testing.assert_allclose(sigma, 0.5, rtol=0.1)
  each = multivariate_normal.logpdf(
      source.images, b, w.T @ w + sigma ** 2 * np.eye(20))
  # Which six they are is not told: the mean of any six lies in the interval.
  assert score.low < each.mean() < score.high
  assert abs(gap.value) < 0.3
  # The same sigma, given, gives the same number; bits per value are of it.
  told, _ = ais(**FEW, sigma=sigma, source=source, seed=0)(
      None, model_of(decode, 2))
  np.testing.assert_allclose(told.value, score.value, rtol=1e-4)
  np.testing.assert_allclose(score.found['bits_per_value'],
                             -score.value / np.log(2) / 20, rtol=1e-5)


def test_pixels_of_a_decoder_that_ignores_its_latent():
  """Grey 128 is a coin of 128 / 255, and the decoder says 0.25 of each."""
  images = np.full((8, 4, 4, 1), 128, np.uint8)
  source = make_source(images, np.zeros(8, np.int32), 0, name='grey')
  decode = Partial(lambda u, label: jnp.full((len(u), 4, 4, 1), 0.25))
  score, gap = ais(**FEWER, likelihood='bernoulli', source=source, seed=0)(
      None, model_of(decode, 2))
  assert score.found['sigma'] is None
  # 16 coins: their mean is a multiple of 1/96 of the way between both ends.
  low, high = 16 * np.log(0.25), 16 * np.log(0.75)
  ones = (high - score.value) / (high - low) * 96
  np.testing.assert_allclose(ones, round(ones), atol=0.02)
  assert 30 < ones < 66
  np.testing.assert_allclose(gap.value, 0.0, atol=1e-3)


def test_a_conditional_decoder_gets_the_labels_of_the_data():
  images = np.zeros((9, 4, 4, 1), np.uint8)
  labels = np.arange(9, dtype=np.int32) % 3
  source = make_source(images, labels, 3, name='three')
  decode = Partial(lambda u, label: jnp.broadcast_to(
      (0.25 + 0.25 * label)[:, None, None, None], (len(u), 4, 4, 1)))
  score, _ = ais(**FEWER | dict(num_test=9), likelihood='bernoulli',
                 source=source, seed=0)(None, model_of(decode, 2))
  np.testing.assert_allclose(
      score.value, 16 * np.log([0.75, 0.5, 0.25]).mean(), rtol=1e-4)


def test_a_prior_that_cannot_be_inferred_is_the_reason_for_no_value():
  def model():
    raise ValueError('latents of the prior infogan cannot be inferred')

  found = ais(**FEWER, source=source_of(np.zeros((9, 4))), seed=0)(None, model)
  assert [score.value for score in found] == [None, None]
  assert all('infogan' in score.reason for score in found)


@pytest.mark.parametrize('asked,message', [
    (dict(num_test=9), 'num_test=9: points has 9 .* one is needed'),
    (dict(num_test=10, sigma=0.1), 'num_test=10: points has 9'),
    (dict(num_test=4, chains=0), 'chains=0: must be 1 or more'),
    (dict(num_test=4, sigma=-1.0), 'sigma=-1.0: must be above 0'),
    (dict(num_test=4, likelihood='laplace'), "='laplace': must be 'gaussian'")])
def test_what_cannot_be_asked_for(asked, message):
  with pytest.raises(ValueError, match=message):
    ais(**asked, source=source_of(np.zeros((9, 4))), seed=0)
