#!/usr/bin/env bash
# Speed of a run in N processes, each held to one core, and of the same in one:
#   experiments/cluster/scaling.sh N --config=configs/dcgan.py:paper --config.batch_size=64
# Prints N, the processes of each core, and the median of real images/s. More
# processes than cores share them.
set -euo pipefail
count=$1
shift
cores=$(nproc)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
port=$(python -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])')
group=()
for ((i = 0; i < count; i++)); do
  [ "$count" = 1 ] || group=(--coordinator="127.0.0.1:$port"
                             --num_processes="$count" --process_id="$i")
  JAX_PLATFORMS=cpu taskset -c $((i % cores)) python -m gan_jax.main "$@" \
    --config.sample_every=0 --config.eval_every=0 --config.checkpoint_every=0 \
    --workdir="$work/run" "${group[@]}" > "$work/$i.log" 2>&1 &
done
for ((i = 0; i < count; i++)); do
  wait -n || { tail -n 5 "$work"/*.log >&2; kill $(jobs -p); exit 1; }
done
python - "$work/run/scalars.jsonl" "$count" "$cores" "$*" <<'PYTHON'
import json
import statistics
import sys

rows = [json.loads(line) for line in open(sys.argv[1])]
speed = [row['perf/images_per_second'] for row in rows
         if 'perf/images_per_second' in row]  # not of the call that compiles
print(json.dumps({'processes': int(sys.argv[2]), 'cores': int(sys.argv[3]),
                  'run': sys.argv[4], 'rows': len(speed),
                  'images_per_second': round(statistics.median(speed), 1)}))
PYTHON
