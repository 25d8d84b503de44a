"""Holes that are filled: weights and borders by hand, a face that is known."""

import jax
import jax.numpy as jnp
import numpy as np
from decoders import no_labels
from jax.tree_util import Partial

from gan_jax.inference import completion


def test_a_known_pixel_counts_by_the_missing_ones_around_it():
  hole = np.zeros((1, 20, 20), bool)
  hole[0, 10, 10] = hole[0, 0, 0] = True
  found = completion.weights(hole)[0]
  assert found[10, 10] == found[0, 0] == 0.0
  assert found[7, 13] == np.float32(1 / 49) and found[7, 14] == 0.0
  # In the corner the window holds 4 x 5 pixels.
  np.testing.assert_allclose(found[0, 1], 1 / 20)


def test_a_hole_takes_the_gradients_of_the_other_image():
  """A ramp that is 0.3 too bright becomes the ramp that the border wants."""
  ramp = np.tile(np.linspace(0.1, 0.6, 9), (9, 1))[..., None]
  hole = np.zeros((9, 9), bool)
  hole[3:6, 2:7] = True
  spoilt = np.where(hole[..., None], 0.0, ramp)
  np.testing.assert_allclose(completion.blend(spoilt, ramp + 0.3, hole), ramp,
                             atol=1e-6)


def test_a_hole_at_the_edge_is_tied_to_its_inner_border_only():
  ramp = np.tile(np.linspace(0.1, 0.6, 9), (9, 1))[..., None]
  hole = np.zeros((9, 9), bool)
  hole[:, 5:] = True
  spoilt = np.where(hole[..., None], 0.0, ramp)
  np.testing.assert_allclose(completion.blend(spoilt, ramp + 0.3, hole), ramp,
                             atol=1e-6)


def test_nothing_and_everything_missing():
  x, found = np.zeros((4, 4, 1)), np.ones((4, 4, 1))
  np.testing.assert_array_equal(
      completion.blend(x, found, np.zeros((4, 4), bool)), x)
  np.testing.assert_array_equal(
      completion.blend(x, found, np.ones((4, 4), bool)), found)


def _draw(u, label):
  """Two halves of one brightness each, which is the same."""
  del label
  return jnp.broadcast_to(jax.nn.sigmoid(u)[:, :1, None, None],
                          (len(u), 8, 8, 1))


def test_what_is_known_decides_what_is_missing():
  x = np.full((2, 8, 8, 1), [[[[0.3]]], [[[0.8]]]], np.float32)
  hole = np.zeros((2, 8, 8), bool)
  hole[:, :, 4:] = True
  spoilt = np.where(hole[..., None], np.nan, x)
  for logits in (None, Partial(lambda x, label: 0 * x[:, 0, 0, 0])):
    filled, found = completion.complete(
        Partial(_draw), logits, spoilt, hole, no_labels(2), jax.random.key(0),
        size=1)
    np.testing.assert_allclose(found, x, atol=5e-3)
    np.testing.assert_allclose(filled, x, atol=5e-3)


def test_the_loss_is_the_papers_of_images_in_minus_1_to_1(monkeypatch):
  hole = np.zeros((1, 1, 3), bool)
  hole[0, 0, 0] = True
  x = np.float32([[[[np.nan], [0.5], [0.5]]]])
  seen = []

  def search(decode, loss, target, label, key, *, size):
    found = jnp.array([[[0.9], [0.4], [0.3]]])
    seen.append(loss(found, jax.tree.map(lambda of: of[0], target)))
    return None, None, found[None, None]

  monkeypatch.setattr(completion, 'search', search)
  logits = Partial(lambda x, label: jnp.zeros(1))
  for judge in (None, logits):
    completion.complete(None, judge, x, hole, no_labels(1), None, size=1)
  # A third is missing around both: 2 (0.1 + 0.2) / 3; log(1 - 1 / 2).
  np.testing.assert_allclose(seen, [0.2, 0.2 - 0.003 * np.log(2)], rtol=1e-5)


def test_the_discriminator_decides_where_little_is_known():
  """One pixel asks for 0.5, a discriminator for bright images."""
  x = np.full((1, 8, 8, 1), 0.5, np.float32)
  hole = np.ones((1, 8, 8), bool)
  hole[0, 0, 0] = False
  bright = Partial(lambda x, label: 100.0 * x.mean((1, 2, 3)))
  values = [completion.complete(
      Partial(_draw), bright, x, hole, no_labels(1), jax.random.key(0), size=1,
      realism=realism)[1].mean() for realism in (0.0, 1.0)]
  np.testing.assert_allclose(values[0], 0.5, atol=5e-3)
  assert values[1] > 0.9
