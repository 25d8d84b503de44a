#!/usr/bin/env bash
# One would guess: two SummaryWriters in one folder write two event files, so
# that a run that is restarted at once keeps its curves apart.
# What happens: the file is named by the second and the host. Two writers that
# are opened within one second write to the same file, and the later one
# truncates what the first has written.
# Who is hurt: sweeps and tests that start several short runs in a second: one
# run's curves are lost, without an error.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q tensorboardX==2.6.5 tensorboard==2.20.0
FOLDER="$folder/log" "$folder/venv/bin/python" - <<'PY'
import importlib.metadata
import os
import time

from tensorboard.backend.event_processing.event_accumulator import (
    EventAccumulator,
)
from tensorboardX import SummaryWriter

folder = os.environ['FOLDER']
time.sleep(1 - time.time() % 1)  # The beginning of a second.
for tag in ('first', 'second'):
  with SummaryWriter(folder) as writer:
    writer.add_scalar(tag, 1.0, 1)
files = os.listdir(folder)
events = EventAccumulator(folder)
events.Reload()
print('tensorboardX', importlib.metadata.version('tensorboardX'))
print('files:', len(files), 'scalars that are left:', events.Tags()['scalars'])
assert len(files) == 1 and 'first' not in events.Tags()['scalars']
PY
