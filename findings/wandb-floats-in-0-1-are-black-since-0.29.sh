#!/usr/bin/env bash
# One would guess: wandb.Image of floats from 0 to 1 shows them from black to white,
# as it did for years.
# What happens: until 0.28 it scaled them, with a warning; since 0.29 it casts them to
# bytes and says nothing: all below 1 are 0, and the image is black. Negative floats,
# which were shown as (x + 1) / 2, are 0 too. Bytes are right in both.
# Who is hurt: whoever upgrades: grids of samples that are black from one day to the
# next look like a generator that has collapsed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for version in 0.28.0 0.31.0; do
  python3 -m venv "$folder/$version"
  "$folder/$version/bin/pip" install -q "wandb==$version" numpy==2.4.2 pillow==12.1.1
  "$folder/$version/bin/python" - <<'PY'
import numpy as np
import wandb


def shown(value):
  image = wandb.Image(np.full((8, 8, 3), value)).image
  return int(np.asarray(image)[4, 4, 0])


found = [shown(value) for value in (0.5, 1.0, -0.5, np.uint8(127))]
print('wandb', wandb.__version__, '0.5, 1, -0.5 and the byte 127 are shown as',
      *found)
assert found == ([127, 255, 63, 127] if wandb.__version__ == '0.28.0' else
                 [0, 1, 0, 127])
PY
done
