#!/usr/bin/env bash
# One run in N processes on this machine:
#   experiments/cluster/local.sh N --config=configs/dcgan.py --workdir=runs/a
# Each process takes one GPU, of CUDA_VISIBLE_DEVICES if that is set, and else
# the CPU. A signal to this script stops the run as one to the program does. The
# exit status is the leader's; or, if that is 0, the first other one.
set -m  # Or the processes would be deaf to Ctrl-C.
count=$1
shift
port=${PORT:-$(python -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])')}
pids=()
IFS=, read -ra gpus <<< "${CUDA_VISIBLE_DEVICES:-}"
for ((i = 0; i < count; i++)); do
  if command -v nvidia-smi > /dev/null; then
    export CUDA_VISIBLE_DEVICES=${gpus[i]:-$i}
  fi
  python -m gan_jax.main "$@" --coordinator="127.0.0.1:$port" \
    --num_processes="$count" --process_id="$i" &
  pids+=($!)
done
for signal in TERM INT USR1; do
  # One is enough: it tells the others.
  trap 'kill -s '$signal' "${pids[0]}"' $signal
done
status=0
for pid in "${pids[@]}"; do
  while kill -0 "$pid" 2> /dev/null; do
    wait "$pid"  # A trap ends it early.
  done
  wait "$pid"
  ended=$?
  [ "$status" -ne 0 ] || status=$ended
done
exit "$status"
