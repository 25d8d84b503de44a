#!/usr/bin/env bash
# One would guess: GaussianMixture.sample(n) gives n independent draws from the mixture,
# in no order, as KernelDensity.sample does and make_blobs by default.
# What happens: they come component by component: of two equal ones the first half is
# the first, the second half the second. BayesianGaussianMixture is the same. The
# documentation does not say so; the labels that come with them show it.
# Who is hurt: whoever takes batches, the first thousand, or a training and a test half
# of such samples: each holds some modes alone, and a network that learns them in turn
# looks like one that collapses.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" -W error - <<'PY'
import numpy as np
import sklearn
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from sklearn.neighbors import KernelDensity

rng = np.random.default_rng(0)
data = rng.normal(size=(2000, 1)) + rng.choice([-5, 5], (2000, 1))
print('scikit-learn', sklearn.__version__)
for model in (GaussianMixture(2, random_state=0),
              BayesianGaussianMixture(n_components=2, random_state=0),
              KernelDensity(bandwidth=0.3)):
  model.fit(data)
  if isinstance(model, KernelDensity):
    samples = model.sample(1000, random_state=0)
  else:
    samples = model.sample(1000)[0]
  right = (samples[:, 0] > 0)
  halves = right[:500].mean(), right[500:].mean()
  changes = int((right[1:] != right[:-1]).sum())
  print(f'{type(model).__name__}: right of 0 are {halves[0]:.1%} of the first half,',
        f'{halves[1]:.1%} of the second; the side changes {changes} times')
  assert 0.45 < right.mean() < 0.55
  assert (changes > 400) if isinstance(model, KernelDensity) else (changes == 1)
PY
