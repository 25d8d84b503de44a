#!/usr/bin/env bash
# One would guess: MIFID divides FID by how far generated images are, on average, from
# their nearest training image (Bai et al. 2021), so that a generator which only copies
# training images is punished without limit.
# What happens: torchmetrics takes the average over the real images of the nearest
# generated one. Copies of 100 images of 2,000 pass unpunished: MIFID is FID. A set
# that holds each real image once, among as many new ones, is punished without limit.
# With real=True and real=False exchanged it is as in the paper.
# Who is hurt: whoever uses it to find a generator that has learnt by heart: it is the
# one that memorised few images, and collapsed, that looks original.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torchmetrics==1.9.0 torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import torch
import torchmetrics
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.mifid import MemorizationInformedFrechetInceptionDistance


class Features(torch.nn.Identity):
  num_features = 32


def score(metric, real, fake):
  metric = metric(feature=Features())
  metric.update(real, real=True)
  metric.update(fake, real=False)
  return metric.compute().item()


def by_the_paper(real, fake):
  unit = [x / x.norm(dim=1, keepdim=True) for x in (fake, real)]
  nearest = (1 - (unit[0] @ unit[1].T).abs()).min(dim=1).values.mean()
  return nearest.item()


torch.manual_seed(0)
data = torch.randn(2000, 32, dtype=torch.float64)
sets = {'copies of 100': data[:100].repeat(20, 1),
        'each once, half new': torch.cat([data, 2 * torch.randn_like(data)])}
print('torchmetrics', torchmetrics.__version__)
ratio = {}
for name, fake in sets.items():
  fid = score(FrechetInceptionDistance, data, fake)
  ratio[name] = [score(MemorizationInformedFrechetInceptionDistance, *pair) / fid
                 for pair in ((data, fake), (fake, data))]
  print(f'{name}: MIFID / FID is {ratio[name][0]:.3g}, exchanged',
        f'{ratio[name][1]:.3g}; a generated image is',
        f'{by_the_paper(data, fake):.3f} from its nearest real one')
assert abs(by_the_paper(data, sets['copies of 100'])) < 1e-12
assert abs(ratio['copies of 100'][0] - 1) < 1e-6 < 1e6 < ratio['copies of 100'][1]
assert by_the_paper(data, sets['each once, half new']) > 0.1
assert ratio['each once, half new'][0] > 1e6
assert abs(ratio['each once, half new'][1] - 1) < 1e-6
PY
