"""The evaluator `classification_accuracy`: learning from generated images."""

import functools
from typing import Any

import numpy as np

from gan_jax.data.prepare import make_source
from gan_jax.evaluators.score import Score, short, unseen
from gan_jax.extractors import classifier, cnn

_CHUNK = 1000  # images at a time


def classification_accuracy(*, num_samples: int = 10000, source: Any):
  """Accuracy on real images of a classifier trained on generated ones.

  Classification accuracy score, Ravuri & Vinyals 2019,
  https://arxiv.org/abs/1905.10887. The network is that of
  `extractors.classifier`, trained anew for each score: minutes. It is tested on
  the held-out images if there are any (`data.holdout`), else on those of
  training.

  Args:
    num_samples: generated images.
    source: a data set with labels.

  Returns:
    evaluate(sample) -> [classification_accuracy], without a floor; that of the
    network trained on nine tenths of the real images, on the last tenth, is in
    its protocol as 'real_accuracy'.

  Raises:
    ValueError: data without labels.
  """
  if source.num_classes < 2:
    raise ValueError(f'{source.name} has no labels to be learnt; use data with '
                     'labels')
  real, side = unseen(source)
  name = f'classification_accuracy_{short(num_samples)}_{side}'
  how = {'metric': 'classification_accuracy', 'num_fake': num_samples,
         'num_real': len(real.images), 'reference': side, 'data': source.name,
         'data_fingerprint': real.fingerprint}

  @functools.cache
  def real_accuracy():
    return classifier(source=source).notes['accuracy']

  def evaluate(sample):
    images, labels = sample(0, num_samples)
    if labels is None:
      return [Score(name, reason='the generator knows no classes',
                    protocol=how)]
    network = cnn.trained(make_source(images, labels, source.num_classes,
                                      name='generated'))
    correct = 0
    for i in range(0, len(real.images), _CHUNK):
      _, logits = network.extract(np.asarray(real.images[i:i + _CHUNK]))
      correct += int((logits.argmax(1) == real.labels[i:i + _CHUNK]).sum())
    return [Score(name, correct / len(real.images),
                  protocol=how | {'real_accuracy': real_accuracy()},
                  found={'trained_sha256': network.sha256})]

  return evaluate
