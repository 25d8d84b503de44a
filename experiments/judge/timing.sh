#!/usr/bin/env bash
# Wall time of a verdict beside that of as many lone runs, one after the other:
#   experiments/judge/timing.sh OUT [BUDGET]     on an otherwise idle machine
# Plays one verdict (15m by default), then one lone run of each game of each
# task by the command that the verdict names, and prints: seconds of the
# verdict; of a lone run of each game; of as many lone runs as the verdict
# played (16 of each game: 8 to tune, 8 to test); their ratio.
set -e
out=$1
budget=${2:-15m}
cd "$(dirname "$0")/../.."
python=$(command -v python)
mkdir -p "$out"
time_of() {  # seconds of a command, whose output goes to a log
  local start
  start=$(date +%s.%N)
  "$@" >> "$out/log.txt" 2>&1
  echo "$(date +%s.%N) - $start" | bc
}
verdict=$(time_of "$python" -m gan_jax.main --mode=judge --idea=penalty=lecam \
  --budget="$budget" --workdir="$out/verdict")
echo "verdict: $verdict s of $budget"
total=0
count=0
while read -r line; do
  eval "set -- $line"
  shift  # python
  # As the verdict plays it: scored once, without pictures on the way.
  seconds=$(time_of "$python" "$@" --config.sample_every=0 \
    --config.checkpoint_every=0 '--config.loggers=()' --config.eval_every=100% \
    --workdir="$out/alone_$count")
  echo "$seconds s: $line"
  total=$(echo "$total + 16 * $seconds" | bc)
  count=$((count + 1))
done < <(grep '^python' "$out/verdict/verdict.md")
echo "$((16 * count)) lone runs: $total s, that is \
$(echo "scale=2; $total / $verdict" | bc) times the verdict"
