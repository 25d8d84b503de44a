#!/usr/bin/env bash
# One would guess: the source lines in a compiled program, which a profile shows
# beside its times, are those of the code that runs.
# What happens: the persistent compilation cache finds a program by what it
# computes, without its source lines. After a file was renamed, or lines were
# added above, the program comes from the cache with the file and lines of the
# code that filled it. jax_compilation_cache_include_metadata_in_key=True makes
# it compile anew.
# Who is hurt: whoever profiles or reads HLO with a warm cache, and is sent to
# the wrong line, or to a file that is gone.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q jax==0.10.2 jaxlib==0.10.2
cat > "$folder/before.py" <<'PY'
import re
import sys

import jax
import jax.numpy as jnp

jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.0)
jax.config.update('jax_compilation_cache_include_metadata_in_key',
                  sys.argv[1:] == ['with metadata'])


def wave(x):
  return jnp.sin(x) @ jnp.cos(x)


text = jax.jit(wave).lower(jnp.ones((64, 64))).compile().as_text()
names = sorted(set(re.findall(r'(before|after)\.py', text)))
print(jax.__version__, sys.argv[0].split('/')[-1], 'names', *names)
PY
export JAX_COMPILATION_CACHE_DIR=$folder/cache JAX_PLATFORMS=cpu
run() { "$folder/venv/bin/python" "$@"; }
first=$(run "$folder/before.py")
mv "$folder/before.py" "$folder/after.py"
second=$(run "$folder/after.py")
third=$(run "$folder/after.py" 'with metadata')
printf '%s\n' "$first" "$second" "$third"
[[ $first == *'before.py names before' ]]
[[ $second == *'after.py names before' ]]
[[ $third == *'after.py names after' ]]
