"""Noise on the hidden layers of a perceptron, while training."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import models
from gan_jax.models import mlp

COUNT = 4000


@pytest.fixture(scope='module')
def noisy():
  """A discriminator of one hidden layer, and what it gives to equal images."""
  model = models.as_model(mlp.Discriminator(num_classes=0, widths=(6,),
                                            activation='relu', noise=0.5))
  image = jnp.broadcast_to(jnp.linspace(-1.0, 1.0, 4).reshape(1, 2, 2, 1),
                           (COUNT, 2, 2, 1))
  label = jnp.zeros(COUNT, jnp.int32)
  params, stats = jax.jit(model.init)(jax.random.key(0), image[:2], label[:2])
  run = jax.jit(lambda image, keys: model.apply(
      params, stats, image, label[:len(image)], train=True, keys=keys)[0])
  keys = jax.random.split(jax.random.key(1), COUNT)
  plain = model.apply(params, stats, image[:1], label[:1], train=False)[0]
  return params, run, image, keys, plain


def test_it_is_normal_of_the_deviation_asked_for(noisy):
  params, run, image, keys, plain = noisy
  out = run(image, keys)
  w = np.asarray(params['Heads_0']['logits']['kernel'])[:, 0]
  # Logits are (h + 0.5 n).w + b.
  assert float(out.logits.std()) == pytest.approx(
      0.5 * np.linalg.norm(w), rel=0.05)
  assert float(out.logits.mean()) == pytest.approx(
      float(plain.logits[0]), abs=float(2 * np.linalg.norm(w) / COUNT ** 0.5))
  # What terms match is without it.
  np.testing.assert_allclose(out.features, jnp.broadcast_to(
      plain.features, out.features.shape), rtol=1e-5)


def test_each_example_draws_by_its_own_key(noisy):
  _, run, image, keys, plain = noisy
  whole = np.asarray(run(image, keys).logits)
  assert len(np.unique(whole)) > COUNT // 2
  np.testing.assert_allclose(run(image[5:9], keys[5:9]).logits, whole[5:9],
                             rtol=1e-5)
  without = run(image[:2], None).logits
  np.testing.assert_allclose(without, [float(plain.logits[0])] * 2, rtol=1e-5)
