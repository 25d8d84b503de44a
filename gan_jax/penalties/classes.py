"""Penalties on classes and codes, by heads of the discriminator.

Each names the heads (further outputs) that it needs; the discriminator is built
with them. CE is the cross-entropy of a head's logits with a class.
"""

from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
import optax
from jax import nn

from gan_jax.penalties.term import Regulariser


def acgan(*, num_classes: int) -> Regulariser:
  """Auxiliary classifier (AC-GAN).  Odena et al. 2017, arXiv:1610.09585.

  disc: CE(real) + CE(fake);  gen: CE(fake).
  """
  _check_classes('acgan', num_classes)
  return Regulariser(
      disc=lambda real_out, fake_out, label: (
          _ce(real_out, 'class', label) + _ce(fake_out, 'class', label)),
      gen=lambda fake_out, label: _ce(fake_out, 'class', label),
      heads=(('class', num_classes),),
      class_logits=lambda out: out.heads['class'])


def tac_gan(*, num_classes: int) -> Regulariser:
  """Twin auxiliary classifiers (TAC-GAN).  Gong et al. 2019, arXiv:1907.02690.

  disc: CE(real) + CE_twin(fake);  gen: CE(fake) - CE_twin(fake), as in the
  authors' code: the classifier learns from real images only, the twin from
  generated ones.
  """
  _check_classes('tac_gan', num_classes)
  return Regulariser(
      disc=lambda real_out, fake_out, label: (
          _ce(real_out, 'class', label) + _ce(fake_out, 'twin', label)),
      gen=lambda fake_out, label: (
          _ce(fake_out, 'class', label) - _ce(fake_out, 'twin', label)),
      heads=(('class', num_classes), ('twin', num_classes)),
      class_logits=lambda out: out.heads['class'])


def adc_gan(*, num_classes: int) -> Regulariser:
  """Classifier of 2K classes (ADC-GAN).  Hou et al. 2022, arXiv:2107.10060.

  Real images of class y are class y, generated ones class K + y (2y and 2y + 1
  in the authors' code).
  disc: CE(real, y) + CE(fake, K + y);  gen: CE(fake, y) - CE(fake, K + y).
  """
  _check_classes('adc_gan', num_classes)
  head, fake = 'real_or_fake_class', num_classes
  return Regulariser(
      disc=lambda real_out, fake_out, label: (
          _ce(real_out, head, label) + _ce(fake_out, head, label + fake)),
      gen=lambda fake_out, label: (
          _ce(fake_out, head, label) - _ce(fake_out, head, label + fake)),
      heads=((head, 2 * num_classes),),
      class_logits=lambda out: out.heads[head][:, :num_classes])


def multi_hinge(*, num_classes: int) -> Regulariser:
  """Hinge loss of K + 1 classes (MHinge).  Kavalerov et al. 2019, 1912.04216.

  disc: CS(real, y) + CS(fake, K);  gen: CS(fake, y), where class K is
  'generated' and CS(logits l, y) = relu(1 + max over j != y of l_j - l_y)
  (Crammer & Singer 2001). The published codes have it in place of the
  adversarial loss, with 0.05 of gen, and `feature_matching`, distance
  'absolute'; here it is added to the loss of the config.
  """
  _check_classes('multi_hinge', num_classes)
  head = 'class_or_fake'

  def crammer_singer(out, label):
    logits = out.heads[head]
    own = jax.nn.one_hot(label, num_classes + 1, dtype=bool)
    wrong = jnp.max(logits, axis=-1, where=~own, initial=-jnp.inf)
    right = jnp.sum(logits, axis=-1, where=own)
    return nn.relu(1.0 + wrong - right)

  return Regulariser(
      disc=lambda real_out, fake_out, label: (
          crammer_singer(real_out, label)
          + crammer_singer(fake_out, jnp.full_like(label, num_classes))),
      gen=lambda fake_out, label: crammer_singer(fake_out, label),
      heads=((head, num_classes + 1),),
      class_logits=lambda out: out.heads[head][:, :num_classes])


def _ce(out, head, label):
  return optax.losses.softmax_cross_entropy_with_integer_labels(
      out.heads[head], label)


def _check_classes(name, num_classes):
  if num_classes < 2:
    raise ValueError(f'{name} needs labels of two classes or more, and the '
                     f'data have {num_classes}; use data with labels')


def infogan(*, categories: tuple[int, ...] = (10,),
            continuous: int = 2, categorical_weight: float = 1.0,
            continuous_weight: float = 1.0,
            learnt_std: bool = False) -> Regulariser:
  """Recovers codes of z from images (InfoGAN).  Chen et al. 2016, 1606.03657.

  Both players minimise -log q(code | image), up to constants: CE for each
  categorical code, half the squared error (a Gaussian of deviation 1) for each
  continuous one, with a weight for each kind. Needs `latents.infogan` with the
  same categories and continuous.

  learnt_std: whether D tells a deviation s for each continuous code too, as
    log s (section 6 of the paper; its code for MNIST has s = 1): log s +
    1/2 (error / s)^2. The value may be below 0.
  """
  def negative_log_likelihood(fake_out, z):
    head, total, start = fake_out.heads['code'], 0.0, 0
    for size in categories:
      part = slice(start, start + size)
      total -= categorical_weight * jnp.sum(
          nn.log_softmax(head[:, part]) * z[:, part], axis=-1)
      start += size
    part = slice(start, start + continuous)
    errors, log_std = head[:, part] - z[:, part], head[:, part.stop:]
    if learnt_std:
      errors *= jnp.exp(-log_std)
    values = 0.5 * jnp.sum(errors ** 2, axis=-1) + jnp.sum(log_std, axis=-1)
    return total + continuous_weight * values

  size = sum(categories) + continuous * (1 + learnt_std)
  return Regulariser(negative_log_likelihood, negative_log_likelihood,
                     heads=(('code', size),))


def contragan(*, num_classes: int, size: int = 128, temperature: float = 1.0,
              batch_all: Callable = lambda x: x) -> Regulariser:
  """Conditional contrastive loss (2C).  Kang & Park 2020, arXiv:2006.12681.

  -log of [e(x, proxy of y) + sum of e(x, x') with y' = y] over [e(x, proxy of
  y) + sum over all x' of e(x, x')], e(a, b) = exp(cos(a, b) / temperature), x'
  the other images of the batch; real images for D, generated ones for G.
  """
  def log_ratio(x, proxy, label):
    other = 1.0 - jnp.eye(len(x))
    alike = (label[:, None] == label[None, :]) * other
    between = x @ x.T / temperature
    own = jnp.sum(x * proxy, axis=-1) / temperature
    return _log_sum(own, between, alike) - _log_sum(own, between, other)

  return _contrastive('contragan', log_ratio, num_classes, size, batch_all)


def reacgan(*, num_classes: int, size: int = 128, temperature: float = 0.5,
            easy_positive: float = 0.98, easy_negative: float = 0.02,
            batch_all: Callable = lambda x: x) -> Regulariser:
  """Data-to-data cross-entropy.  Kang et al. 2021, arXiv:2111.01118.

  -log of p / (p + sum of n over x' with y' != y), with
  p = exp(min(cos(x, proxy of y) - easy_positive, 0) / temperature),
  n = exp(max(cos(x, x') - easy_negative, 0) / temperature). The authors' code
  has easy_negative = 1 - easy_positive, and the weight 0.5 on CIFAR-10.

  Departure: that code (StudioGAN) divides each n by the row's largest exp((cos
  - easy_negative) / temperature), of all x' != x, and not p, so that its value
  is another one than the paper's, which this is.
  """
  def log_ratio(x, proxy, label):
    differs = (label[:, None] != label[None, :]).astype(jnp.float32)
    cosine = jnp.sum(x * proxy, axis=-1)
    positive = jnp.minimum(cosine - easy_positive, 0.0) / temperature
    negative = nn.relu(x @ x.T - easy_negative) / temperature
    return positive - _log_sum(positive, negative, differs)

  return _contrastive('reacgan', log_ratio, num_classes, size, batch_all)


def _log_sum(own, between, chosen):
  """Log of exp(own) + the sum of chosen exp(between): [B], [B, B] twice."""
  return nn.logsumexp(
      jnp.concatenate([own[:, None], between], axis=1), axis=1,
      b=jnp.concatenate([jnp.ones_like(own)[:, None], chosen], axis=1))


def _contrastive(name, log_ratio, num_classes, size, batch_all):
  """Mean of -log_ratio(x, proxy, label) over all devices, for both players.

  x, proxy [B, size]: embeddings of images and of their classes, of length 1.
  """
  _check_classes(name, num_classes)

  def loss(out, label):
    label = batch_all(label)
    proxies = _unit(out.heads['proxies'])
    x = batch_all(_unit(out.heads['embedding']))
    mean = jnp.mean(-log_ratio(x, proxies[label], label))
    return jnp.full(out.logits.shape, mean)

  return Regulariser(disc=lambda real_out, label: loss(real_out, label),
                     gen=lambda fake_out, label: loss(fake_out, label),
                     heads=(('embedding', size), ('proxies', size)))


def _unit(x):
  x = x.astype(jnp.float32)
  return x / jnp.sqrt(jnp.sum(x ** 2, axis=-1, keepdims=True) + 1e-12)


def semi_supervised(*, num_classes: int,
                    form: Literal['k', 'k_plus_1'] = 'k_plus_1') -> Regulariser:
  """Classifier for data of few labels.  Salimans et al. 2016, arXiv:1606.03498.

  Section 5. D's logit for every adversarial loss follows from its class logits
  l:

    k_plus_1: K + 1 classes, the last one is 'generated':
      logit = logsumexp(l_1 .. l_K) - l_{K+1};
    k: the same with l_{K+1} = 0: logit = logsumexp(l_1 .. l_K).

  disc: CE of l_1 .. l_K with the class, on a batch of labelled examples of its
  own, as in the authors' code: the real batch is of all examples, so that few
  labelled ones do not weigh more there. The paper trains the generator by
  `feature_matching` alone, which the loss `disc_only` leaves to it; the
  authors' code has the weight 2 for non_saturating.
  """
  _check_classes('semi_supervised', num_classes)
  if form not in ('k', 'k_plus_1'):
    raise ValueError(f"form {form!r} must be 'k' or 'k_plus_1'")
  head = 'semi_supervised'

  def judge(out):
    logits = out.heads[head]
    found = nn.logsumexp(logits[:, :num_classes], axis=-1)
    return found if form == 'k' else found - logits[:, num_classes]

  def class_logits(out):
    return out.heads[head][:, :num_classes].astype(jnp.float32)

  def disc(critique, labelled):
    # Augmented and with noise as the real examples, by keys of their own.
    out = critique(labelled.image, purpose='labelled')
    return optax.losses.softmax_cross_entropy_with_integer_labels(
        class_logits(out), labelled.label)

  return Regulariser(disc, heads=((head, num_classes + (form == 'k_plus_1')),),
                     judge=judge, class_logits=class_logits)
