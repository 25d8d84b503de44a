"""Adversarial losses: values and gradients by both logits."""

import numpy as np
import pytest
from beside import by_jax, by_tensorflow, by_torch, check, draw, scaled
from peers import MIMICRY, R3GAN, STUDIOGAN, TFGAN, load

from gan_jax import losses

REAL, FAKE = 2.0 * draw(0, 64), 2.0 * draw(1, 64)
STUDIO = 'src/utils/losses.py'
OF_MIMICRY = 'torch_mimicry/modules/losses.py'
OF_TFGAN = 'tensorflow_gan/python/losses/losses_impl.py'


def both(loss, run):
  """(values, gradients) of the means of both players' losses."""
  found = [run(lambda real, fake, side=side: side(real, fake), REAL, FAKE)
           for side in loss]
  return [value for value, _ in found], sum((grads for _, grads in found), [])


def ours(loss):
  return both((lambda a, b: loss.disc(a, b).mean(),
               lambda a, b: loss.gen(a, b).mean()), by_jax)


@pytest.mark.parametrize('name,suffix', [
    ('non_saturating', 'vanilla'), ('non_saturating', 'logistic'),
    ('least_squares', 'ls'), ('hinge', 'hinge'),
    ('wasserstein', 'wasserstein')])
def test_studiogan(name, suffix):
  theirs = load(STUDIOGAN, 'utils.losses')
  disc, gen = (getattr(theirs, f'{side}_{suffix}') for side in 'dg')
  check(f'losses.{name}', STUDIOGAN, f'{STUDIO}: d_{suffix}, g_{suffix}',
        ours(getattr(losses, name)()), both((
            lambda a, b: disc(a, b, False), lambda a, b: gen(b, False)),
            by_torch))


@pytest.mark.parametrize('name,theirs,most,remark', [
    ('non_saturating', ('minimax_loss_dis', 'minimax_loss_gen'), 1e-6,
     'called minimax there'),
    ('non_saturating', ('minimax_loss_dis', 'ns_loss_gen'), 1e-5,
     'theirs adds 1e-8 in the logarithm of a probability'),
    ('hinge', ('hinge_loss_dis', 'hinge_loss_gen'), 1e-12, ''),
    ('wasserstein', ('wasserstein_loss_dis', 'wasserstein_loss_gen'), 1e-12,
     '')])
def test_mimicry(name, theirs, most, remark):
  module = load(MIMICRY, 'torch_mimicry.modules.losses')
  disc, gen = (getattr(module, x) for x in theirs)
  check(f'losses.{name}', MIMICRY, f'{OF_MIMICRY}: {", ".join(theirs)}',
        ours(getattr(losses, name)()), both((
            lambda a, b: disc(output_real=a[:, None], output_fake=b[:, None]),
            lambda a, b: gen(b[:, None])), by_torch), most=most, remark=remark)


def of_tfgan(name, kind='float32', **options):
  """(values, gradients) of both players."""
  module = load(TFGAN, 'tensorflow_gan.python.losses.losses_impl')
  disc = getattr(module, f'{name}_discriminator_loss')
  gen = getattr(module, f'{name}_generator_loss')
  return both((lambda a, b: disc(a, b, **options),
               gen if name == 'relativistic' else lambda a, b: gen(b)),
              lambda f, *x: by_tensorflow(f, *x, dtype=kind))


def at_tfgan(name):
  return f'{OF_TFGAN}: {name}_discriminator_loss, {name}_generator_loss'


@pytest.mark.parametrize('name,theirs,options', [
    ('non_saturating', 'modified', {'label_smoothing': 0.0}),
    ('least_squares', 'least_squares', {}),
    ('hinge', 'wasserstein_hinge', {}), ('wasserstein', 'wasserstein', {})])
def test_tfgan(name, theirs, options):
  check(f'losses.{name}', TFGAN, at_tfgan(theirs),
        ours(getattr(losses, name)()), of_tfgan(theirs, **options), most=1e-6,
        remark='float32 there')


def test_minimax_of_tfgan():
  (disc, gen), slopes = wanted = of_tfgan('minimax', 'float64',
                                          label_smoothing=0.0)
  found = ours(losses.minimax())
  without = [disc, gen + np.log1p(np.exp(-1.0))], slopes
  check('losses.minimax', TFGAN, at_tfgan('minimax'), found, wanted, most=1e-6,
        decision='TF-GAN', explained=(found, without),
        remark="theirs adds D's loss of real logits of 1 to gen")


def test_relativistic_of_tfgan():
  found, wanted = ours(losses.relativistic_average()), of_tfgan(
      'relativistic', 'float64')
  check('losses.relativistic_average', TFGAN, at_tfgan('relativistic'), found,
        wanted, decision='TF-GAN', explained=(scaled(found, 2.0), wanted),
        remark='theirs is twice ours')


def test_label_smoothing_of_tfgan():
  """Their 0.25 makes the target of real images 0.875, by TensorFlow's rule."""
  module = load(TFGAN, 'tensorflow_gan.python.losses.losses_impl')
  loss = losses.non_saturating(label_smoothing=0.125)
  check('losses.non_saturating', TFGAN, f'{OF_TFGAN}: modified_discriminator_'
        'loss, label_smoothing=0.25',
        by_jax(lambda a, b: loss.disc(a, b).mean(), REAL, FAKE), by_tensorflow(
            lambda a, b: module.modified_discriminator_loss(
                a, b, label_smoothing=0.25), REAL, FAKE), most=1e-6,
        remark='our label_smoothing=0.125: theirs mixes with 1/2')


def test_r3gan():
  """Their whole update of both players, of networks that are one line."""
  import torch
  training = load(R3GAN, 'R3GAN.Trainer').AdversarialTraining
  x, z, w, v = draw(0, 16, 1, 2, 2), draw(1, 16, 4), draw(2, 4), draw(3, 4)

  class Net(torch.nn.Module):
    def __init__(self, weights, run):
      super().__init__()
      self.weights = torch.nn.Parameter(torch.tensor(weights))
      self.run = run

    def forward(self, x, conditions):
      return self.run(x, self.weights)

  gen = Net(v, lambda z, v: torch.tanh(z * v).reshape(-1, 1, 2, 2))
  disc = Net(w, lambda x, w: (torch.tanh(x.reshape(-1, 4)) ** 2) @ w)
  game = training(gen, disc)
  gamma = 3.0
  value, _, r1, r2 = game.AccumulateDiscriminatorGradients(
      torch.tensor(z), torch.tensor(x), None, gamma)
  on_disc = disc.weights.grad.numpy()
  total = value + gamma / 2 * (r1 + r2)
  disc.weights.grad, gen.weights.grad = None, None
  of_gen, _ = game.AccumulateGeneratorGradients(
      torch.tensor(z), torch.tensor(x), None)
  wanted = ([total.mean().numpy(), of_gen.mean().numpy()],
            [on_disc, gen.weights.grad.numpy()])

  import jax.numpy as jnp

  from gan_jax import penalties
  loss, r1, r2 = losses.relativistic(), penalties.r1(), penalties.r2()

  def critic(x, w):
    return jnp.tanh(x.reshape(len(x), -1)) ** 2 @ w

  def ours_disc(w):
    real, fake = jnp.asarray(x), jnp.tanh(z * v[None]).reshape(x.shape)
    return (loss.disc(critic(real, w), critic(fake, w))
            + gamma * r1(lambda x: critic(x, w), real)
            + gamma * r2(lambda x: critic(x, w), fake)).mean()

  def ours_gen(v):
    fake = jnp.tanh(z * v[None]).reshape(x.shape)
    return loss.gen(critic(jnp.asarray(x), jnp.asarray(w)),
                    critic(fake, jnp.asarray(w))).mean()

  (a, (of_w,)), (b, (of_v,)) = by_jax(ours_disc, w), by_jax(ours_gen, v)
  check('losses.relativistic', R3GAN, 'R3GAN/Trainer.py: AdversarialTraining',
        ([a, b], [of_w, of_v]), wanted, most=1e-6,
        remark="with r1 and r2, by the parameters of D and of G; ours squares "
               'gradients in float32')
