#!/usr/bin/env bash
# One would guess: what webdataset's own TarWriter wrote, its WebDataset reads:
# four samples with four keys are four samples.
# What happens: the reader ends a key at the first point of the name. The writer
# takes keys with points, and does not say so: of 'psi0.5-0' to 'psi0.5-3' the
# reader makes one sample, 'psi0', whose fields are '5-0.png' to '5-3.png'.
# Who is hurt: whoever puts a truncation, a learning rate or a version into a key:
# the set shrinks, or "png" is missing, weeks after the images were made.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q webdataset==1.0.2 numpy==2.2.6 pillow==11.3.0
FOLDER="$folder" "$folder/venv/bin/python" -W error::UserWarning - <<'PY'
import importlib.metadata
import os

import numpy as np
import webdataset as wds

path = os.path.join(os.environ['FOLDER'], 'samples.tar')
keys = [f'psi0.5-{i}' for i in range(4)]
with wds.TarWriter(path) as writer:
  for i, key in enumerate(keys):
    writer.write({'__key__': key, 'png': np.full((4, 4, 3), i, np.uint8)})
found = [(sample['__key__'], sorted(k for k in sample if k[0] != '_'))
         for sample in wds.WebDataset(path, shardshuffle=False)]
print('webdataset', importlib.metadata.version('webdataset'))
print('written:', keys)
print('read:', found)
assert found == [('psi0', ['5-0.png', '5-1.png', '5-2.png', '5-3.png'])]
PY
