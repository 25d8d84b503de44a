"""Whether a `Source` that a function of the user's own returned can be used."""

import numpy as np

from gan_jax.data.prepare import LabelColumn, Source


def check(source: Source, name: str) -> list[str]:
  """What is to be said of a set that the function `name` returned.

  Raises:
    ValueError: it cannot be trained on; names the function, and says what to
      return.
  """
  images, labels = source.images, source.labels
  some = np.asarray(images[:1000])  # All might take minutes.
  low, high = (some.min(), some.max()) if some.size else (0, 0)
  axes, columns = len(images.shape), source.label_columns
  floats = images.dtype == np.float32 and axes > 2
  fix = ('-1 is black and 1 white; return uint8, 0 to 255, or 2 * x - 1 of x '
         'in [0, 1]')
  for wrong, what in (
      (images.dtype not in (np.uint8, np.float32),
       f'examples of {images.dtype}; return uint8 or float32'),
      (not -np.inf < low <= high < np.inf, 'NaN or Inf; remove or repair it'),
      (0 in images.shape, f'examples {list(images.shape)}: none'),
      (images.dtype == np.uint8 and axes == 3,
       f'uint8 {list(images.shape)}; images have an axis of channels too: '
       'return images[..., None], or signals [N, T, C] as float32'),
      (floats and (low < -1 or high > 1),
       f'float32 from {low:g} to {high:g}, and {fix}'),
      (len(labels) != len(images),
       f'{len(labels):,} labels of {len(images):,} examples'),
      (not all(isinstance(column, LabelColumn) for column in columns),
       f'label_columns={columns}; each is a gan_jax.data.prepare.LabelColumn('
       'name, low, high)'),
      (labels.shape[1:] != (len(columns),) * bool(columns),
       f'labels {list(labels.shape)}, and num_classes={source.num_classes}, '
       f'label_columns={columns}; classes are [N], label vectors [N, L] with '
       'num_classes=0 and L label_columns'),
      (columns and not (labels.min() >= 0 and labels.max() <= 1),
       f'label vectors from {labels.min(initial=0)} to '
       f'{labels.max(initial=0)}; they are from 0 to 1, for low and high of '
       'the label_columns'),
      (len(source.class_names) not in (0, source.num_classes),
       f'{len(source.class_names)} class_names, and '
       f'num_classes={source.num_classes}'),
      (source.num_classes and (labels.min(initial=0) < -1 or labels.max(
          initial=0) >= source.num_classes),
       f'labels from {labels.min(initial=0)} to {labels.max(initial=0)}, and '
       f'num_classes={source.num_classes}: the last one is num_classes - 1')):
    if wrong:
      raise ValueError(f'{name} returned {what}')
  return [f'float32 from {low:g} to {high:g}: {fix}'] * bool(
      floats and low >= 0)
