#!/usr/bin/env bash
# One would guess: DCROverfittingProtection, the share of synthetic rows that are
# nearer to a training row than to a validation row, measures both distances alike.
# What happens: the distance to training rows is divided by the column's range in
# the training rows, that to validation rows by the range there. One outlier in one
# half shrinks all distances to it: near copies of training rows score 1.0, "not
# overfitted", with an outlier among the validation rows, and fresh rows nearly 0
# with one among the training rows.
# Who is hurt: whoever reports it for columns with long tails, such as incomes: the
# score tells which half has the largest value.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q sdmetrics==0.32.0
"$folder/venv/bin/python" - <<'PY'
import importlib.metadata
import warnings

import numpy as np
import pandas as pd
from sdmetrics.single_table import DCROverfittingProtection

warnings.simplefilter('ignore')
table = {'columns': {'a': {'sdtype': 'numerical'}, 'b': {'sdtype': 'numerical'}}}
metadata = {'tables': {'table': table}, 'relationships': []}
rng = np.random.default_rng(0)


def draw():
  return pd.DataFrame(rng.normal(size=(300, 2)), columns=['a', 'b'])


def with_outlier(rows):
  rows = rows.copy()
  rows.iloc[0] = 60.0
  return rows


def score(training, synthetic, validation):
  return float(DCROverfittingProtection.compute(
      real_training_data=training, synthetic_data=synthetic,
      real_validation_data=validation, metadata=metadata, table_name='table'))


training, validation, fresh = draw(), draw(), draw()
copies = training + rng.normal(scale=0.01, size=training.shape)
print('sdmetrics', importlib.metadata.version('sdmetrics'))
scores = {}
for name, synthetic in (('fresh rows', fresh), ('near copies', copies)):
  scores[name] = (score(training, synthetic, validation),
                  score(with_outlier(training), synthetic, validation),
                  score(training, synthetic, with_outlier(validation)))
  print('{}: {:.2f}, with one outlier in the training rows {:.2f}, in the '
        'validation rows {:.2f}'.format(name, *scores[name]))
assert scores['fresh rows'][0] > 0.8 and scores['fresh rows'][1] < 0.1
assert scores['near copies'][0] < 0.1 and scores['near copies'][2] > 0.8
PY
