#!/usr/bin/env bash
# One would guess: EventAccumulator of TensorBoard, with which curves are read back
# from event files, gives the numbers that are in the file.
# What happens: without size_guidance it keeps 10,000 of each curve, drawn at random,
# and says nothing. Of 30,000 values two thirds are gone, the lowest among them.
# size_guidance={'scalars': 0} keeps all.
# Who is hurt: whoever takes the best score of a run, or the step where it was reached,
# from such a curve: both are of another step, and the longer run is hurt more.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q tensorboard==2.21.0 numpy==2.4.6
FOLDER="$folder" "$folder/venv/bin/python" - <<'PY'
import os

import tensorboard
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

folder = os.path.join(os.environ['FOLDER'], 'run')
writer = EventFileWriter(folder)
for step in range(30000):
  value = Summary.Value(tag='fid', simple_value=5 if step == 20000 else 20)
  writer.add_event(Event(step=step, summary=Summary(value=[value])))
writer.close()

print('tensorboard', tensorboard.__version__)
found = {}
for name, kwargs in (('as it is', {}), ('all', {'size_guidance': {'scalars': 0}})):
  accumulator = EventAccumulator(folder, **kwargs)
  accumulator.Reload()
  curve = accumulator.Scalars('fid')
  found[name] = len(curve), min(x.value for x in curve)
  print(f'EventAccumulator(folder, {kwargs}): {len(curve):,} values of 30,000,',
        f'the lowest {found[name][1]:g}')
assert found == {'as it is': (10000, 20), 'all': (30000, 5)}
PY
