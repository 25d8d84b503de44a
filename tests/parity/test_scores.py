"""Scores of the same features, logits and weights of Inception."""

import importlib.metadata
import types

import jax
import numpy as np
import pytest
from beside import check
from peers import MIMICRY, STUDIOGAN, STYLEGAN2_ADA, TFGAN, load
from random_inception import noise, weights

from gan_jax.extractors import inception_v3
from gan_jax.metrics.classes import inception_score
from gan_jax.metrics.frechet import distance_to
from gan_jax.metrics.images import ms_ssim
from gan_jax.metrics.kernel import full_kernel_distance, kernel_distance
from gan_jax.metrics.neighbours import manifold

CASES = ['plain', 'few', 'shifted']
NAMES = 'precision', 'recall', 'density', 'coverage'


def version(package):
  return f'{package} {importlib.metadata.version(package)}'


def features(case='plain'):
  count, size = (50, 64) if case == 'few' else (600, 48)
  draw = np.random.RandomState(0)
  real, fake = draw.randn(count, size), 1.1 * draw.randn(count, size) + 0.05
  if case == 'shifted':
    real, fake = abs(real) + 1, 0.8 * abs(fake) + 1.2
  return real, fake


def moments(x):
  return x.mean(0), np.cov(x, rowvar=False)


def same(ours, peer, place, found, wanted, **more):
  """`check` of values alone."""
  check(ours, peer, place, (np.asarray(found), None),
        (np.asarray(wanted), None), **more)


def session(run):
  """The value of a TensorFlow graph."""
  import tensorflow as tf
  with tf.Graph().as_default(), tf.compat.v1.Session() as one:
    return one.run(run(tf))


# Frechet distance.


def of_pytorch_fid(real, fake):
  from pytorch_fid.fid_score import calculate_frechet_distance
  return calculate_frechet_distance(*moments(real), *moments(fake))


def of_torch_fidelity(real, fake):
  import torch
  from torch_fidelity import metric_fid as fid
  found = fid.fid_statistics_to_metric(
      *(fid.fid_features_to_statistics(torch.from_numpy(x))
        for x in (real, fake)), verbose=False)
  return found['frechet_inception_distance']


def of_studiogan(real, fake):
  return load(STUDIOGAN, 'metrics.fid').frechet_inception_distance(
      *moments(real), *moments(fake))


def of_mimicry(real, fake):
  module = load(MIMICRY, 'torch_mimicry.metrics.fid.fid_utils')
  return module.calculate_frechet_distance(*moments(real), *moments(fake))


def of_tfgan(real, fake):
  module = load(TFGAN, 'tensorflow_gan.python.eval.classifier_metrics')
  return session(lambda tf: module.frechet_classifier_distance_from_activations(
      tf.constant(real), tf.constant(fake)))


@pytest.mark.parametrize('case', CASES)
@pytest.mark.parametrize('name,place,theirs', [
    ('pytorch-fid', 'fid_score.py: calculate_frechet_distance',
     of_pytorch_fid),
    ('torch-fidelity', 'metric_fid.py: fid_statistics_to_metric',
     of_torch_fidelity),
    (STUDIOGAN, 'src/metrics/fid.py: frechet_inception_distance', of_studiogan),
    (MIMICRY, 'torch_mimicry/metrics/fid/fid_utils.py: '
     'calculate_frechet_distance', of_mimicry),
    (TFGAN, 'tensorflow_gan/python/eval/classifier_metrics.py: '
     'frechet_classifier_distance_from_activations', of_tfgan)])
def test_frechet(name, place, theirs, case):
  real, fake = features(case)
  singular = case == 'few'
  same('metrics.frechet.distance_to',
       version(name) if isinstance(name, str) else name,
       f'{place}{", singular covariances" * singular}'
       f'{", features of a mean" * (case == "shifted")}',
       distance_to(real)(fake), theirs(real, fake),
       most=1e-4 if singular else 1e-8, remark="a root of rounding errors in "
       'theirs' if singular else '')


# Kernel distance.


@pytest.mark.parametrize('case', CASES)
def test_kernel_of_torch_fidelity(case):
  import torch
  from torch_fidelity.metric_kid import kid_features_to_metric
  real, fake = features(case)

  def theirs(subsets, size):
    found = kid_features_to_metric(
        torch.from_numpy(real), torch.from_numpy(fake), kid_subsets=subsets,
        kid_subset_size=size, verbose=False)
    return (found['kernel_inception_distance_mean'],
            found['kernel_inception_distance_std'])

  same('metrics.kernel.full_kernel_distance', version('torch-fidelity'),
       f'metric_kid.py: kid_features_to_metric, {case}',
       full_kernel_distance(real, fake), theirs(1, len(real))[0], most=1e-6)
  if case == 'few':
    return
  # Other subsets: the same but for chance.
  mean, std = theirs(100, 200)
  ours = kernel_distance(real, fake, seed=0, size=200)
  assert ours[0] == pytest.approx(mean, abs=4 * std / 10)
  assert ours[1] == pytest.approx(std, rel=0.3)


def test_kernel_of_tfgan():
  module = load(TFGAN, 'tensorflow_gan.python.eval.classifier_metrics')
  real, fake = features()
  same('metrics.kernel.full_kernel_distance', TFGAN,
       'tensorflow_gan/python/eval/classifier_metrics.py: '
       'kernel_classifier_distance_from_activations',
       full_kernel_distance(real, fake), session(
           lambda tf: module.kernel_classifier_distance_from_activations(
               tf.constant(real), tf.constant(fake))), most=1e-8)


def test_kernel_of_mimicry():
  module = load(MIMICRY, 'torch_mimicry.metrics.kid.kid_utils')
  real, fake = features()
  same('metrics.kernel.full_kernel_distance', MIMICRY,
       'torch_mimicry/metrics/kid/kid_utils.py: polynomial_mmd',
       full_kernel_distance(real, fake), module.polynomial_mmd(fake, real),
       most=1e-8)


# The scores of StyleGAN2-ADA, of features in place of a data set and a network.


def of_stylegan2(monkeypatch, module, function, real, fake, *args):
  module = load(STYLEGAN2_ADA, f'metrics.{module}')

  def given(x):
    import torch
    return lambda **_: types.SimpleNamespace(
        get_mean_cov=lambda: moments(x), get_all=lambda: x,
        get_all_torch=lambda: torch.from_numpy(x))

  util = module.metric_utils
  monkeypatch.setattr(util, 'compute_feature_stats_for_dataset', given(real))
  monkeypatch.setattr(util, 'compute_feature_stats_for_generator', given(fake))
  return getattr(module, function)(
      types.SimpleNamespace(rank=0, num_gpus=1, device='cpu'), *args)


def test_frechet_of_stylegan2(monkeypatch):
  real, fake = features()
  same('metrics.frechet.distance_to', STYLEGAN2_ADA,
       'metrics/frechet_inception_distance.py: compute_fid',
       distance_to(real)(fake), of_stylegan2(
           monkeypatch, 'frechet_inception_distance', 'compute_fid', real, fake,
           None, None), most=1e-8)


def test_kernel_of_stylegan2(monkeypatch):
  real, fake = features()
  same('metrics.kernel.full_kernel_distance', STYLEGAN2_ADA,
       'metrics/kernel_inception_distance.py: compute_kid',
       full_kernel_distance(real, fake), of_stylegan2(
           monkeypatch, 'kernel_inception_distance', 'compute_kid', real, fake,
           None, None, 1, len(real)), most=1e-8)


def test_neighbours_of_stylegan2(monkeypatch):
  """Whole numbers below 2,048 keep their distances in theirs' float16."""
  draw = np.random.default_rng(0)
  real = draw.integers(-9, 10, (300, 8)).astype(float)
  fake = draw.integers(-8, 12, (300, 8)).astype(float)
  wanted = of_stylegan2(monkeypatch, 'precision_recall', 'compute_pr', real,
                        fake, None, None, 3, 1000, 1000)
  found = manifold(real, fake, k=3)
  closed = [_closed(real, fake, 3), _closed(fake, real, 3)]
  same('metrics.neighbours.manifold', STYLEGAN2_ADA,
       'metrics/precision_recall.py: compute_pr',
       [found['precision'], found['recall']], wanted, most=1e-3,
       decision='in the first they are closed',
       explained=((np.array(closed), None), (np.array(wanted), None)),
       remark='of whole numbers, where distances tie; float16 there')


def _closed(reals, fakes, k):
  """Share of fakes in or on a ball of a real, in theirs' float16."""
  def far(a, b):
    return np.float16(np.sqrt(((a[:, None] - b[None]) ** 2).sum(-1)))
  radii = np.sort(far(reals, reals), axis=1)[:, k]
  return (far(fakes, reals) <= radii).any(1).mean()


def test_inception_score_of_stylegan2(monkeypatch):
  logits = 3 * np.random.RandomState(0).randn(1003, 10)
  p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
  same('metrics.classes.inception_score', STYLEGAN2_ADA,
       'metrics/inception_score.py: compute_is',
       inception_score(logits, seed=None), of_stylegan2(
           monkeypatch, 'inception_score', 'compute_is', None, p, 1003, 10),
       most=1e-8)


# Inception score.


@pytest.mark.parametrize('splits', [1, 7, 10])
def test_inception_score_of_torch_fidelity(splits):
  import torch
  from torch_fidelity.metric_isc import isc_features_to_metric
  logits = 3 * np.random.RandomState(0).randn(1003, 10)
  theirs = isc_features_to_metric(torch.from_numpy(logits), splits, False)
  same('metrics.classes.inception_score', version('torch-fidelity'),
       f'metric_isc.py: isc_features_to_metric, {splits} splits',
       inception_score(logits, seed=None, splits=splits),
       [theirs['inception_score_mean'], theirs['inception_score_std']])


def test_inception_score_of_tfgan():
  module = load(TFGAN, 'tensorflow_gan.python.eval.classifier_metrics')
  logits = 3 * np.random.RandomState(0).randn(1003, 10)
  same('metrics.classes.inception_score', TFGAN, 'tensorflow_gan/python/eval/'
       'classifier_metrics.py: classifier_score_from_logits',
       inception_score(logits, seed=None, splits=1)[0], session(
           lambda tf: module.classifier_score_from_logits(
               tf.constant(logits))))


def test_inception_score_of_studiogan():
  """The mean; their deviation divides by splits - 1."""
  import torch
  module = load(STUDIOGAN, 'metrics.ins')
  logits = 3 * np.random.RandomState(0).randn(1003, 10)
  mean, std = module.calculate_kl_div(
      torch.softmax(torch.tensor(logits), 1), 10)
  found = np.array(inception_score(logits, seed=None))
  wider = found * [1.0, np.sqrt(10 / 9)]
  wanted = np.array([mean, std])
  same('metrics.classes.inception_score', STUDIOGAN,
       'src/metrics/ins.py: calculate_kl_div', found, wanted, most=1e-10,
       decision='std (ddof=0)', explained=((wider, None), (wanted, None)),
       remark='means agree; their std has splits - 1')


# Neighbours.


@pytest.mark.parametrize('k', [3, 5])
@pytest.mark.parametrize('case', CASES)
def test_neighbours(case, k):
  import prdc
  real, fake = features(case)
  found = manifold(real, fake, k=k)
  studio = load(STUDIOGAN, 'metrics.prdc')
  for peer, place, theirs in (
      (version('prdc'), 'prdc.py: compute_prdc', prdc.compute_prdc),
      (STUDIOGAN, 'src/metrics/prdc.py: compute_prdc', studio.compute_prdc)):
    wanted = theirs(real, fake, nearest_k=k)
    same('metrics.neighbours.manifold', peer, f'{place}, k={k}, {case}',
         [found[x] for x in NAMES], [wanted[x] for x in NAMES])


@pytest.mark.parametrize('case', CASES)
def test_precision_and_recall_of_torch_fidelity(case):
  import torch
  from torch_fidelity.metric_prc import prc_features_to_metric
  real, fake = features(case)
  theirs = prc_features_to_metric(
      *(torch.from_numpy(x) for x in (fake, real)), prc_neighborhood=3,
      prc_batch_size=1000, save_cpu_ram=False, verbose=False)
  found = manifold(real, fake, k=3)
  same('metrics.neighbours.manifold', version('torch-fidelity'),
       f'metric_prc.py: prc_features_to_metric, {case}',
       [found['precision'], found['recall']],
       [theirs['precision'], theirs['recall']], most=1e-6,
       remark='float32 there')


# Images.


def test_ms_ssim():
  """TensorFlow's, with five scales, whose sides are even."""
  import tensorflow as tf
  draw = np.random.default_rng(0)
  first = draw.integers(0, 256, (2, 192, 192, 3)).astype(np.uint8)
  second = np.uint8(0.7 * first + 0.3 * draw.integers(0, 256, first.shape))
  theirs = tf.image.ssim_multiscale(first, second, 255).numpy()
  same('metrics.images.ms_ssim', version('tensorflow-cpu'),
       'tf.image.ssim_multiscale', ms_ssim(first, second), theirs, most=1e-4,
       remark='float32 on both sides')


def test_inception_block_by_block(monkeypatch):
  """Random weights; every block, features and logits."""
  import torch
  from pytorch_fid import inception as theirs
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
  for mine, other in pairs:
    np.testing.assert_allclose(mine, other, atol=1e-4 * np.abs(other).max())
  for name, other in (('features', seen['avgpool'][:, :, 0, 0]),
                      ('logits', logits.numpy())):
    same('extractors.inception_v3.forward', version('pytorch-fid'),
         f'inception.py: fid_inception_v3, {name}', ours[name], other,
         most=1e-4, remark='random weights; all 16 blocks too')
