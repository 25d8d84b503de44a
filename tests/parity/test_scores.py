"""The scores beside those of other programs, of the same random features.

They are skipped without `pip install -r requirements-compare.txt`, as these
programs bring PyTorch and are of no other use here; what the scores must be is
asserted without them, by golden numbers and definitions.
"""

import jax
import numpy as np
import pytest
from random_inception import noise, weights

from gan_jax.extractors import inception_v3
from gan_jax.metrics.classes import inception_score
from gan_jax.metrics.frechet import distance_to
from gan_jax.metrics.kernel import full_kernel_distance, kernel_distance
from gan_jax.metrics.neighbours import manifold

# Their warnings are not ours.
pytestmark = pytest.mark.filterwarnings('ignore')
REASON = 'pip install -r requirements-compare.txt'
CASES = ['float64', 'float32', 'few', 'shifted']


def program(name):
  return pytest.importorskip(name, reason=REASON)


def frechet_distance(real, fake):
  return distance_to(real)(fake)


def features(case):
  count, size = (50, 64) if case == 'few' else (600, 48)
  draw = np.random.RandomState(0)
  real, fake = draw.randn(count, size), 1.1 * draw.randn(count, size) + 0.05
  if case == 'shifted':
    real, fake = abs(real) + 1, 0.8 * abs(fake) + 1.2
  if case == 'float32':
    real, fake = real.astype(np.float32), fake.astype(np.float32)
  return real, fake


@pytest.mark.parametrize('case', CASES)
def test_frechet_is_that_of_pytorch_fid(case):
  fid = program('pytorch_fid.fid_score')
  real, fake = (x.astype(np.float64) for x in features(case))
  theirs = fid.calculate_frechet_distance(
      *(f(x) for x in (real, fake)
        for f in (lambda x: x.mean(0), lambda x: np.cov(x, rowvar=False))))
  assert frechet_distance(*features(case)) == pytest.approx(
      theirs, rel=1e-4 if case == 'few' else 1e-8)


@pytest.mark.parametrize('case', CASES)
def test_frechet_is_that_of_torch_fidelity(case):
  fid = program('torch_fidelity.metric_fid')
  torch = program('torch')
  # It takes moments in the features' own precision.
  real, fake = (x.astype(np.float64) for x in features(case))
  theirs = fid.fid_statistics_to_metric(
      *(fid.fid_features_to_statistics(torch.from_numpy(x))
        for x in (real, fake)), verbose=False)
  assert frechet_distance(*features(case)) == pytest.approx(
      theirs['frechet_inception_distance'],
      rel=1e-4 if case == 'few' else 1e-8)


@pytest.mark.parametrize('case', CASES)
def test_kernel_distance_is_that_of_torch_fidelity(case):
  kid = program('torch_fidelity.metric_kid')
  torch = program('torch')
  real, fake = (x.astype(np.float64) for x in features(case))

  def theirs(subsets, size):
    found = kid.kid_features_to_metric(
        torch.from_numpy(real), torch.from_numpy(fake), kid_subsets=subsets,
        kid_subset_size=size, verbose=False)
    return (found['kernel_inception_distance_mean'],
            found['kernel_inception_distance_std'])

  assert full_kernel_distance(*features(case)) == pytest.approx(
      theirs(1, len(real))[0], rel=1e-6)
  if case != 'few':
    # Other subsets: the same but for chance.
    mean, std = theirs(100, 200)
    ours = kernel_distance(*features(case), seed=0, size=200)
    assert ours[0] == pytest.approx(mean, abs=4 * std / 10)
    assert ours[1] == pytest.approx(std, rel=0.3)


@pytest.mark.parametrize('splits', [1, 7, 10])
def test_inception_score_is_that_of_torch_fidelity(splits):
  isc = program('torch_fidelity.metric_isc')
  torch = program('torch')
  logits = 3 * np.random.RandomState(0).randn(1003, 10)
  theirs = isc.isc_features_to_metric(torch.from_numpy(logits), splits, False)
  assert inception_score(logits, seed=None, splits=splits) == pytest.approx(
      (theirs['inception_score_mean'], theirs['inception_score_std']),
      rel=1e-12, abs=1e-12)


@pytest.mark.parametrize('k', [3, 5])
@pytest.mark.parametrize('case', CASES)
def test_manifold_is_that_of_prdc(case, k):
  prdc = program('prdc')
  # Its distances of float32 are rounded to float32.
  theirs = prdc.compute_prdc(*(x.astype(np.float64) for x in features(case)),
                             nearest_k=k)
  assert manifold(*features(case), k=k) == pytest.approx(theirs)


@pytest.mark.parametrize('case', CASES)
def test_precision_and_recall_are_those_of_torch_fidelity(case):
  prc = program('torch_fidelity.metric_prc')
  torch = program('torch')
  real, fake = (torch.from_numpy(x.astype(np.float64)) for x in features(case))
  theirs = prc.prc_features_to_metric(
      fake, real, prc_neighborhood=3, prc_batch_size=1000, save_cpu_ram=False,
      verbose=False)
  found = manifold(*features(case), k=3)
  assert (found['precision'], found['recall']) == pytest.approx(
      (theirs['precision'], theirs['recall']))


def test_inception_is_that_of_pytorch_fid_block_by_block(monkeypatch):
  """Random weights; every block, features and logits, to 1e-4 of their size."""
  theirs = program('pytorch_fid.inception')
  torch = program('torch')
  tensors = {name: torch.from_numpy(x) for name, x in weights().items()}
  tensors['fc.bias'] = torch.zeros(inception_v3.CLASSES)
  monkeypatch.setattr(theirs, 'load_state_dict_from_url',
                      lambda *_, **__: tensors)
  network, seen = theirs.fid_inception_v3().eval(), {}
  for name, module in network.named_children():
    module.register_forward_hook(
        lambda _, __, out, name=name: seen.update({name: out.numpy()}))
  image = np.asarray(inception_v3.resize_on_device(
      'tf1', noise((2, 75, 91, 3))))
  with torch.no_grad():
    logits = network(torch.from_numpy(image.transpose(0, 3, 1, 2).copy()))
  ours = jax.jit(inception_v3.forward)(
      jax.tree.map(np.asarray, inception_v3.fold(weights())), image)
  blocks = [name for name in ours if name in seen]
  assert len(blocks) >= 16 and blocks[-1] == 'Mixed_7c'
  pairs = [(ours[name], seen[name].transpose(0, 2, 3, 1)) for name in blocks]
  pairs += [(ours['features'], seen['avgpool'][:, :, 0, 0]),
            (ours['logits'], logits.numpy())]
  for mine, other in pairs:
    np.testing.assert_allclose(mine, other, atol=1e-4 * np.abs(other).max())
