#!/usr/bin/env bash
# One would guess: the distance that IndexFlatL2 of faiss, the exact index, gives a
# query does not depend on how many others are asked at the same time.
# What happens: where queries times dimensions reach 128,000, the squared distance is
# |x|^2 + |y|^2 - 2 x.y in float32, which is rounding where the vectors are long and
# near each other, and cut at 0. Fewer queries are subtracted number by number. For
# bright images of 3,072 levels, as floats, 41 queries are exact. 42 give multiples of
# 16: what differs by 1 is told to be a copy, or to differ by more than it does.
# Who is hurt: whoever looks for copies of training images, or takes distances in k-NN
# scores, one batch at a time: the last, smaller batch is exact, the others are not.
# Subtracting the mean first helps.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q faiss-cpu==1.15.1 numpy==2.4.6
"$folder/venv/bin/python" -W error - <<'PY'
import faiss
import numpy as np

rng = np.random.default_rng(0)
train = rng.integers(180, 256, (1000, 3072)).astype(np.float32)
query = train[:100].copy()
query[:, 0] -= 1  # each differs by one level in one pixel of one colour
index = faiss.IndexFlatL2(3072)
index.add(train)
found = {}
print('faiss', faiss.__version__)
for count in (1, 41, 42, 100):
  squares, nearest = index.search(query[:count], 1)
  assert (nearest[:, 0] == np.arange(count)).all()
  found[count] = squares[:, 0]
  print(f'{count} queries: squared distances of 1 are given as',
        np.unique(squares).tolist())
assert (found[1] == 1).all() and (found[41] == 1).all()
for count in (42, 100):
  assert (found[count] != 1).all() and found[count].max() >= 8
  assert (found[count] == 0).any()
PY
