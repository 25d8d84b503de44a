"""Modes captured: counted by hand, and of the mixtures themselves."""

import numpy as np
import pytest

from gan_jax.data import sources
from gan_jax.evaluators import mode_coverage, stacked_coverage
from gan_jax.extractors import Extractor
from gan_jax.metrics.coverage import modes_captured

CENTRES = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])


def test_by_hand():
  points = [[0.2, 0.0], [0.31, 0.0], [10.0, -0.3], [5.0, 5.0], [0.0, 0.1]]
  # Within 0.3: the first, third and last; of the modes 0 and 1.
  assert modes_captured(points, CENTRES, 0.1) == (2, pytest.approx(0.6))


def test_what_is_not_finite_is_far():
  assert modes_captured([[np.nan, 0.0], [np.inf, 0.0]], CENTRES, 0.1) == (0, 0)


@pytest.mark.parametrize('name,modes', [('ring', 8), ('grid', 25)])
def test_the_data_reach_the_ceiling(name, modes):
  source = getattr(sources, name)()
  modes_, quality = mode_coverage(source=source, num_samples=50_000)(
      lambda start, stop: (source.images[start:stop], None))
  assert modes_.value == modes_.floor == modes
  # 1 - exp(-9 / 2), with a standard error of 0.0005 over 50,000.
  assert quality.value == pytest.approx(0.98889, abs=0.002)


def test_collapse_onto_one_mode():
  source = sources.ring()
  one = source.images[source.labels == 3]
  modes, quality = mode_coverage(source=source)(
      lambda start, stop: (one[start:stop], None))
  assert (modes.name, modes.value, modes.floor) == ('modes_2500', 1.0, 8.0)
  assert quality.name == 'high_quality_2500'


def test_other_data_are_refused():
  with pytest.raises(ValueError, match='ring and grid'):
    mode_coverage(source=sources.mnist10k())


def test_stacked_digits_are_told_channel_by_channel(monkeypatch):
  def told(images):  # The grey value is the digit.
    return images, np.eye(10, dtype=np.float32)[images[:, 0, 0, 0]]

  monkeypatch.setattr('gan_jax.extractors.classifier', lambda source:
                      Extractor('told', 'hash', told, {'accuracy': 1.0}))
  triples = np.stack(np.meshgrid(*[np.arange(10)] * 3), -1).reshape(-1, 1, 1, 3)
  triples = np.broadcast_to(triples, (1000, 2, 2, 3)).astype(np.uint8)
  source = sources.noise(shape=(2, 2, 3), num_examples=5000)._replace(
      images=np.concatenate([triples] * 5))
  evaluate = stacked_coverage(source=source, num_samples=5000)
  found = {score.name: score for score in evaluate(
      lambda start, stop: (
          np.resize(triples[:2], (stop - start, 2, 2, 3)), None))}
  assert found['hit_5k'].value == found['hit_five_5k'].value == 2
  assert found['effective_5k'].value == pytest.approx(2.0)
  assert found['divergence_5k'].value == pytest.approx(np.log(500))
  assert found['hit_5k'].floor == found['hit_five_5k'].floor == 1000
  assert found['divergence_5k'].floor == pytest.approx(0.0, abs=1e-9)


def test_stacked_digits_have_three_channels():
  with pytest.raises(ValueError, match='data=stacked_mnist'):
    stacked_coverage(source=sources.mnist10k())
