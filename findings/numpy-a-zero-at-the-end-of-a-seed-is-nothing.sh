#!/usr/bin/env bash
# One would guess: numpy.random.default_rng([seed, epoch, worker]) is another stream for
# each list, as the entropy is hashed.
# What happens: a list of up to four numbers is filled up with zeros to four, and so
# [7], 7, [7, 0] and [7, 0, 0, 0] are one stream. A number from 2^32 on is cut into
# two: [7, 1] is 2^32 + 7. And the first child that SeedSequence(7) spawns is
# [7, 0, 0, 0, 0]. The other children, and lists that end with the seed, differ.
# Who is hurt: whoever draws the order of an epoch from [seed, epoch] and the noise of
# its batches from [seed, epoch, batch]: in batch 0 both are the same numbers, and in
# epoch 0 they are those of the seed alone.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6
"$folder/venv/bin/python" -W error - <<'PY'
import numpy as np


def first(seed):
  return np.random.default_rng(seed).random()


print('numpy', np.__version__)
seeds = [7, [7], [7, 0], [7, 0, 0], [7, 0, 0, 0], [7, 0, 0, 0, 0], [0, 7],
         [7, 1], 2 ** 32 + 7, [7, 1, 0]]
for seed in seeds:
  print(seed, first(seed))
children = np.random.SeedSequence(7).spawn(2)
print('children of 7:', *(first(child) for child in children))
assert all(first(seed) == first(7) for seed in seeds[:5])
assert first([7, 1]) == first(2 ** 32 + 7) == first([7, 1, 0])
assert first(children[0]) == first([7, 0, 0, 0, 0])
apart = (7, [0, 7], [7, 1], children[0], children[1])
assert len({first(seed) for seed in apart}) == len(apart)
z, label_noise = (np.random.default_rng(seed).normal(size=1000)
                  for seed in ([7, 3], [7, 3, 0]))
assert np.array_equal(z, label_noise)
PY
