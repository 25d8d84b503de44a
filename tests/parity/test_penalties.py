"""Penalties on gradients, logits, features and weights.

Gradients are by the parameters of a critic of one hidden layer, since it is
they that the penalty trains.
"""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from beside import by_jax, by_tensorflow, by_torch, check, draw, given, scaled
from jax import random
from peers import MIMICRY, STUDIOGAN, STYLEGAN2_ADA, TFGAN, load

from gan_jax import penalties
from gan_jax.models import Critique
from gan_jax.penalties import gradients

N, SHAPE = 8, (4, 4, 3)
REAL, FAKE = draw(0, N, *SHAPE), draw(1, N, *SHAPE)
W, V = 0.5 * draw(2, 48, 9), draw(3, 9)
STUDIO = 'src/utils/losses.py'
OF_TFGAN = 'tensorflow_gan/python/losses/losses_impl.py'
# Ours squares gradients in float32, whatever the network's type.
FLOAT32 = 1e-6
KEYS = random.split(random.key(7), N)


def critic(w, v):
  return lambda x: jnp.tanh(x.reshape(len(x), -1) @ w) @ v


def judge(w, v):
  """The same in PyTorch, of images [N, C, H, W]."""
  w = w.reshape(*SHAPE, -1).permute(2, 0, 1, 3).reshape(w.shape)
  return lambda x: (x.reshape(len(x), -1) @ w).tanh() @ v


def channels_first(x):
  import torch
  return torch.tensor(np.moveaxis(np.asarray(x), -1, 1).copy())


def uniforms(keys, shape):
  """Our draws; by the same keys those of float32 would be others."""
  with jax.enable_x64(True):
    return np.asarray(gradients._uniform(keys, shape))


def alphas():
  """Our mixing weights, one an example."""
  return uniforms(KEYS, (1, 1, 1))


def as_studiogan(w, v):
  return lambda x, labels, eval: {'adv_output': judge(w, v)(x)}


@pytest.mark.parametrize('name,theirs,images,most', [
    ('wgan_gp', 'cal_grad_penalty', (REAL, FAKE), FLOAT32),
    ('max_gp', 'cal_maxgrad_penalty', (REAL, FAKE), FLOAT32)])
def test_penalties_between_images(name, theirs, images, most):
  import torch
  module = load(STUDIOGAN, 'utils.losses')
  real, fake = map(channels_first, images)

  def wanted(w, v):
    with given(torch, rand=[alphas()]):
      return getattr(module, theirs)(real, None, fake, as_studiogan(w, v),
                                     'cpu')

  penalty = getattr(penalties, name)()
  check(f'penalties.{name}', STUDIOGAN, f'{STUDIO}: {theirs}', by_jax(
      lambda w, v: penalty(critic(w, v), *map(jnp.asarray, images),
                           KEYS).mean(), W, V),
      by_torch(wanted, W, V), most=most, remark='float32 here')


def test_wgan_gp_of_mimicry():
  import torch
  base = load(MIMICRY, 'torch_mimicry.nets.wgan_gp.wgan_gp_base')
  penalise = base.WGANGPBaseDiscriminator.compute_gradient_penalty_loss

  def wanted(w, v):
    network = types.SimpleNamespace(forward=judge(w, v))
    with given(torch, rand=[alphas()]):
      return penalise(network, *map(channels_first, (REAL, FAKE)))

  check('penalties.wgan_gp', MIMICRY, 'torch_mimicry/nets/wgan_gp/wgan_gp_base'
        '.py: compute_gradient_penalty_loss', by_jax(
            lambda w, v: 10.0 * penalties.wgan_gp()(
                critic(w, v), jnp.asarray(REAL), jnp.asarray(FAKE),
                KEYS).mean(), W, V),
        by_torch(wanted, W, V), most=FLOAT32, remark='weight 10; float32 here')


@pytest.mark.parametrize('target,one_sided', [
    (1.0, False), (1.0, True), (3.0, False)])
def test_wgan_gp_of_tfgan(target, one_sided):
  import tensorflow as tf
  module = load(TFGAN, 'tensorflow_gan.python.losses.losses_impl')

  def wanted(w, v):
    def network(x, _):
      return tf.linalg.matvec(tf.tanh(tf.reshape(x, [N, -1]) @ w), v)

    old = tf.random.uniform
    tf.random.uniform = lambda shape: tf.constant(
        # Theirs is the share of the generated image.
        (1.0 - alphas()).astype('float32'))
    try:
      return module.wasserstein_gradient_penalty(
          tf.constant(REAL, tf.float32), tf.constant(FAKE, tf.float32), None,
          network, 'critic', target=target, one_sided=one_sided)
    finally:
      tf.random.uniform = old

  penalty = penalties.wgan_gp(target=target, one_sided=one_sided)
  found = by_jax(lambda w, v: penalty(
      critic(w, v), jnp.asarray(REAL), jnp.asarray(FAKE), KEYS).mean(), W, V)
  wanted = by_tensorflow(wanted, W, V, dtype='float32')
  check('penalties.wgan_gp', TFGAN, f'{OF_TFGAN}: wasserstein_gradient_penalty,'
        f' target={target:g}{", one_sided" * one_sided}', found, wanted,
        most=1e-5, decision='' if target == 1.0 else 'TF-GAN',
        explained=(scaled(found, target ** -2), wanted),
        remark='float32 there' if target == 1.0 else
        'theirs is ours / target^2')


def test_dragan():
  import torch
  module = load(STUDIOGAN, 'utils.losses')
  pairs = jax.vmap(random.split)(KEYS)
  alpha, noise = uniforms(pairs[:, 0], (1, 1, 1)), uniforms(pairs[:, 1], SHAPE)

  def wanted(w, v):
    with given(torch, rand=[alpha, np.moveaxis(noise, -1, 1)]):
      return module.cal_dra_penalty(channels_first(REAL), None,
                                    as_studiogan(w, v), 'cpu')

  def found(scale):
    return by_jax(lambda w, v: penalties.dragan(scale=scale)(
        critic(w, v), jnp.asarray(REAL), KEYS).mean(), W, V)

  wanted = by_torch(wanted, W, V)
  wider = found(0.5 * np.sqrt(REAL.size / (REAL.size - 1)))
  check('penalties.dragan', STUDIOGAN, f'{STUDIO}: cal_dra_penalty',
        found(0.5), wanted, most=FLOAT32, decision='StudioGAN',
        explained=(wider, wanted),
        remark='theirs divides the variance of a batch by n - 1')


@pytest.mark.parametrize('theirs', ['cal_r1_reg', 'stylegan_cal_r1_reg'])
def test_r1_of_studiogan(theirs):
  module = load(STUDIOGAN, 'utils.losses')

  def wanted(w, v):
    x = channels_first(REAL).requires_grad_(True)
    more = ('cpu',) if theirs == 'cal_r1_reg' else ()
    return getattr(module, theirs)(judge(w, v)(x), x, *more)

  check('penalties.r1', STUDIOGAN, f'{STUDIO}: {theirs}', by_jax(
      lambda w, v: penalties.r1()(critic(w, v), jnp.asarray(REAL)).mean(), W,
      V), by_torch(wanted, W, V), most=FLOAT32, remark='float32 here')


def stylegan2(generator=None, discriminator=None, **options):
  """Their loss, of networks given as functions of (input, labels)."""
  import torch
  module = load(STYLEGAN2_ADA, 'training.loss')
  return module.StyleGAN2Loss(
      torch.device('cpu'), lambda z, c, **_: z[:, None, :], generator,
      discriminator, style_mixing_prob=0.0, **options)


class Network:
  """A function that is a torch.nn.Module, as their `ddp_sync` asks for."""

  def __new__(cls, run, **parameters):
    import torch

    class Module(torch.nn.Module):
      def __init__(self):
        super().__init__()
        for name, value in parameters.items():
          setattr(self, name, torch.nn.Parameter(torch.tensor(value)))

      def forward(self, x, c=None, **_):
        return run(self, x)

    return Module()


def test_r1_and_loss_of_stylegan2():
  """Their updates Dmain and Dreg together, of a fixed generated batch."""
  import torch
  disc = Network(lambda m, x: judge(m.w, m.v)(x)[:, None], w=W, v=V)
  gen = Network(lambda m, x: channels_first(FAKE))
  loss = stylegan2(gen, disc, r1_gamma=3.0)
  loss.G_mapping = Network(lambda m, z: z[:, None, :])
  loss.accumulate_gradients('Dboth', channels_first(REAL), None,
                            torch.zeros(N, 1), None, sync=True, gain=1)
  slopes = [p.grad.numpy() for p in (disc.w, disc.v)]

  def ours(w, v):
    from gan_jax import losses
    real, fake = jnp.asarray(REAL), jnp.asarray(FAKE)
    adversarial = losses.non_saturating().disc(
        critic(w, v)(real), critic(w, v)(fake))
    return (adversarial + 3.0 * penalties.r1()(critic(w, v), real)).mean()

  value, found = by_jax(ours, W, V)
  check('penalties.r1', STYLEGAN2_ADA, 'training/loss.py: StyleGAN2Loss, Dboth',
        (value, found), (value, slopes), most=FLOAT32,
        remark='with the non-saturating loss; only gradients come out of it')


def test_path_length():
  """Ours by z; theirs by w, which is z here."""
  import torch
  z, a = draw(4, N, 5), draw(5, 5, 12)
  term = penalties.path_length()
  with jax.enable_x64(True):
    noise = np.asarray(jax.vmap(
        lambda key: random.normal(key, (2, 2, 3)))(KEYS))

  def images(a):
    return lambda z: jnp.tanh(z @ a).reshape(len(z), 2, 2, 3)

  def ours(a):
    memory = {'length': jnp.asarray(0.7)}
    return term.gen(lambda: (jnp.asarray(z), images(a)), KEYS,
                    memory)[0].mean()

  gen = Network(lambda m, ws: (ws[:, 0] @ m.a).tanh().reshape(
      -1, 2, 2, 3).permute(0, 3, 1, 2), a=a)
  loss = stylegan2(gen, None, pl_batch_shrink=1, pl_weight=1.0)
  loss.G_mapping = Network(lambda m, z: z[:, None, :])
  loss.pl_mean = torch.tensor(0.7, dtype=torch.float64)
  with given(torch, randn_like=[np.moveaxis(noise, -1, 1)]):
    loss.accumulate_gradients('Greg', None, None,
                              torch.tensor(z).requires_grad_(True),
                              torch.zeros(N, 1), sync=True, gain=1)
  studio = load(STUDIOGAN, 'utils.losses').PathLengthRegularizer('cpu')

  def of_studiogan(a):
    ws = torch.tensor(z)[:, None, :].requires_grad_(True)
    made = (ws[:, 0] @ a).tanh().reshape(-1, 2, 2, 3).permute(0, 3, 1, 2)
    studio.pl_mean = torch.tensor(0.7, dtype=torch.float64)
    with given(torch, randn_like=[np.moveaxis(noise, -1, 1)]):
      return studio.cal_pl_reg(made, ws) / studio.pl_weight

  value, slopes = by_jax(ours, a)
  wanted = by_torch(of_studiogan, a)
  more = dict(most=FLOAT32, decision='no gradient goes through a',
              explained=((value, None), (wanted[0], None)),
              remark='values agree; theirs also differentiates the average')
  check('penalties.path_length', STUDIOGAN,
        f'{STUDIO}: PathLengthRegularizer.cal_pl_reg', (value, slopes), wanted,
        **more)
  check('penalties.path_length', STYLEGAN2_ADA,
        'training/loss.py: StyleGAN2Loss, Greg', (value, slopes),
        (wanted[0], [gen.a.grad.numpy()]), **more)


def test_lecam():
  module = load(STUDIOGAN, 'utils.losses')
  averages = types.SimpleNamespace(D_real=0.4, D_fake=-0.3)
  memory = {'real': 0.4, 'fake': -0.3, 'updates': 5000.0}
  term = penalties.lecam()
  check('penalties.lecam', STUDIOGAN, f'{STUDIO}: lecam_reg', by_jax(
      lambda a, b: term.disc(Critique(a, None, {}), Critique(b, None, {}),
                             memory)[0].mean(), V, draw(6, 9)),
      by_torch(lambda a, b: module.lecam_reg(a, b, averages), V, draw(6, 9)),
      remark='of given averages')


def test_the_averages_of_lecam():
  ema = load(STUDIOGAN, 'utils.ops').LeCamEMA(init=0.0, decay=0.99,
                                              start_iter=1000)
  term, memory = penalties.lecam(), {'real': 0.0, 'fake': 0.0, 'updates': 998.0}
  found, wanted = [], []
  for step in range(998, 1004):
    a, b = draw(step, 4), draw(step + 100, 4)
    ema.update(a.mean(), 'D_real', step)
    ema.update(b.mean(), 'D_fake', step)
    wanted.append([ema.D_real, ema.D_fake])
    with jax.enable_x64(True):
      _, memory = term.disc(Critique(jnp.asarray(a), None, {}), Critique(
          jnp.asarray(b), None, {}), memory)
    found.append([memory['real'], memory['fake']])
  check('penalties.lecam', STUDIOGAN, 'src/utils/ops.py: LeCamEMA',
        (np.array(found, float), None), (wanted, None), most=1e-7,
        remark='six updates around the start')


def test_feature_matching():
  module = load(STUDIOGAN, 'utils.losses')
  term = penalties.feature_matching(distance='absolute')
  a, b = draw(1, 6, 5), draw(2, 6, 5)
  check('penalties.feature_matching', STUDIOGAN,
        f'{STUDIO}: feature_matching_loss', by_jax(
            lambda a, b: term.gen(Critique(None, a, {}),
                                  Critique(b[:, 0], b, {})).mean(), a, b),
        by_torch(module.feature_matching_loss, a, b), most=FLOAT32,
        remark="distance='absolute'; float32 here")


@pytest.mark.parametrize('shape', [(6, 20), (30, 20)])
def test_orthogonal(shape):
  """Their gradient of all weights, [outputs, inputs], of a layer."""
  import torch
  misc = load(STUDIOGAN, 'utils.misc')
  kernel = draw(3, *shape)
  layer = torch.nn.Linear(*shape, bias=False, dtype=torch.float64)
  layer.weight.data = torch.tensor(kernel.T.copy())
  layer.weight.grad = torch.zeros_like(layer.weight)
  misc.orthogonalize_model(layer, strength=1.0)
  value, slopes = by_jax(lambda w: penalties.orthogonal().gen(
      {'kernel': w}, KEYS).mean(), kernel)
  found, wanted = (value, [slopes[0].T]), (value, [layer.weight.grad.numpy()])
  check('penalties.orthogonal', STUDIOGAN, 'src/utils/misc.py: orthogonalize_'
        f'model, {shape[0]} x {shape[1]}', found, wanted, decision='StudioGAN',
        explained=(found, (value, [2.0 * wanted[1][0]])),
        remark='only gradients come out of it, half of ours')
