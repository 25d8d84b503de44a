#!/usr/bin/env bash
# One would guess: the inception score of a set of images does not depend on their
# order: 10 classes, each as often as the others and recognised for sure, score 10.
# What happens: piq cuts the features into ten splits in the order in which they come,
# and does not shuffle. Images that were generated class by class leave one class in
# each split, so that the score is 1, the lowest that there is, with the deviation 0.
# The same features in a random order score 10.
# Who is hurt: whoever scores a conditional generator from a folder of sorted names, and
# IS of piq, the difference of two scores: a set and itself, sorted, are 9 apart.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/pip" install -q --no-deps piq==0.8.0
"$folder/venv/bin/python" -W ignore - <<'PY'
import importlib.metadata
import sys
from unittest.mock import MagicMock

import torch

# torchvision gives piq its Inception network alone, which this does not use.
sys.modules['torchvision'] = sys.modules['torchvision.models'] = MagicMock()
from piq import IS  # noqa: E402
from piq.isc import inception_score  # noqa: E402

torch.manual_seed(0)
label = torch.arange(10).repeat_interleave(200)
logits = torch.randn(2000, 10) + 20 * torch.nn.functional.one_hot(label, 10)
mixed = logits[torch.randperm(2000)]
print('piq', importlib.metadata.version('piq'))
found = {}
for name, features in (('class by class', logits), ('mixed', mixed)):
  found[name] = [value.item() for value in inception_score(features)]
  whole = inception_score(features, num_splits=1)[0].item()
  print(f'{name}: {found[name][0]:.3f} +- {found[name][1]:.3f},',
        f'in one split {whole:.3f}')
  assert abs(whole - 10) < 1e-2
apart = IS()(logits, mixed).item()
print(f'the two orders of one set are {apart:.3f} apart')
assert abs(found['class by class'][0] - 1) < 1e-3 > found['class by class'][1]
assert 9.5 < found['mixed'][0] <= 10 and apart > 8.5
PY
