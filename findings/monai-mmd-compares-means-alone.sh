#!/usr/bin/env bash
# One would guess: MMDMetric of MONAI, "a kernel-based method for measuring the
# similarity between two distributions" after Gretton et al., is 0 only for equal ones.
# What happens: the kernel is the product x'y, which its documentation does not say. It
# is the squared distance of two means, less a correction: noise with three times the
# deviation scores as low as a second draw of the same, and so does one grey image
# that is the mean of all. Nor is it "non-negative": half of such scores are below 0.
# Who is hurt: whoever judges a generator by it: a collapse to the mean is the optimum.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q monai==1.6.1 torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import monai
import torch
from monai.metrics import MMDMetric

torch.manual_seed(0)
shape = (2000, 1, 4, 4)
data = torch.randn(shape, dtype=torch.float64) + 1
sets = {'a second draw': torch.randn(shape, dtype=torch.float64) + 1,
        'three times the deviation': 3 * torch.randn(shape, dtype=torch.float64) + 1,
        'the mean image': data.mean(0, keepdim=True).expand(shape),
        'a mean that is 0.1 off': torch.randn(shape, dtype=torch.float64) + 1.1}
found = {name: MMDMetric()(data, fake).item() for name, fake in sets.items()}
draws = [MMDMetric()(*torch.randn((2, *shape), dtype=torch.float64)).item()
         for _ in range(50)]
print('monai', monai.__version__)
for name, value in found.items():
  print(f'{name}: {value:.4f}')
below = sum(value < 0 for value in draws)
print(f'of {len(draws)} pairs of equal distributions {below} are below 0')
assert all(abs(value) < 0.05 for value in list(found.values())[:3])
assert found['a mean that is 0.1 off'] > 0.1 and 10 < below < 40
PY
