#!/usr/bin/env bash
# One run in N processes under any MPI launcher:
#   experiments/cluster/mpirun.sh N --config=configs/dcgan.py --workdir=runs/a
# Options of mpirun itself, such as a list of hosts, stand in MPIRUN_ARGS;
# COORDINATOR=HOST:PORT names the host of rank 0, if it is not this one. (Open
# MPI 4 needs none of this: mpirun -n N python -m gan_jax.main ...; of Open MPI
# 5 and MPICH, JAX does not find out the address.)
set -euo pipefail
count=$1
shift
coordinator=${COORDINATOR:-$(hostname -I | cut -d' ' -f1):${PORT:-52525}}
# An argument: launchers hand the environment to this host's ranks only.
# shellcheck disable=SC2016,SC2086  # Ranks expand it; several options.
exec mpirun -n "$count" ${MPIRUN_ARGS:-} bash -c '
  exec python -u -m gan_jax.main "$@" --coordinator="$0" \
    --num_processes="${OMPI_COMM_WORLD_SIZE:-$PMI_SIZE}" \
    --process_id="${OMPI_COMM_WORLD_RANK:-$PMI_RANK}"' "$coordinator" "$@"
