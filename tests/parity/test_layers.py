"""Norms, weight norms, attention, minibatch layers, optimisers.

Layers are judged by outputs, and gradients by their input and their weights.
"""

import types

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from beside import by_jax, by_tensorflow, by_torch, check, draw
from peers import MIMICRY, STUDIOGAN, STYLEGAN2_ADA, TFGAN, alone, load

from gan_jax.base import lookup
from gan_jax.config import recipe
from gan_jax.models import batch_layers, layers, norms

X = draw(0, 8, 4, 4, 16)
OF_OPS = 'src/utils/ops.py'
# Parts of ours are in float32 whatever they are given.
FLOAT32 = 1e-5


def version():
  import torch
  return f'PyTorch {torch.__version__.partition("+")[0]}'


def nchw(x):
  return x.permute(0, 3, 1, 2)


def nhwc(x):
  return x.permute(0, 2, 3, 1)


def of_norm(name, x, params, *args, train=True, **stats):
  """Ours, in training, with given parameters."""
  norm = norms.Norm(name, train=train, dtype=jnp.float64)
  return norm.apply({'params': params, **stats}, x, *args,
                    mutable=['batch_stats', 'reference'])[0]


# Norms.


@pytest.mark.parametrize('name,kind,flax', [
    ('layer', 'GroupNorm', 'LayerNorm_0'), ('group', 'GroupNorm',
                                            'GroupNorm_0'),
    ('instance', 'InstanceNorm2d', 'InstanceNorm_0')])
def test_norms_of_an_example(name, kind, flax):
  import torch
  call = torch.nn.functional
  scale, bias = draw(1, 16), draw(2, 16)
  # 16 channels are 8 groups of 2.
  theirs = {'layer': lambda x, a, b: call.group_norm(x, 1, a, b, 1e-5),
            'group': lambda x, a, b: call.group_norm(x, 8, a, b, 1e-5),
            'instance': lambda x, a, b: call.instance_norm(
                x, weight=a, bias=b, eps=1e-5)}[name]
  check('models.norms.Norm', version(), f'{kind}, for {name}', by_jax(
      lambda x, a, b: of_norm(name, x, {flax: {'scale': a, 'bias': b}}), X,
      scale, bias), by_torch(lambda x, a, b: nhwc(theirs(nchw(x), a, b)), X,
                             scale, bias), most=FLOAT32)


def test_batch_norm():
  """Outputs of a training batch, then the averages."""
  theirs = load(STUDIOGAN, 'utils.ops').batchnorm_2d(16).double()
  theirs.eps = 1e-5
  scale, bias = draw(1, 16), draw(2, 16)

  def wanted(x, scale, bias):
    for name, value in (('weight', scale), ('bias', bias)):
      theirs._parameters.pop(name, None)
      setattr(theirs, name, value)
    return nhwc(theirs(nchw(x)))

  stats = {'BatchNorm_0': {'mean': jnp.zeros(16), 'var': jnp.ones(16)}}
  check('models.norms.Norm', STUDIOGAN, f'{OF_OPS}: batchnorm_2d', by_jax(
      lambda x, a, b: of_norm('batch', x, {'BatchNorm_0': {
          'scale': a, 'bias': b}}, batch_stats=stats), X, scale, bias),
      by_torch(wanted, X, scale, bias), most=FLOAT32,
      remark='with our eps of 1e-5 (BigGAN, DCGAN); theirs is 1e-4')
  with jax.enable_x64(True):
    _, new = norms.Norm('batch', train=True).apply(
        {'params': {'BatchNorm_0': {'scale': scale, 'bias': bias}},
         'batch_stats': stats}, jnp.asarray(X), mutable='batch_stats')
  new = new['batch_stats']['BatchNorm_0']
  count = X[..., 0].size
  # Of the variances 1 and v: 0.9 + 0.1 v n / (n - 1).
  unbiased = 0.9 + (np.asarray(new['var']) - 0.9) * count / (count - 1)
  check('models.norms.Norm', STUDIOGAN, f'{OF_OPS}: batchnorm_2d, averages',
        (np.stack([new['mean'], unbiased]), None),
        (np.stack([theirs.running_mean, theirs.running_var]), None),
        most=FLOAT32, remark='after n / (n - 1): PyTorch averages unbiased '
        'variances, flax (as TensorFlow) those that it divides by')


def test_conditional_batch_norm():
  import torch
  ops = load(STUDIOGAN, 'utils.ops')
  theirs = ops.ConditionalBatchNorm2d(
      5, 16, types.SimpleNamespace(g_linear=ops.linear)).double()
  theirs.bn.eps = 1e-5
  y, gain, bias = draw(1, 8, 5), draw(2, 5, 16), draw(3, 5, 16)

  def wanted(x, gain, bias):
    for name, value in (('gain', gain), ('bias', bias)):
      layer = getattr(theirs, name)
      layer._parameters.pop('weight', None)
      layer.weight = value.T
    return nhwc(theirs(nchw(x), torch.tensor(y)))

  stats = {'BatchNorm_0': {'mean': jnp.zeros(16), 'var': jnp.ones(16)}}
  check('models.norms.Norm', STUDIOGAN, f'{OF_OPS}: ConditionalBatchNorm2d',
        by_jax(lambda x, a, b: of_norm(
            'conditional_batch', x, {'scale': {'kernel': a}, 'shift': {
                'kernel': b}}, jnp.asarray(y), batch_stats=stats), X, gain,
               bias), by_torch(wanted, X, gain, bias), most=FLOAT32,
        remark='with our eps of 1e-5; theirs is 1e-4')


def test_pixel_norm():
  theirs = load(STYLEGAN2_ADA, 'training.networks').normalize_2nd_moment
  check('models.norms.Norm', STYLEGAN2_ADA,
        'training/networks.py: normalize_2nd_moment', by_jax(
            lambda x: of_norm('pixel', x, {}), X),
        by_torch(lambda x: nhwc(theirs(nchw(x))), X), most=FLOAT32,
        remark='float32 here')


def test_virtual_batch_norm():
  """A batch by the moments of another one."""
  import tensorflow as tf
  module = load(TFGAN, 'tensorflow_gan.python.features.virtual_batchnorm')
  first = draw(1, 8, 4, 4, 16) + 1.0
  params = {'VirtualBatchNorm_0': {'scale': jnp.ones(16),
                                   'bias': jnp.zeros(16)}}
  norm = norms.Norm('virtual_batch', train=True, dtype=jnp.float64)

  def found(x):
    empty = norm.init(jax.random.key(0), jnp.asarray(first))['reference']
    _, kept = norm.apply({'params': params, 'reference': empty},
                         jnp.asarray(first), mutable='reference')
    return norm.apply({'params': params, **kept}, x, mutable='reference')[0]

  check('models.norms.VirtualBatchNorm', TFGAN, 'tensorflow_gan/python/features'
        '/virtual_batchnorm.py: VBN', by_jax(found, X), by_tensorflow(
            lambda x: module.VBN(tf.constant(first, tf.float32),
                                 epsilon=1e-5)(x), X, dtype='float32'),
        most=FLOAT32, remark='float32; with our eps of 1e-5, theirs is 1e-3')


# Weight norms.


def spectral(kernel, x, u, steps):
  dense = layers.Dense(5, bias=False, weight_norm='spectral',
                       dtype=jnp.float64)
  stats = {'u': jnp.asarray(u), 'sigma': jnp.ones(())}
  for _ in range(steps):
    out, new = dense.apply({'params': {'kernel': kernel}, 'spectral': stats},
                           jnp.asarray(x), mutable='spectral')
    stats = new['spectral']
  return out


@pytest.mark.parametrize('steps', [1, 200])
def test_spectral_norm_of_mimicry(steps):
  import torch
  module = load(MIMICRY, 'torch_mimicry.modules.spectral_norm')
  kernel, x, u = draw(1, 7, 5), draw(2, 3, 7), draw(3, 5)
  theirs = module.SNLinear(7, 5, bias=False).double()

  def wanted(kernel):
    theirs.sn_u[:] = torch.tensor(u)[None]
    theirs._parameters.pop('weight', None)
    theirs.weight = kernel.T
    for _ in range(steps):
      out = theirs(torch.tensor(x))
    return out

  def as_theirs(kernel):
    """Half a step behind ours: u W v within the step."""
    fixed = jax.lax.stop_gradient(kernel)
    v = fixed @ u / jnp.linalg.norm(fixed @ u)
    new = fixed.T @ v / jnp.linalg.norm(fixed.T @ v)
    return x @ kernel / (v @ kernel @ new)

  wanted = by_torch(wanted, kernel)
  found = by_jax(lambda kernel: spectral(kernel, x, u, steps), kernel)
  place = f'torch_mimicry/modules/spectral_norm.py: SNLinear, {steps} step'
  if steps > 1:
    check('models.layers.Weighted', MIMICRY, place + 's', found, wanted)
    return
  check('models.layers.Weighted._sigma', MIMICRY, place, found, wanted,
        decision='|W u| with u', explained=(by_jax(as_theirs, kernel), wanted),
        remark='ours is half a step of the iteration further')


def test_spectral_norm_of_tfgan(monkeypatch):
  """Their u is our W u."""
  import tensorflow as tf
  module = load(TFGAN, 'tensorflow_gan.python.features.spectral_normalization')
  # They are of TensorFlow 1, whose names are in compat.v1 now.
  monkeypatch.setattr(module, 'tf', tf.compat.v1)
  kernel, x, u = draw(1, 7, 5), draw(2, 3, 7), draw(3, 5)

  def wanted(kernel):
    with monkeypatch.context() as patched:
      patched.setattr(tf.compat.v1.initializers, 'random_normal', lambda: (
          tf.compat.v1.constant_initializer(draw(1, 7, 5) @ u[:, None])))
      sigma = module.compute_spectral_norm(kernel)
    return tf.constant(x) @ kernel / sigma

  check('models.layers.Weighted', TFGAN, 'tensorflow_gan/python/features/'
        'spectral_normalization.py: compute_spectral_norm, 1 step', by_jax(
            lambda kernel: spectral(kernel, x, u, 1), kernel),
        by_tensorflow(wanted, kernel))


def test_weight_norm():
  import torch
  kernel, g, x = draw(1, 7, 5), draw(2, 5), draw(3, 3, 7)
  dense = layers.Dense(5, bias=False, weight_norm='weight', dtype=jnp.float64)

  def wanted(kernel, g):
    return torch.tensor(x) @ torch._weight_norm(kernel.T, g[:, None], 0).T

  check('models.layers.Weighted', version(), 'weight_norm', by_jax(
      lambda kernel, g: dense.apply({'params': {'kernel': kernel, 'scale': g}},
                                    jnp.asarray(x)), kernel, g),
      by_torch(wanted, kernel, g))


def test_equalized():
  import torch
  module = load(STYLEGAN2_ADA, 'training.networks')
  with alone(STYLEGAN2_ADA):  # Its classes pickle themselves.
    theirs = module.FullyConnectedLayer(7, 5)
  kernel, bias, x = draw(1, 7, 5), draw(2, 5), draw(3, 3, 7)

  def wanted(kernel, bias):
    for name, value in (('weight', kernel.T), ('bias', bias)):
      theirs._parameters.pop(name, None)
      setattr(theirs, name, value)
    return theirs(torch.tensor(x))

  def found(kernel, bias, factor=1.0):
    dense = layers.Dense(5, weight_norm='equalized', dtype=jnp.float64)
    return dense.apply({'params': {'kernel': factor * kernel, 'bias': bias}},
                       jnp.asarray(x))

  wanted = by_torch(wanted, kernel, bias)
  without = by_jax(lambda a, b: found(a, b, 0.5 ** 0.5), kernel, bias)
  check('models.layers.Weighted', STYLEGAN2_ADA,
        'training/networks.py: FullyConnectedLayer', by_jax(
            found, kernel, bias), wanted, most=1e-6,
        decision='W sqrt(2 / fan_in)', explained=(without, wanted),
        remark="the 2 is ProGAN's; StyleGAN2 has it behind the activation")


# Attention, comparison within a batch.


def test_attention():
  ops = load(STUDIOGAN, 'utils.ops')
  theirs = ops.SelfAttention(16, False, types.SimpleNamespace(
      d_conv2d=ops.conv2d)).double()
  # Eight heads' worth of channels: 2, 2, 8 and back.
  kernels = [draw(i, a, b) for i, (a, b) in enumerate(
      [(16, 2), (16, 2), (16, 8), (8, 16)])]
  gamma = np.array(0.7)

  def wanted(x, gamma, *kernels):
    for name, kernel in zip(('theta', 'phi', 'g', 'attn'), kernels,
                            strict=True):
      layer = getattr(theirs, f'conv1x1_{name}')
      layer._parameters.pop('weight', None)
      layer.weight = kernel.T[:, :, None, None]
    theirs._parameters.pop('sigma', None)
    theirs.sigma = gamma
    return nhwc(theirs(nchw(x)))

  def found(x, gamma, *kernels):
    params = {name: {'kernel': kernel[None, None]} for name, kernel in zip(
        ('query', 'key', 'value', 'out'), kernels, strict=True)}
    return layers.SelfAttention(dtype=jnp.float64).apply(
        {'params': {'gamma': gamma, **params}}, x)

  check('models.layers.SelfAttention', STUDIOGAN, f'{OF_OPS}: SelfAttention',
        by_jax(found, X, gamma, *kernels), by_torch(wanted, X, gamma, *kernels),
        most=FLOAT32, remark='float32 in our softmax')


@pytest.mark.parametrize('batch', [8, 4, 2])
def test_minibatch_std(batch):
  module = load(STYLEGAN2_ADA, 'training.networks')
  with alone(STYLEGAN2_ADA):
    theirs = module.MinibatchStdLayer(group_size=4)
  check('models.batch_layers.minibatch_std', STYLEGAN2_ADA,
        f'training/networks.py: MinibatchStdLayer, batch {batch}', by_jax(
            batch_layers.minibatch_std, X[:batch]),
        by_torch(lambda x: nhwc(theirs(nchw(x))), X[:batch]), most=FLOAT32,
        remark='float32 here')


# Optimisers.


@pytest.mark.parametrize('ours,theirs,options', [
    ('rmsprop of the preset wgan', 'RMSprop', {'lr': 5e-5}),
    ('adam', 'Adam', {'lr': 2e-4, 'betas': (0.5, 0.999)})])
def test_optimisers(ours, theirs, options):
  """The way after 50 updates, of gradients from 1e-6 to 1."""
  import torch
  spec = (dict(recipe.get_config('wgan').disc_optimizer) if theirs == 'RMSprop'
          else recipe.adam(2e-4, b1=0.5))
  spec = {k: v.get() if hasattr(v, 'get') else v for k, v in spec.items()}
  weights = torch.zeros(64, dtype=torch.float64, requires_grad=True)
  other = getattr(torch.optim, theirs)([weights], **options)
  with jax.enable_x64(True):
    mine = lookup.build('optax', spec)
    params = jnp.zeros(64)
    state = mine.init(params)
    for i in range(50):
      slope = draw(i, 64) * 10.0 ** np.linspace(-6, 0, 64)
      weights.grad = torch.tensor(slope)
      other.step()
      updates, state = mine.update(jnp.asarray(slope), state, params)
      params = optax.apply_updates(params, updates)
    check('config.recipe.' + ('rmsprop' if theirs == 'RMSprop' else 'adam'),
          version(), f'torch.optim.{theirs}', (np.asarray(params), None),
          (weights.detach().numpy(), None), most=1e-9, remark=ours)
