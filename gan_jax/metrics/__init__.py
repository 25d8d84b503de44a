"""Metrics: functions of features, logits, labels or pixels, in numpy and JAX.

Features are [N, F]; real ones come first, generated ones ("fakes") second. Each
module is one family. To add one, write a function here and enter it in
`evaluators.measures.MEASURES`.
"""

# Scores of `evaluators.scores` that should be high. The name of an extractor
# follows, which may be a word of `_LOW`.
_HIGH = ('authenticity_', 'class_accuracy_', 'classes_', 'coverage_',
         'density_', 'is_', 'precision_', 'recall_')
# Words of names. The last lines are for scores of users' own.
_LOW = {'fd', 'kd', 'kl', 'divergence', 'ssim', 'error', 'gap',
        'fid', 'kid', 'mmd', 'swd', 'distance', 'lpips', 'mse', 'rmse', 'mae',
        'nll', 'loss'}


def low_is_better(name: str) -> bool:
  """Whether a score should be low, by the words of its name.

  True of distances, errors and similarities of samples, such as
  'fd_classifier_5k_train' and 'classification_error_100_held_out'; all other
  scores should be high.
  """
  return not (name.startswith(_HIGH) or _LOW.isdisjoint(name.split('_')))
