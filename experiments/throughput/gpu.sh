#!/usr/bin/env bash
# What is to be known of one GPU, in six minutes at most, a JSON line each:
#   experiments/throughput/gpu.sh                all parts, to results.jsonl
#   experiments/throughput/gpu.sh mlp command    these parts only
#   experiments/throughput/gpu.sh --rehearse     on CPU with tiny numbers, to a
#                                                temporary file
# RESULTS=FILE takes the lines instead. Each part has a time limit of its own:
# one that fails does not take the others. Failed and skipped parts are named at
# the end, and the exit status is 1 then.
set -uo pipefail
cd "$(dirname "$0")/../.."
here=experiments/throughput
tiny=() members=8 config=configs/dcgan.py steps=400 patience=1
peer=torch_graph needs='import torch; assert torch.cuda.is_available()'
if [ "${1:-}" = --rehearse ]; then
  shift
  export JAX_PLATFORMS=cpu
  RESULTS=${RESULTS:-$(mktemp)}
  tiny=(--tiny --calls=1) members=2 config=$config:quick steps=4 patience=5
  peer=torch needs='import torch'
fi
results=${RESULTS:-$here/results.jsonl}
chosen=("$@")
if ! python -c "$needs" 2> /dev/null; then
  echo 'no PyTorch for this device: the peer is left out' >&2
  peer=none
fi
deadline=$((SECONDS + 360 * patience)) missed=()

part() {  # NAME SECONDS SCRIPT ARGUMENTS...
  local name=$1 limit=$(($2 * patience)) script=$here/$3
  local left=$((deadline - SECONDS))
  shift 3
  known+=("$name")
  if ((${#chosen[@]})) && [[ " ${chosen[*]} " != *" $name "* ]]; then
    return
  fi
  if ((left < 10)); then
    missed+=("$name (no time left)")
    return
  fi
  ((limit < left)) || limit=$left
  echo "== $name, $limit s at most" >&2
  timeout -k 5 "$limit" python "$script" "$@" >> "$results" ||
    missed+=("$name (status $?, 124 is the time limit)")
}

known=()
# What is known least comes first, should the time not suffice.
part dcgan64 60 benchmark.py --case=dcgan64 --peer=$peer --rounds=3 \
  "${tiny[@]}"
part dcgan64_bfloat16 60 benchmark.py --case=dcgan64 --peer=$peer --rounds=3 \
  --dtype=bfloat16 "${tiny[@]}"
part r3gan 90 benchmark.py --case=r3gan --peer=none --rounds=3 "${tiny[@]}"
for case in dcgan32 mlp ring; do
  part population_$case 60 benchmark.py --case=$case --population=$members \
    --rounds=3 "${tiny[@]}"
done
part command 120 bits.py --check=command --config=$config
part bits_deterministic 120 bits.py --check=bits --config=$config \
  --steps=$steps --deterministic
part bits 120 bits.py --check=bits --config=$config --steps=$steps
for case in dcgan32 mlp wgan_gp32; do
  part $case 60 benchmark.py --case=$case --peer=$peer --rounds=3 "${tiny[@]}"
done

for name in "${chosen[@]}"; do
  [[ " ${known[*]} " == *" $name "* ]] ||
    missed+=("$name (no such part: ${known[*]})")
done
echo "$SECONDS s, lines in $results" >&2
if ((${#missed[@]})); then
  printf 'missed: %s\n' "${missed[@]}" >&2
  exit 1
fi
