#!/usr/bin/env bash
# Compares gan_jax with other programs and writes README.md and results.jsonl
# beside this file. From the root of the repository, in an environment with
#   pip install -r tests/parity/requirements.txt
#   experiments/parity/run.sh [FOLDER]
# FOLDER holds checkouts of the programs that tests/parity/peers.py names, at its
# commits; what is not there is cloned from GitHub. Nothing of theirs is built.
# 8 minutes on two cores.
set -euo pipefail
here=experiments/parity
export PARITY_PEERS=${1:-runs/peers}
mkdir -p "$PARITY_PEERS"
PARITY_PEERS=$(cd "$PARITY_PEERS" && pwd)
python tests/parity/peers.py | while read -r name url commit; do
  [ -d "$PARITY_PEERS/$name" ] && continue
  git init -q "$PARITY_PEERS/$name"
  git -C "$PARITY_PEERS/$name" fetch -q --depth 1 "$url" "$commit"
  git -C "$PARITY_PEERS/$name" checkout -q FETCH_HEAD
done
export PARITY_RESULTS=$PWD/$here/results.jsonl
rm -f "$PARITY_RESULTS"
python -m pytest -q -o addopts=--import-mode=importlib tests/parity
python $here/table.py < "$PARITY_RESULTS" > $here/README.md
