#!/usr/bin/env bash
# One would guess: grain.MapDataset.mix of a large and a small set, half and
# half, goes through all of the large one.
# What happens: it ends when the first set is used up: 1,000 and 10 examples give
# 20, and most of the large set is never seen.
# Who is hurt: whoever mixes data sets of different sizes: an epoch is as long as
# the smallest set allows. `.repeat()` on each set before mixing avoids it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q grain==0.2.18
"$folder/venv/bin/python" - <<'PY'
import importlib.metadata

import grain

large, small = grain.MapDataset.range(1000), grain.MapDataset.range(2000, 2010)
mixed = grain.MapDataset.mix([large, small], weights=[0.5, 0.5])
seen = [mixed[i] for i in range(len(mixed))]
print('grain', importlib.metadata.version('grain'))
print(f'mix of {len(large)} and {len(small)} examples has {len(mixed)}; of the '
      f'large set {sum(x < 1000 for x in seen)} were seen')
assert len(mixed) == 20 and sum(x < 1000 for x in seen) == 10
PY
