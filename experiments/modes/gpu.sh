#!/usr/bin/env bash
# Rows of the tables by the full protocols, on one GPU. From the root of the
# repository:
#   experiments/modes/gpu.sh [OUT [ROW ...]]
# A row is what stands behind experiments/modes/. The default, PacGAN's own
# 100,000 steps of stacked digits with packs of two, one seed, are about 1e16
# float operations: under six minutes at 30 TFLOP/s. Not run on a GPU yet.
set -euo pipefail
out=${1:-runs/modes}
shift || true
rows=("$@")
if [ ${#rows[@]} = 0 ]; then
  rows=(stacked.py:method=pacgan2)
fi
for row in "${rows[@]}"; do
  more=()
  case $row in
    stacked.py:*protocol=r3gan*)  # 15 % of the images; all take over an hour
      more=(--config.train_steps='1500000 examples' --config.population=1) ;;
    stacked.py*) more=(--config.population=1) ;;
  esac
  folder=$out/$(sed 's|\.py:|-|; s|[:,]|-|g; s|=|_|g' <<<"$row")
  timeout 360 python -m gan_jax.main --config="experiments/modes/$row" \
    "${more[@]}" --workdir="$folder" || echo "$row: exit status $?"
done
shopt -s nullglob
runs=("$out"/*/config.json "$out"/*/member_*/config.json)
python -m gan_jax.main --mode=compare "${runs[@]%/config.json}"
