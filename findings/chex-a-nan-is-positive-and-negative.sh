#!/usr/bin/env bash
# One would guess: chex.assert_scalar_positive fails for NaN, as assert_scalar_in does
# and as `assert x > 0` would.
# What happens: it raises where x <= 0, which is false for NaN. A NaN is positive, it
# is negative by assert_scalar_negative, and non-negative. assert_scalar_in(x, 0, inf)
# finds it.
# Who is hurt: whoever guards a loss, a variance, a learning rate or a gradient's norm
# by these: the check passes in the one case that it is most needed for.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q jax==0.10.2 jaxlib==0.10.2 chex==0.1.92
"$folder/venv/bin/python" - <<'PY'
import importlib.metadata

import chex
import jax.numpy as jnp

checks = {
    'assert_scalar_positive': chex.assert_scalar_positive,
    'assert_scalar_negative': chex.assert_scalar_negative,
    'assert_scalar_non_negative': chex.assert_scalar_non_negative,
    'assert_scalar_in 0, inf': lambda x: chex.assert_scalar_in(x, 0, float('inf')),
}


def passes(check, x):
  try:
    check(x)
  except AssertionError:
    return False
  return True


print('chex', importlib.metadata.version('chex'))
found = {}
for name, check in checks.items():
  found[name] = [passes(check, x) for x in (1.0, -1.0, float('nan'))]
  print(f'{name}: passes for 1, -1, NaN: {found[name]}')
  assert passes(check, float(jnp.log(-1.0))) == found[name][2]
assert found['assert_scalar_positive'] == [True, False, True]
assert found['assert_scalar_negative'] == [False, True, True]
assert found['assert_scalar_non_negative'] == [True, False, True]
assert found['assert_scalar_in 0, inf'] == [True, False, False]
PY
