"""Published networks have the numbers of parameters of their authors' code."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_models import KEY, abstract, build, count, inputs, struct

from gan_jax import models
from gan_jax.base import lookup
from gan_jax.config import fields, recipe
from gan_jax.models import biggan_deep, layers

# Counted by building the networks of
#   mimicry: kwotsin/mimicry, torch_mimicry/nets, itself equal to
#     pfnet-research/sngan_projection (whose last layer at 32 px has no bias);
#   ajbrock: ajbrock/BigGAN-PyTorch, BigGAN.py and BigGANdeep.py with hier=True
#     and shared_dim=128;
#   studio: POSTECH-CVLab/PyTorch-StudioGAN, src/models, big_resnet_deep_legacy.
# All with PyTorch 2.13 in November 2026, `sum(p.numel() for p in
# net.parameters())`.
_LARGE = dict(width=64, max_width=1024)
_64, _128 = dict(to=2, flat_blocks=0), dict(to=4, flat_blocks=1)
_SN = dict(weight_norm='spectral')
_PROJ = dict(conditioning='projection', **_SN)
_CBN = dict(norm='conditional_batch', **_SN)
_SAME = dict(width=256, max_width=256)
GENERATORS = [
    # network, side, z, classes, fields, parameters
    ('resnet', 32, 128, 0, {}, 4_276_739),  # mimicry: SNGAN, WGAN-GP
    ('resnet', 64, 128, 0, _LARGE, 12_220_675),  # mimicry: the same two
    ('resnet', 128, 128, 0, _LARGE, 32_150_787),  # mimicry: the same two
    # mimicry: SAGAN
    ('resnet', 32, 128, 10, dict(attention=32, **_CBN), 4_386_308),
    ('resnet', 128, 128, 1000, dict(attention=32, **_LARGE, **_CBN),
     42_078_852),
    ('biggan', 32, 128, 10, _SAME, 4_373_251),  # ajbrock, G_ch=64
    ('biggan', 32, 80, 10, dict(width=384, max_width=384, attention=16),
     9_416_196),  # studio: configs/CIFAR10/BigGAN.yaml
    ('biggan', 128, 120, 1000, dict(width=96, max_width=1536, attention=64),
     70_433_988),  # ajbrock, G_ch=96
    ('biggan_deep', 32, 128, 10, _SAME, 3_079_299),  # ajbrock, G_ch=64
    ('biggan_deep', 32, 128, 10, dict(width=512, max_width=512, attention=16),
     7_762_948),  # studio: configs/CIFAR10/BigGAN-Deep.yaml
    ('biggan_deep', 64, 128, 1000, dict(attention=32), 32_935_812),  # studio
    ('biggan_deep', 128, 128, 1000, dict(attention=64),
     50_244_484),  # ajbrock and studio, G_ch=128
    # studio: deep_conv
    ('sndcgan', 32, 128, 0, {}, 3_812_355),
]
DISCRIMINATORS = [
    ('resnet', 32, 0, _SN, 1_053_825),
    ('resnet', 64, 0, {**_LARGE, **_64, **_SN}, 10_141_441),
    ('resnet', 128, 0, {**_LARGE, **_128, **_SN}, 29_017_857),
    ('resnet', 32, 10, dict(attention=16, **_PROJ), 1_075_586),
    ('resnet', 128, 1000, {**_LARGE, **_128, **_PROJ, 'attention': 32},
     30_062_338),
    ('biggan', 32, 10, dict(to=8, flat_blocks=2, **_SAME), 4_207_361),
    ('biggan', 32, 10, dict(width=192, max_width=192, to=8, flat_blocks=2,
                            attention=16), 2_415_170),
    ('biggan', 128, 1000, dict(width=96, max_width=1536, attention=64),
     87_982_370),
    ('biggan_deep', 32, 10, dict(to=8, flat_blocks=1, **_SAME), 651_649),
    ('biggan_deep', 32, 10, dict(width=512, max_width=512, to=8, flat_blocks=1,
                                 attention=16), 2_908_930),
    ('biggan_deep', 64, 1000, dict(attention=32), 20_951_554),
    ('biggan_deep', 128, 1000, dict(attention=64), 34_590_210),
]
# Recipe, classes, parameters of the generator and of the discriminator.
PRESETS = [
    ('sngan:size=32', 0, (4_276_739, 1_053_825)),
    ('sngan:size=64', 0, (12_220_675, 10_141_441)),
    ('sngan:size=128', 0, (32_150_787, 29_017_857)),
    ('sagan:size=32', 10, (4_386_308, 1_075_586)),
    ('sagan:size=128', 1000, (42_078_852, 30_062_338)),
    ('biggan:size=128', 1000, (70_433_988, 87_982_370)),
    ('biggan:size=64,deep', 1000, (32_935_812, 20_951_554)),
    ('biggan:size=128,deep', 1000, (50_244_484, 34_590_210))]
# As published: nothing of the tiny networks of other tests.
_FULL = {'resnet.Generator': dict(width=256, max_width=256),
         'resnet.Discriminator': dict(width=128, max_width=128),
         'biggan_deep.Generator': dict(width=128, max_width=2048),
         'biggan_deep.Discriminator': dict(width=128, max_width=2048),
         'sndcgan.Generator': dict(width=64),
         'sndcgan.Discriminator': dict(width=64)}


def slow_twins(rows):
  """Those that a recipe has are counted there."""
  counted = {number for *_, want in PRESETS for number in want}
  return [pytest.param(*row, marks=[pytest.mark.slow] * (row[-1] in counted))
          for row in rows]


def network(name, kind, side, classes, fields):
  full = _FULL.get(f'{name}.{kind}', {})
  return build(f'{name}.{kind}', kind, shape=(side, side, 3),
               num_classes=classes, **{**full, **fields})


def parameters(model, *shape):
  params, _ = jax.eval_shape(model.init, KEY, struct(2, *shape),
                             struct(2, dtype=jnp.int32))
  return count(params)


@pytest.mark.parametrize('name,side,z,classes,fields,want',
                         slow_twins(GENERATORS))
def test_generators_have_the_published_number_of_parameters(
    name, side, z, classes, fields, want):
  model = network(name, 'Generator', side, classes, fields)
  assert parameters(model, z) == want


@pytest.mark.parametrize('name,side,classes,fields,want',
                         slow_twins(DISCRIMINATORS))
def test_discriminators_have_the_published_number_of_parameters(
    name, side, classes, fields, want):
  model = network(name, 'Discriminator', side, classes, fields)
  assert parameters(model, side, side, 3) == want


def test_the_standard_cnn_has_the_layers_of_its_table():
  """Table 3 of arXiv:1802.05957; counted by hand.

  studio's deep_conv sums over space before the last layer: 2,928,193.
  """
  c = 64
  model = network('sndcgan', 'Discriminator', 32, 0, {})
  convs = ((27 + 1) * c + (16 * c + 1) * c + (9 * c + 1) * 2 * c
           + (32 * c + 1) * 2 * c + (18 * c + 1) * 4 * c + (64 * c + 1) * 4 * c
           + (36 * c + 1) * 8 * c)
  assert convs + 8 * c + 1 == 2_928_193
  assert parameters(model, 32, 32, 3) == convs + 16 * 8 * c + 1
  model = network('sndcgan', 'Generator', 48, 0, {})  # STL-10
  deconvs = sum(16 * 2 * n * n + n + 2 * n for n in (4 * c, 2 * c, c))
  assert parameters(model, 128) == (
      129 * 6 * 6 * 8 * c + deconvs + (9 * c + 1) * 3)


def test_the_standard_cnn_halves_any_size_from_8_up():
  model = network('sndcgan', 'Generator', 28, 0, dict(width=4))
  out, _ = jax.eval_shape(
      lambda *a: model.apply(*a, train=True),
      *jax.eval_shape(model.init, KEY, struct(2, 9), struct(2)), struct(2, 9),
      struct(2))
  assert out.shape == (2, 28, 28, 3)
  for kind in ('Generator', 'Discriminator'):
    model = build(f'sndcgan.{kind}', kind, shape=(7, 9, 3))
    with pytest.raises(ValueError, match='sides of 8 or more, not 7x9; en'):
      jax.eval_shape(model.init, KEY, *inputs(kind, (7, 9, 3)))


@pytest.mark.parametrize('name', ['resnet', 'biggan', 'biggan_deep'])
def test_the_last_norm_is_not_conditional(name):
  model = network(name, 'Generator', 32, 3, {
      **_CBN, 'width': 4, 'max_width': 8})
  params, _ = jax.eval_shape(model.init, KEY, struct(2, 20),
                             struct(2, dtype=jnp.int32))
  assert set(params['Norm_0']['BatchNorm_0']) == {'scale', 'bias'}
  assert set(params['Up_0']['Norm_0']) == {'scale', 'shift'}


def test_channels_within_a_block_of_the_discriminator():
  """As the input in the SNGAN authors' code, as the output in BigGAN's."""
  for name, within in (('resnet', 4), ('biggan', 8)):
    model = network(name, 'Discriminator', 32, 3, dict(width=4, max_width=16))
    params, _ = jax.eval_shape(model.init, KEY, struct(2, 32, 32, 3),
                               struct(2, dtype=jnp.int32))
    assert params['Down_0']['Conv_0']['kernel'].shape == (3, 3, 3, 4)
    assert params['Down_1']['Conv_0']['kernel'].shape == (3, 3, 4, within)
    assert params['Down_1']['Conv_1']['kernel'].shape == (3, 3, within, 8)


def test_bottlenecks_in_numpy():
  """1x1 kernels: a block is arithmetic by pixel, and means over 2x2."""
  x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 4, 4, 8)),
                  jnp.float32)

  def conv(features, size=1):
    return layers.Conv(features, size=1)

  def norm():
    return lambda x, cond=None: x

  def arrays(params):
    # No layer has a bias at the start.
    return [np.float64(params[f'Conv_{i}']['kernel'][0, 0])
            for i in range(len(params))]

  def within(x, kernels):
    for kernel in kernels:
      x = np.maximum(x, 0) @ kernel
    return x

  def halved(x):
    return x.reshape(2, 2, 2, 2, 2, -1).mean((2, 4))

  module = biggan_deep.Up(6, conv, norm, jax.nn.relu, double=True)
  got, variables = jax.jit(module.init_with_output)(KEY, x, None)
  kernels = arrays(variables['params'])
  assert [k.shape for k in kernels] == [(8, 2), (2, 2), (2, 2), (2, 6)]
  want = within(np.float64(x), kernels) + np.float64(x)[..., :6]
  np.testing.assert_allclose(got, np.kron(want, np.ones((1, 2, 2, 1))),
                             rtol=1e-3, atol=1e-4)
  module = biggan_deep.Down(12, conv, norm, jax.nn.relu, layers.average_pool)
  got, variables = jax.jit(module.init_with_output)(KEY, x)
  *kernels, last, more = arrays(variables['params'])
  assert [k.shape for k in (*kernels, last, more)] == [
      (8, 3), (3, 3), (3, 3), (3, 12), (8, 4)]
  y = halved(np.maximum(within(np.float64(x), kernels), 0)) @ last
  shortcut = halved(np.float64(x))
  want = y + np.concatenate([shortcut, shortcut @ more], -1)
  np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-4)


def test_a_deep_discriminator_sums_over_the_places():
  """Of silent blocks: a pixel's numbers, means over 2x2, ReLU, a sum."""
  model = network('biggan_deep', 'Discriminator', 8, 3, dict(
      width=4, max_width=8, weight_norm='none', conditioning='none'))
  x, label = inputs('Discriminator', (8, 8, 3))
  params, stats = jax.tree.map(
      lambda s: np.zeros(s.shape, s.dtype),
      jax.eval_shape(model.init, KEY, x, label))
  kernel = np.float32(np.random.default_rng(0).normal(size=(3, 4)))
  params['Conv_0']['kernel'][1, 1] = kernel
  out, _ = jax.jit(lambda x: model.apply(params, stats, x, label,
                                         train=True))(x)
  y = (x @ kernel).reshape(4, 4, 2, 4, 2, 4).mean((2, 4))
  want = np.pad(np.maximum(y, 0).sum((1, 2)), ((0, 0), (0, 4)))
  np.testing.assert_allclose(out.features, want, rtol=1e-4, atol=1e-5)


def test_deep_norms_see_all_of_z_and_the_embedding():
  model = network('biggan_deep', 'Generator', 32, 3, dict(
      width=4, max_width=8, embed_dim=7))
  params, _ = jax.eval_shape(model.init, KEY, struct(2, 22),
                             struct(2, dtype=jnp.int32))
  assert params['Dense_0']['kernel'].shape[0] == 22 + 7
  assert all(params[f'Up_{i}']['Norm_1']['scale']['kernel'].shape[0] == 22 + 7
             for i in range(6))


@pytest.mark.filterwarnings('ignore:the load_module')
@pytest.mark.parametrize('name,classes,want', PRESETS)
def test_presets_have_the_published_networks(name, classes, want):
  config = fields.plain(recipe.get_config(name))
  side, found = config['data']['resize'][0], []
  for kind, x in (('Generator', (config['latent']['size'],)),
                  ('Discriminator', (side, side, 3))):
    network = models.as_model(lookup.build(
        'gan_jax.models', config[kind.lower()], kind=kind,
        image_shape=(side, side, 3), image_range=(-1.0, 1.0),
        num_classes=classes, axis_name=None, dtype=jnp.float32))
    found.append(parameters(network, *x))
  assert tuple(found) == want


# StyleGAN2, layer by layer.


_EIGHT = struct(8, dtype=jnp.int32)  # labels


def _stylegan2(kind, **fields):
  return build(f'stylegan2.{kind}', kind, **fields)


def _parts(params):
  """{layer: number of its parameters}, two levels deep."""
  return {f'{a}/{b}': count(layer) for a, part in params.items()
          for b, layer in part.items() if isinstance(layer, dict)}


def test_stylegan2s_generator_has_the_printed_parameters():
  """For 1024 px and two mapping layers NVlabs' train.py prints 28,794,124.

  Of its table (stylegan2-ada-pytorch, `--cfg=auto`) the lines of the mapping,
  of conv0, conv1 and torgb by side, and of b4:0, the image that it starts from.
  """
  model = _stylegan2('Generator', shape=(1024, 1024, 3), width=32,
                     max_width=512, style=512, mapping_layers=2)
  params, out = abstract(model, struct(8, 512), _EIGHT)
  assert out.shape == (8, 1024, 1024, 3)
  assert count(params) == 28_794_124
  found = _parts(params)
  assert found['mapping_network/fc0'] == found['mapping_network/fc1'] == 262_656
  printed = {4: (None, 2_622_465, 264_195), 8: (2_622_465, 2_622_465, 264_195),
             64: (2_622_465, 2_622_465, 264_195),
             128: (1_442_561, 721_409, 132_099),
             256: (426_369, 213_249, 66_051), 512: (139_457, 69_761, 33_027),
             1024: (51_297, 25_665, 16_515)}
  for side, numbers in printed.items():
    assert numbers == tuple(found.get(f'synthesis_network/b{side}_{name}')
                            for name in ('conv0', 'conv1', 'image')), side
  assert params['synthesis_network']['start'].size == 8_192


def test_stylegan2s_discriminator_has_the_printed_parameters():
  """For 1024 px it prints 29,012,513, see stylegan2-ada-pytorch's issue 181."""
  model = _stylegan2('Discriminator', width=32, max_width=512, num_classes=0)
  params, _ = abstract(model, struct(8, 1024, 1024, 3), _EIGHT)
  assert count(params) == 29_012_513
  found = {name: count(layer) for name, layer in params.items()}
  for side, numbers in {1024: (9_248, 18_496, 2_048),
                        512: (36_928, 73_856, 8_192),
                        256: (147_584, 295_168, 32_768),
                        128: (590_080, 1_180_160, 131_072),
                        8: (2_359_808, 2_359_808, 262_144)}.items():
    assert numbers == tuple(found[f'b{side}_{name}']
                            for name in ('conv0', 'conv1', 'skip')), side
  assert found['b1024_image'] == 128
  assert [found[name] for name in ('b4_conv', 'b4_dense', 'logits')] == [
      2_364_416, 4_194_816, 513]


@pytest.mark.parametrize('side,width,layers', [(256, 64, 8), (32, 512, 2)])
def test_parameters_of_stylegan2s_paper256_and_cifar(side, width, layers):
  """By hand: the authors' channels min(32768 fmaps / side, 512), fmaps 1/2, 1.

  Their `cifar` has labels: a code of 512 beside z, and a mapping of 8 layers in
  a discriminator without skips.
  """
  cifar = side == 32
  channels = {2 ** i: min(width * side >> i, 512) for i in range(2, 9)}
  path = [s for s in channels if s <= side]
  number = channels[4] * 16
  for s in path:
    before, now = channels.get(s // 2), channels[s]
    for inputs_ in ([before] if before else []) + [now]:
      # Kernel, bias, noise's strength; style's kernel and bias.
      number += 9 * inputs_ * now + now + 1 + 513 * inputs_
    number += 3 * now + 3 + 513 * now
  mapping = [513 * 512] * layers
  if cifar:
    mapping += [11 * 512, 512 * 512]  # code; the first layer has 1,024 inputs
  model = _stylegan2('Generator', shape=(side, side, 3), width=width,
                     max_width=512, style=512, mapping_layers=layers,
                     num_classes=10,
                     conditioning='embedding' if cifar else 'none')
  params, _ = abstract(model, struct(8, 512), _EIGHT)
  assert count(params) == number + sum(mapping)
  number = 4 * channels[side]
  for s in path[1:]:
    now, then = channels[s], channels[s // 2]
    number += 9 * now * now + now + 9 * now * then + then
    number += 0 if cifar else now * then
  last = channels[4]
  number += 9 * (last + 1) * last + last + 16 * last * last + last
  # The last layer, and the mapping of the label; or the last layer.
  number += 513 * 512 * 9 + 11 * 512 if cifar else last + 1
  model = _stylegan2('Discriminator', width=width, max_width=512,
                     residual=not cifar, num_classes=10,
                     conditioning='projection' if cifar else 'none')
  params, _ = abstract(model, struct(8, side, side, 3), _EIGHT)
  assert count(params) == number
