"""Images and their features: what measures compare."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from gan_jax.extractors import stored

_CHUNK = 1000  # images at a time
_KEPT = 1000  # images that stay, for what compares pixels


class Examples(NamedTuple):
  """Some examples of one kind, real or generated.

  images: uint8 [M, H, W, C] or float32 [M, D], the first of them, M <= 1000.
  labels: int32 [N] that they are of, or were asked for; None without any.
  features: float32 [N, F].
  logits: float32 [N, K] of classes, or None.
  """

  images: np.ndarray
  labels: np.ndarray | None
  features: np.ndarray
  logits: np.ndarray | None


def features_of(extractor: Any, read: Callable, count: int) -> Examples:
  """The examples 0 .. count - 1, chunk by chunk: memory does not grow with it.

  Args:
    extractor: a `gan_jax.extractors.Extractor`.
    read: (start, stop) -> (images [stop - start, ...], labels or None).
    count: of examples.
  """
  first, rest = [], []
  for start in range(0, count, _CHUNK):
    images, labels = read(start, min(start + _CHUNK, count))
    images = np.asarray(images)
    if start < _KEPT:
      first.append(images)
    rest.append((labels, *extractor.extract(images)))
  return Examples(np.concatenate(first), *(
      None if parts[0] is None else np.concatenate(parts)
      for parts in zip(*rest, strict=True)))


def features_of_data(extractor: Any, source: Any, rows) -> Examples:
  """As `features_of` of rows of a data set; features are kept in the cache.

  The key is the content: the data set's fingerprint, the rows and the
  extractor's hash, so that a file never goes stale.
  """
  path = stored.path_of('features', source.fingerprint, extractor.sha256,
                        rows.tobytes())
  images = np.asarray(source.images[rows[:_KEPT]])
  labels = source.labels[rows] if source.num_classes else None
  if kept := stored.read(path):
    return Examples(images, labels, kept[0]['features'],
                    kept[0].get('logits'))
  found = features_of(extractor, lambda a, b: (source.images[rows[a:b]], None),
                 len(rows))
  stored.write(path, {k: v for k, v in (
      ('features', found.features), ('logits', found.logits))
                      if v is not None}, {})
  return found._replace(labels=labels)
