"""Classes and codes: terms on heads of the discriminator.

Each names the heads that it needs; the discriminator is built with them.
CE is the cross-entropy of a head's logits with a class.
"""

from collections.abc import Callable

import jax.numpy as jnp
import optax
from jax import nn

from gan_jax.penalties.term import Regulariser

_CE = optax.losses.softmax_cross_entropy_with_integer_labels


def acgan(*, num_classes: int) -> Regulariser:
  """Auxiliary classifier.  Odena et al. 2017, arXiv:1610.09585.

  disc: CE(real) + CE(fake);  gen: CE(fake).
  """
  check_classes('acgan', num_classes)

  def gen(fake_out, label):
    return _CE(fake_out.heads['class'], label)

  def disc(real_out, fake_out, label):
    return _CE(real_out.heads['class'], label) + gen(fake_out, label)

  return Regulariser(disc, gen, heads=(('class', num_classes),))


def tac_gan(*, num_classes: int) -> Regulariser:
  """Twin auxiliary classifiers.  Gong et al. 2019, arXiv:1907.02690.

  The twin, trained on generated images only, tells the generator how easily its
  classes are told apart, which `acgan` alone overdoes.
  disc: CE(real) + CE(fake) + CE_twin(fake);  gen: CE(fake) - CE_twin(fake).
  """
  plain = acgan(num_classes=num_classes)

  def twin(fake_out, label):
    return _CE(fake_out.heads['twin'], label)

  def disc(real_out, fake_out, label):
    return plain.disc(real_out, fake_out, label) + twin(fake_out, label)

  def gen(fake_out, label):
    return plain.gen(fake_out, label) - twin(fake_out, label)

  return Regulariser(disc, gen, heads=(*plain.heads, ('twin', num_classes)))


def adc_gan(*, num_classes: int) -> Regulariser:
  """Discriminative classifier of 2K classes.  Hou et al. 2022, 2107.10060.

  Real images of class y are class y, generated ones class K + y.
  disc: CE(real, y) + CE(fake, K + y);  gen: CE(fake, y) - CE(fake, K + y).
  """
  check_classes('adc_gan', num_classes)

  def disc(real_out, fake_out, label):
    return (_CE(real_out.heads['real_or_fake_class'], label)
            + _CE(fake_out.heads['real_or_fake_class'], label + num_classes))

  def gen(fake_out, label):
    logits = fake_out.heads['real_or_fake_class']
    return _CE(logits, label) - _CE(logits, label + num_classes)

  return Regulariser(disc, gen,
                     heads=(('real_or_fake_class', 2 * num_classes),))


def infogan(*, categories: tuple[int, ...] = (10,),
            continuous: int = 2, categorical_weight: float = 1.0,
            continuous_weight: float = 1.0) -> Regulariser:
  """Mutual information with codes.  Chen et al. 2016, arXiv:1606.03657.

  Both players minimise -log q(code | image), up to constants: CE for each
  categorical code, half the squared error (a Gaussian of variance 1) for each
  continuous one, with a weight for each kind. The codes come first in z: see
  `latents.infogan`, which takes the same categories and continuous.
  """
  def negative_log_likelihood(fake_out, z):
    head, total, start = fake_out.heads['code'], 0.0, 0
    for size in categories:
      part = slice(start, start + size)
      total -= categorical_weight * jnp.sum(
          nn.log_softmax(head[:, part]) * z[:, part], axis=-1)
      start += size
    part = slice(start, start + continuous)
    squares = jnp.sum((head[:, part] - z[:, part]) ** 2, axis=-1)
    return total + 0.5 * continuous_weight * squares

  size = sum(categories) + continuous
  return Regulariser(negative_log_likelihood, negative_log_likelihood,
                     heads=(('code', size),))


def contragan(*, num_classes: int, size: int = 128, temperature: float = 1.0,
              batch_all: Callable = lambda x: x) -> Regulariser:
  """Conditional contrastive (2C) loss.  Kang & Park 2020, arXiv:2006.12681.

  -log of [e(x, proxy of y) + sum of e(x, x') with y' = y] over [e(x, proxy of
  y) + sum over all x' of e(x, x')], e(a, b) = exp(cos(a, b) / temperature), x'
  the other images of the batch; real images for D, generated ones for G.
  """
  check_classes('contragan', num_classes)

  def loss(out, label):
    x, proxy, label = _embedded(out, label, batch_all)
    other = 1.0 - jnp.eye(len(x))
    alike = (label[:, None] == label[None, :]) * other
    between = jnp.exp(x @ x.T / temperature)
    own = jnp.exp(jnp.sum(x * proxy, axis=-1) / temperature)
    ratio = ((own + jnp.sum(between * alike, axis=-1))
             / (own + jnp.sum(between * other, axis=-1)))
    return jnp.full(out.logits.shape, jnp.mean(-jnp.log(ratio)))

  return _on_embeddings(loss, num_classes, size)


def reacgan(*, num_classes: int, size: int = 128, temperature: float = 0.5,
            easy_positive: float = 0.98, easy_negative: float = 0.02,
            batch_all: Callable = lambda x: x) -> Regulariser:
  """Data-to-data cross-entropy.  Kang et al. 2021, arXiv:2111.01118.

  -log of p / (p + sum of n over x' with y' != y), with
  p = exp(min(cos(x, proxy of y) - easy_positive, 0) / temperature),
  n = exp(max(cos(x, x') - easy_negative, 0) / temperature).
  """
  check_classes('reacgan', num_classes)

  def loss(out, label):
    x, proxy, label = _embedded(out, label, batch_all)
    differs = (label[:, None] != label[None, :]).astype(jnp.float32)
    cosine = jnp.sum(x * proxy, axis=-1)
    positive = jnp.exp(jnp.minimum(cosine - easy_positive, 0.0) / temperature)
    negative = jnp.exp(nn.relu(x @ x.T - easy_negative) / temperature)
    ratio = positive / (positive + jnp.sum(negative * differs, axis=-1))
    return jnp.full(out.logits.shape, jnp.mean(-jnp.log(ratio)))

  return _on_embeddings(loss, num_classes, size)


def _on_embeddings(loss, num_classes, size):
  def disc(real_out, label):
    return loss(real_out, label)

  def gen(fake_out, label):
    return loss(fake_out, label)

  return Regulariser(disc, gen, heads=(('embedding', size), ('proxies', size)))


def _embedded(out, label, batch_all):
  """Unit embeddings and proxies of the labels, of the batch of all devices."""
  label = batch_all(label)
  proxies = _unit(out.heads['proxies'])
  return batch_all(_unit(out.heads['embedding'])), proxies[label], label


def _unit(x):
  x = x.astype(jnp.float32)
  return x / jnp.sqrt(jnp.sum(x ** 2, axis=-1, keepdims=True) + 1e-12)


def check_classes(name, num_classes):
  """Raises a ValueError where there are no classes to be told apart."""
  if num_classes < 2:
    raise ValueError(f'{name} needs labels of two classes or more, and the '
                     f'data have {num_classes}; use data with labels')
