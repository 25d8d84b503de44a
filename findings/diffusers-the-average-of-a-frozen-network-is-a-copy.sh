#!/usr/bin/env bash
# One would guess: EMAModel.step of diffusers averages the parameters that it is given,
# whatever else is done with them in the step.
# What happens: a parameter whose requires_grad is False at that moment is copied, not
# averaged: the average is the current weights, and what it held is lost. No warning.
# Who is hurt: whoever trains a GAN, where each network is frozen while the other one
# is trained: with the step at the end of the iteration, after the discriminator's
# turn, each sample and checkpoint of "the average" is of the last weights.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy==2.4.6 diffusers==0.42.1
"$folder/venv/bin/python" - <<'PY'
import diffusers
import torch
from diffusers.training_utils import EMAModel

print('diffusers', diffusers.__version__)
found = {}
for frozen in (False, True):
  net = torch.nn.Linear(1, 1, bias=False)
  torch.nn.init.zeros_(net.weight)
  ema = EMAModel(net.parameters(), decay=0.9, min_decay=0.9)
  for step in range(1, 21):
    net.requires_grad_(True)
    torch.nn.init.constant_(net.weight, step)  # as the optimiser would
    net.requires_grad_(not frozen)  # the discriminator's turn
    ema.step(net.parameters())
  found[frozen] = ema.shadow_params[0].item()
  print('frozen' if frozen else 'not frozen',
        f'in the last step of the average: {found[frozen]:.4f}')
right = 1.  # the first step of diffusers copies
for step in range(2, 21):
  right = 0.9 * right + 0.1 * step
assert abs(found[False] - right) < 1e-4 and found[True] == 20
PY
