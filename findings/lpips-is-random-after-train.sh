#!/usr/bin/env bash
# One would guess: LPIPS, whose constructor ends in eval mode ("eval_mode=True"), is a
# fixed metric: the same two images have the same distance.
# What happens: in front of its last layers is a dropout of one half. As an attribute
# of a model it is switched on by the model's own .train(), as each epoch calls: the
# same pair then scores anew each time, and so do its gradients. No warning is given.
# Who is hurt: whoever keeps a perceptual loss inside of an autoencoder or a generator:
# noise in the gradients, and validation that differs after model.train().
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy==2.4.6 pillow==13.0.0 tqdm scipy
"$folder/venv/bin/pip" install -q --no-deps torchvision==0.28.0 lpips==0.1.4
"$folder/venv/bin/python" - <<'PY'
import importlib.metadata
import sys
import types

import torch

# The wheel's own operators want CUDA's libraries; none of them is used here.
sys.modules['torchvision._meta_registrations'] = types.ModuleType('none')
import lpips  # noqa: E402

torch.manual_seed(0)
print('lpips', importlib.metadata.version('lpips'))
model = torch.nn.Module()
# Weights of the network at random save a download; lpips brings the last layers.
model.distance = lpips.LPIPS(net='squeeze', pnet_rand=True, verbose=False)
a, b = torch.rand(2, 1, 3, 64, 64) * 2 - 1


def scores():
  with torch.no_grad():
    return [model.distance(a, b).item() for _ in range(50)]


before = scores()
model.train()
after = scores()
spread = torch.tensor(after).std().item() / before[0]
print(f'before model.train(): {min(before):.4f} to {max(before):.4f},',
      f'after: {min(after):.4f} to {max(after):.4f}')
assert min(before) == max(before)
assert len(set(after)) == 50 and spread > 0.005
model.distance.eval()
assert set(scores()) == set(before)
PY
