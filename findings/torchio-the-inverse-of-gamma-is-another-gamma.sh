#!/usr/bin/env bash
# One would guess: apply_inverse_transform of torchio, after Gamma or RandomGamma, gives
# the image back, as it does after a flip or an affine turn.
# What happens: the inverse of x^g multiplies by x^(1 - g), taken of the image that is
# transformed already. It is x^(2 - g) where x^(1 / g) is right: an image goes to
# x^(g (2 - g)), without a warning. With g = 2 it becomes white, whatever it was.
# Gamma(1 / g) is the inverse.
# Who is hurt: whoever undoes augmentations, to average over them at test time or to
# look at what a network reconstructs: the image is another one.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torchio==1.2.1 torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import importlib.metadata

import torch
import torchio as tio

torch.manual_seed(0)
data = torch.rand(1, 8, 8, 8) * 0.9 + 0.1


def there_and_back(transform):
  subject = tio.Subject(image=tio.ScalarImage(tensor=data.clone()))
  return transform(subject).apply_inverse_transform().image.data


print('torchio', importlib.metadata.version('torchio'))
flipped = there_and_back(tio.Flip(axes=(0,)))
print(f'flip: at most {(flipped - data).abs().max():.3g} off')
assert torch.equal(flipped, data)
for gamma in (0.5, 1.5, 2.0):
  found = there_and_back(tio.Gamma(gamma))
  subject = tio.Subject(image=tio.ScalarImage(tensor=data.clone()))
  right = tio.Gamma(1 / gamma)(tio.Gamma(gamma)(subject)).image.data
  print(f'gamma {gamma}: at most {(found - data).abs().max():.3g} off, its mean',
        f'{found.mean():.3g} instead of {data.mean():.3g};',
        f'by Gamma(1 / g) {(right - data).abs().max():.3g} off')
  assert torch.allclose(found, data ** (gamma * (2 - gamma)), atol=1e-5)
  assert (found - data).abs().max() > 0.05 and torch.allclose(right, data, atol=1e-5)
assert torch.allclose(found, torch.ones_like(found), atol=1e-5)
PY
