#!/usr/bin/env bash
# One would guess: jax.numpy.histogram counts as numpy's does, in any bin.
# What happens: it adds ones in float32, one after the other. At 16,777,216, 2^24, one
# more changes nothing: the bin is full, and there is no warning. density=True divides
# by the sum of such bins, so that every share is wrong. jax.numpy.bincount, which
# counts integers, is right.
# Who is hurt: whoever compares levels of real and generated images: the black of 86
# images of 256 x 256 x 3 fills a bin, and what is most frequent is cut, as by a mode
# that is missing.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q jax==0.10.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import jax
import jax.numpy as jnp
import numpy as np

full, rest = 2 ** 24, 2 ** 22
count = [4 * rest + 2 * rest, rest]  # black, white
values = np.repeat(np.array([0.1, 0.9], np.float32), count)
edges = dict(bins=2, range=(0., 1.))
bins, _ = jnp.histogram(values, **edges)
share, _ = jnp.histogram(values, density=True, **edges)
print('jax', jax.__version__)
print('numpy:', np.histogram(values, **edges)[0].tolist())
print('jax.numpy:', np.asarray(bins, int).tolist())
print('density, numpy:', np.histogram(values, density=True, **edges)[0],
      'jax.numpy:', share)
assert np.histogram(values, **edges)[0].tolist() == count
assert bins.tolist() == [full, rest]
assert np.allclose(share, [2 * full / (full + rest), 2 * rest / (full + rest)])
assert jnp.bincount((values > 0.5).astype(int)).tolist() == count
PY
