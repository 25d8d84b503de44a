#!/usr/bin/env bash
# One would guess: multihost_utils.broadcast_one_to_all gives all processes the array
# that the first one has, as with one process, and assert_equal agrees.
# What happens: with several processes 64-bit integers are cut to 32 bits, floats
# rounded, and the type is another; with one process they come back as they were. So
# 2^40 + 5 becomes 5, 3,000,000,000 images seen become a negative number, and
# assert_equal says of equal numbers that they differ. Nothing is said of it.
# Who is hurt: whoever shares a count, a seed or a hash among hosts: it works on one
# machine, in all tests, and until the count is above 2^31.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q jax==0.10.2 jaxlib==0.10.2
cat > "$folder/share.py" <<'PY'
import sys

import jax
import numpy as np
from jax.experimental import multihost_utils

address, count, index = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
jax.config.update('jax_platforms', 'cpu')
if count > 1:
  jax.distributed.initialize(address, count, index)
seen = np.array([2**40 + 5, 3_000_000_000, -1])
found = multihost_utils.broadcast_one_to_all(seen)
try:
  multihost_utils.assert_equal(seen, 'seen')
  agrees = True
except AssertionError:
  agrees = False
if index == count - 1:
  print('jax', jax.__version__, f'{count} processes:', seen, seen.dtype, 'becomes',
        found, found.dtype, '; assert_equal', 'passes' if agrees else 'fails')
  same = found.dtype == seen.dtype and bool((found == seen).all())
  assert same == agrees == (count == 1)
  assert same or found.tolist() == [5, 3_000_000_000 - 2**32, -1]
PY
port=$(python3 -c "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0))
print(s.getsockname()[1])")
run() { "$folder/venv/bin/python" "$folder/share.py" "127.0.0.1:$port" "$@"; }
run 1 0
run 2 0 &
run 2 1
wait $!
