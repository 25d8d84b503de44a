#!/usr/bin/env bash
# One would guess: PatchAdversarialLoss of MONAI with criterion='hinge' is the hinge
# loss of the critic's output, and 'least_squares', the default, that of LSGAN.
# What happens: an activation goes before the loss; the documentation does not say
# which. For hinge it is tanh: no output reaches the margin of 1, and the generator
# is given 1 - tanh(x). For least squares it is a leaky ReLU of slope 0.05.
# no_activation_leastsq=True is right; for hinge there is no such argument.
# Who is hurt: whoever trains or compares these losses: where the critic tells fakes
# for sure (-5), the generator's gradient is 0.0002 instead of 1, or 0.125 instead of 12.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q monai==1.6.1 torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import numpy as np
import monai
import torch
from monai.losses import PatchAdversarialLoss


def generator(logit, **kwargs):
  x = torch.full((1, 1), logit, requires_grad=True)
  loss = PatchAdversarialLoss(**kwargs)(x, True, for_discriminator=False)
  return loss.item(), torch.autograd.grad(loss, x)[0].item()


def critic(logit):
  loss = PatchAdversarialLoss(criterion='hinge')
  return loss(torch.full((1, 1), logit), True, for_discriminator=True).item()


print('monai', monai.__version__)
for x in (-5.0, -1.0, 2.0):
  hinge, squares = generator(x, criterion='hinge'), generator(x)
  plain = generator(x, no_activation_leastsq=True)
  print(f'logit {x}: hinge {hinge}, least squares {squares}, without {plain};',
        f'hinge of the critic for a real image {critic(x)}')
  leaky = x if x > 0 else 0.05 * x
  assert np.allclose(hinge, (1 - np.tanh(x), np.tanh(x) ** 2 - 1), atol=1e-5)
  assert np.allclose(squares, ((leaky - 1) ** 2, 2 * (leaky - 1) * leaky / x))
  assert np.allclose(plain, ((x - 1) ** 2, 2 * (x - 1)))
  assert np.isclose(critic(x), 1 - np.tanh(x), atol=1e-5)
PY
