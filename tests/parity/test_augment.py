"""Augmentations with the same draws: images and gradients by the images."""

import itertools
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from beside import by_jax, by_torch, check, draw, given
from peers import DIFFAUGMENT, STUDIOGAN, STYLEGAN2_ADA, alone, load

from gan_jax import augment
from gan_jax.augment import adaptive
from gan_jax.penalties import consistency

IMAGES = draw(0, 2, 6, 8, 3)
KEYS = jax.random.split(jax.random.key(0), len(IMAGES))
OF_DIFF = 'DiffAugment_pytorch.py'
OF_ADA = 'training/augment.py: AugmentPipe'
# Ours draws and moves in float32.
FLOAT32 = 2e-6


def nchw(function):
  """A function of [N, C, H, W], for [N, H, W, C]."""
  return lambda x: function(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


def same_for_all(value):
  """One draw for each image, in the shape of [N, 1, 1, 1]."""
  return np.full(len(IMAGES), value)


def worst(pairs):
  """The pair of several (found, wanted) that differs most, all stacked."""
  found, wanted = zip(*pairs, strict=True)
  return [(np.stack([x[0] for x in side]), [np.stack([x[1][0] for x in side])])
          for side in (found, wanted)]


def test_colour(monkeypatch):
  import torch
  module = load(DIFFAUGMENT, 'DiffAugment_pytorch')
  pairs = []
  for u in np.random.default_rng(0).uniform(size=(4, 3)):
    monkeypatch.setattr(
        jax.random, 'uniform', lambda key, shape, minval, maxval, u=u: (
            minval + u * (maxval - minval)))

    def theirs(x, u=u):
      with given(torch, rand=map(same_for_all, u)):
        return module.DiffAugment(x, 'color')

    pairs.append((by_jax(lambda x: augment.colour()(x, KEYS), IMAGES),
                  by_torch(nchw(theirs), IMAGES)))
  check('augment.colour', DIFFAUGMENT, f'{OF_DIFF}: rand_brightness, '
        'rand_saturation, rand_contrast', *worst(pairs), most=FLOAT32)


def moved(monkeypatch, function, draws, theirs):
  """All pairs of whole draws, by ours and by theirs."""
  import torch
  pairs = []
  for ours, other in draws:
    monkeypatch.setattr(jax.random, 'randint', lambda *_, ours=ours, **__: (
        jnp.array(ours)))

    def run(x, other=other):
      with given(torch, randint=map(same_for_all, other)):
        return theirs(x)

    pairs.append((by_jax(lambda x: function(x, KEYS), IMAGES),
                  by_torch(nchw(run), IMAGES)))
  return worst(pairs)


def test_translation(monkeypatch):
  module = load(DIFFAUGMENT, 'DiffAugment_pytorch')
  # int(6 / 8 + 0.5) rows, int(8 / 8 + 0.5) columns.
  draws = [((a, b), (-a, -b)) for a, b in itertools.product(
      (-1, 0, 1), repeat=2)]
  check('augment.translation', DIFFAUGMENT, f'{OF_DIFF}: rand_translation',
        *moved(monkeypatch, augment.translation(), draws,
               module.rand_translation), most=0.0,
        remark='all 9 draws of 6 x 8 pixels, with the opposite sign')


def test_cutout(monkeypatch):
  module = load(DIFFAUGMENT, 'DiffAugment_pytorch')
  # Windows of 3 x 4: centres 0..5 and 0..8.
  draws = [(pair, pair) for pair in itertools.product(range(6), range(9))]
  check('augment.cutout', DIFFAUGMENT, f'{OF_DIFF}: rand_cutout',
        *moved(monkeypatch, augment.cutout(), draws, module.rand_cutout),
        most=0.0, remark='all 54 draws of 6 x 8 pixels')


def test_shifts_of_consistency(monkeypatch):
  module = load(STUDIOGAN, 'utils.cr')
  # Ours count from the upper left corner, theirs from no shift.
  draws = [((a, b), (a - 1, b - 2)) for a, b in itertools.product(
      range(3), range(5))]
  check('penalties.consistency.cr', STUDIOGAN, 'src/utils/cr.py: '
        'random_translation', *moved(
            monkeypatch, lambda x, keys: consistency._change(
                x, keys, 0.25, False), draws,
            lambda x: module.random_translation(x, 0.25)),
        remark='all 15 draws of 6 x 8 pixels')


def test_flips_of_consistency(monkeypatch):
  """Theirs with the outcome of ours."""
  import torch
  module = load(STUDIOGAN, 'utils.cr')
  images, keys = draw(1, 16, 4, 4, 3), jax.random.split(jax.random.key(1), 16)
  found = by_jax(lambda x: consistency._change(x, keys, 0.0, True), images)
  flipped = (found[0] != images).any((1, 2, 3))
  assert 0 < flipped.sum() < 16
  draws = types.SimpleNamespace(uniform_=lambda *_: torch.tensor(
      np.where(flipped, 0.1, 0.9)[:, None]))

  def theirs(x):
    with monkeypatch.context() as patched:
      patched.setattr(torch, 'FloatTensor', lambda *_: draws)
      return module.random_flip(x, 0.5)

  check('penalties.consistency.cr', STUDIOGAN, 'src/utils/cr.py: random_flip',
        found, by_torch(nchw(theirs), images), most=0.0)


def test_apa():
  import torch
  module = load(STUDIOGAN, 'utils.apa_aug')
  real, fake = draw(2, 32, 4, 4, 3), draw(3, 32, 4, 4, 3)
  keys = jax.random.split(jax.random.key(2), 32)
  with jax.enable_x64(True):
    u = np.asarray(jax.vmap(jax.random.uniform)(keys))

  def theirs(real, fake):
    with given(torch, rand=[u]):
      return module.apply_apa_aug(real, fake, 0.3, 'cpu')

  mix = augment.apa(p=0.3).mix
  check('augment.apa', STUDIOGAN, 'src/utils/apa_aug.py: apply_apa_aug', by_jax(
      lambda a, b: mix(a, b, keys, {'p': 0.3}), real, fake),
      by_torch(theirs, real, fake), most=0.0)


def pipe(**on):
  """Theirs, with some operations always on."""
  module = load(STYLEGAN2_ADA, 'training.augment')
  with alone(STYLEGAN2_ADA):  # Its classes pickle themselves.
    return module.AugmentPipe(**dict.fromkeys(on, 1))


def ours_with(monkeypatch, done, u, n, images):
  """bgc of given draws; done: the numbers of the operations."""
  switches = np.isin(np.arange(15), done)
  monkeypatch.setattr(adaptive, '_draw', lambda key, p: (
      jnp.array(switches), jnp.array(u), jnp.array(n)))
  keys = jax.random.split(jax.random.key(0), len(images))
  return by_jax(lambda x: augment.bgc(p=1.0).apply(x, keys, {}), images)


def theirs_with(network, images, rand, randn=()):
  import torch
  count = len(images)
  draws = {name: [np.broadcast_to(np.float32(x), (count, *np.shape(x)))
                  for x in values]
           for name, values in (('rand', rand), ('randn', randn))}

  def run(x):
    with given(torch, **draws):
      return network(x.float()).double()

  return by_torch(nchw(run), images)


def normals(seed):
  """(u, n) as ours draws them."""
  rng = np.random.default_rng(seed)
  return rng.uniform(-1, 1, 10), rng.normal(size=8)


def unit(u):
  return (np.asarray(u) + 1) / 2


def test_colours_of_ada(monkeypatch):
  network = pipe(brightness=1, contrast=1, lumaflip=1, hue=1, saturation=1)
  pairs = []
  for seed in range(4):
    u, n = normals(seed)
    rand = [0, 0, 0.75 if u[6] < 0 else 0.25, 0, unit(u[7]), 0, 0]
    pairs.append((ours_with(monkeypatch, range(8, 13), u, n, IMAGES),
                  theirs_with(network, IMAGES, rand, n[4:7])))
  check('augment.bgc', STYLEGAN2_ADA, f'{OF_ADA}, colours', *worst(pairs),
        most=1e-5, remark='float32 here')


def test_whole_shifts_of_ada(monkeypatch):
  """Theirs filters to twice the size and back, which shifts do not hurt."""
  network, pairs = pipe(xint=1), []
  images = draw(4, 2, 16, 16, 3)
  for seed in range(4):
    u, n = normals(seed)
    pairs.append((ours_with(monkeypatch, [2], u, n, images), theirs_with(
        network, images, [unit([u[3], u[2]]), 0])))
  check('augment.bgc', STYLEGAN2_ADA, f'{OF_ADA}, xint', *worst(pairs),
        most=1e-5, remark='float32 here')


GEOMETRY = {'xflip': 0, 'rotate90': 1, 'xint': 2, 'scale': 3, 'rotate': 4,
            'aniso': 5, 'xfrac': 7}


@pytest.mark.parametrize('names', [
    ('xflip', 'rotate90', 'xint'), ('scale', 'rotate', 'aniso', 'xfrac')])
def test_geometry_of_ada(monkeypatch, names):
  """Of noise they differ, of a ramp they hardly do.

  Their filter is not symmetric, so that a mirrored or turned image is moved by
  a part of a pixel.
  """
  network = pipe(**dict.fromkeys(names))
  done = [GEOMETRY[name] for name in names] + [6] * ('rotate' in names)
  rows, columns = np.mgrid[:32, :32] / 16.0 - 1.0
  pairs = {'ramp': [], 'noise': []}
  ramp = np.stack([rows, columns, rows - 2 * columns], -1)[None]
  for seed in range(4):
    u, n = normals(seed)
    n = n / 2  # Not so far that the border is seen.
    rand = ([0.75 if u[0] < 0 else 0.25, 0, unit(u[1]), 0,
             unit([u[3], u[2]]), 0] if 'xint' in names else
            [0, unit(u[4]), 0, 0, unit(u[5]), 0, 0])
    randn = [] if 'xint' in names else [n[0], n[1], [n[3], n[2]]]
    for name, images in (('ramp', ramp), ('noise', draw(5, 1, 32, 32, 3))):
      pairs[name].append((
          ours_with(monkeypatch, done, u, n, images),
          theirs_with(network, images, rand, randn)))
  inside = [(value[:, :, 12:20, 12:20], None)
            for value, _ in worst(pairs['ramp'])]
  check('augment.bgc', STYLEGAN2_ADA, f'{OF_ADA}, {", ".join(names)}',
        *worst(pairs['noise']), most=0.02, decision='bilinear interpolation',
        explained=inside, remark='of white noise, the worst case; the middle '
        'of a ramp agrees to 2 %')


def test_cutout_of_ada(monkeypatch):
  network, pairs = pipe(cutout=1), []
  for seed in range(3):
    u, n = normals(seed)
    monkeypatch.setattr(adaptive, '_draw', lambda key, p, u=u, n=n: (
        jnp.arange(15) == 14, jnp.array(u), jnp.array(n)))
    found = by_jax(lambda x: augment.bgc(p=1.0, cutout=True).apply(
        x, KEYS, {}), IMAGES)
    pairs.append((found, theirs_with(network, IMAGES, [0, unit([u[9], u[8]])])))
  check('augment.bgc', STYLEGAN2_ADA, f'{OF_ADA}, cutout', *worst(pairs),
        most=FLOAT32)
