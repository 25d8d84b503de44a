"""Terms of classes and codes: values and gradients by the heads' outputs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from beside import by_jax, by_tensorflow, by_torch, check, draw
from peers import STUDIOGAN, TFGAN, load

from gan_jax import penalties
from gan_jax.models import Critique

STUDIO = 'src/utils/losses.py'
OF_TFGAN = 'tensorflow_gan/python/losses/losses_impl.py'
N, K, SIZE = 12, 4, 6
LABEL = np.random.default_rng(0).integers(0, K, N)
# Ours normalises embeddings in float32.
FLOAT32 = 2e-6


def head(name, logits, **more):
  return Critique(logits[:, 0], None, {name: logits, **more})


def labels():
  import torch
  return torch.tensor(LABEL)


def test_acgan():
  module = load(STUDIOGAN, 'utils.losses').CrossEntropyLoss()
  term, label = penalties.acgan(num_classes=K), jnp.asarray(LABEL)
  check('penalties.acgan', STUDIOGAN, f'{STUDIO}: CrossEntropyLoss', by_jax(
      lambda a: term.gen(head('class', a), label).mean(), draw(1, N, K)),
      by_torch(lambda a: module(a, labels()), draw(1, N, K)))


def test_acgan_of_tfgan():
  module = load(TFGAN, 'tensorflow_gan.python.losses.losses_impl')
  term, label = penalties.acgan(num_classes=K), jnp.asarray(LABEL)
  pair = draw(1, N, K), draw(2, N, K)
  one_hot = np.eye(K)[LABEL]
  check('penalties.acgan', TFGAN, f'{OF_TFGAN}: acgan_discriminator_loss',
        by_jax(lambda a, b: term.disc(head('class', a), head('class', b),
                                      label).mean(), *pair),
        by_tensorflow(lambda a, b: module.acgan_discriminator_loss(
            a, b, one_hot), *pair), most=1e-6, remark='float32 there')


def test_multi_hinge():
  """Their worker's sum: real of its class, fake of the last class."""
  import torch
  loss = load(STUDIOGAN, 'utils.losses').crammer_singer_loss
  term, label = penalties.multi_hinge(num_classes=K), jnp.asarray(LABEL)
  pair = draw(1, N, K + 1), draw(2, N, K + 1)
  last = torch.full((N,), K)
  check('penalties.multi_hinge', STUDIOGAN, f'{STUDIO}: crammer_singer_loss',
        by_jax(lambda a, b: term.disc(head('class_or_fake', a), head(
            'class_or_fake', b), label).mean(), *pair),
        by_torch(lambda a, b: loss(a, labels(), False) + loss(b, last, False),
                 *pair))


def test_contragan():
  loss = load(STUDIOGAN, 'utils.losses').ConditionalContrastiveLoss(
      K, 0.7, 'cpu', False)
  term = penalties.contragan(num_classes=K, temperature=0.7)
  pair = draw(1, N, SIZE), draw(2, K, SIZE)
  check('penalties.contragan', STUDIOGAN,
        f'{STUDIO}: ConditionalContrastiveLoss', by_jax(
            lambda x, proxies: term.gen(head('embedding', x, proxies=proxies),
                                        jnp.asarray(LABEL)).mean(), *pair),
        by_torch(lambda x, proxies: loss(x, proxies[LABEL], labels()), *pair),
        most=FLOAT32, remark='float32 here')


def test_reacgan():
  loss = load(STUDIOGAN, 'utils.losses').Data2DataCrossEntropyLoss(
      K, 0.5, 0.7, 'cpu', False)
  term = penalties.reacgan(num_classes=K, temperature=0.5, easy_positive=0.7,
                           easy_negative=0.3)
  pair = draw(1, N, SIZE), draw(2, K, SIZE)

  def as_theirs(x, proxies):
    """The docstring's departure, undone: negatives over the row's largest."""
    x, proxies = (v / jnp.sqrt(jnp.sum(v ** 2, -1, keepdims=True))
                  for v in (x, proxies))
    differs = jnp.asarray(LABEL[:, None] != LABEL[None])
    easy = (x @ x.T - 0.3) / 0.5
    largest = jnp.max(easy - 1e9 * jnp.eye(N), axis=1, keepdims=True)
    negative = jnp.exp(jnp.maximum(easy, 0.0) - jax.lax.stop_gradient(largest))
    positive = jnp.exp(jnp.minimum(
        jnp.sum(x * proxies[LABEL], -1) - 0.7, 0.0) / 0.5)
    return -jnp.log(positive / (positive + jnp.sum(
        negative * differs, -1))).mean()

  wanted = by_torch(lambda x, proxies: loss(x, proxies[LABEL], labels()), *pair)
  check('penalties.reacgan', STUDIOGAN, f'{STUDIO}: Data2DataCrossEntropyLoss',
        by_jax(lambda x, proxies: term.gen(
            head('embedding', x, proxies=proxies),
            jnp.asarray(LABEL)).mean(), *pair), wanted, most=FLOAT32,
        decision='StudioGAN', explained=(by_jax(as_theirs, *pair), wanted),
        remark="theirs divides the negatives, and not the positive, by the "
               "row's largest; ours is the paper's")


def test_infogan():
  loss = load(STUDIOGAN, 'utils.losses').normal_nll_loss
  term = penalties.infogan(categories=(), continuous=3, learnt_std=True)
  z, mean, log_std = draw(1, N, 3), draw(2, N, 3), 0.3 * draw(3, N, 3)

  def ours(mean, log_std):
    out = head('code', jnp.concatenate([mean, log_std], -1))
    # Without the constant of a Gaussian's logarithm.
    return term.gen(out, jnp.asarray(z)).mean() + 1.5 * np.log(2 * np.pi)

  def theirs(mean, log_std):
    import torch
    return loss(torch.tensor(z), mean, (2.0 * log_std).exp())

  check('penalties.infogan', STUDIOGAN, f'{STUDIO}: normal_nll_loss',
        by_jax(ours, mean, log_std), by_torch(theirs, mean, log_std),
        most=1e-5, remark='learnt_std, but for a constant; theirs adds 1e-6 to '
        'the variance')


@pytest.mark.parametrize('learnt', [False, True])
def test_infogan_of_tfgan(learnt):
  """Their distributions are TensorFlow Probability's; here the same in TF."""
  import tensorflow as tf
  module = load(TFGAN, 'tensorflow_gan.python.losses.losses_impl')
  term = penalties.infogan(categories=(4,), continuous=2, learnt_std=learnt)
  z = np.concatenate([np.eye(4)[LABEL], draw(1, N, 2)], axis=-1)
  code = draw(2, N, 8 if learnt else 6)

  class Distribution:
    def __init__(self, log_prob):
      self.log_prob = log_prob

  def theirs(code):
    log_std = code[:, 6:] if learnt else tf.zeros_like(code[:, 4:6])
    category = Distribution(lambda x: tf.reduce_sum(
        tf.nn.log_softmax(code[:, :4]) * x, -1))
    values = Distribution(lambda x: tf.reduce_sum(
        -0.5 * ((x - code[:, 4:6]) / tf.exp(log_std)) ** 2 - log_std, -1))
    return module.mutual_information_penalty(
        [tf.constant(z[:, :4]), tf.constant(z[:, 4:])], [category, values])

  # Theirs is a mean over the codes' kinds.
  check('penalties.infogan', TFGAN, f'{OF_TFGAN}: mutual_information_penalty',
        by_jax(lambda code: 0.5 * term.gen(
            head('code', code), jnp.asarray(z)).mean(), code),
        by_tensorflow(theirs, code), most=1e-6, remark='half of ours: the mean '
        'of two codes; distributions are ours' + ', learnt_std' * learnt)
