#!/usr/bin/env bash
# One would guess: the number of workers changes how fast a grain.DataLoader is,
# not how much it gives: 100 examples in batches of 30, drop_remainder=True, are
# three batches.
# What happens: each worker takes its share of the examples and batches it alone.
# Two workers give two batches, four give none: a share of 25 is a remainder.
# IterDataset.batch before mp_prefetch does the same. MapDataset.batch is right.
# Who is hurt: small sets, large batches, many cores: an epoch shrinks with each
# worker, and a loop over it may end without one step and without an error.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q grain==0.2.18
cat > "$folder/workers.py" <<'PY'
import importlib.metadata

import grain
from absl import app


def loader(workers):
  sampler = grain.samplers.IndexSampler(
      100, grain.sharding.NoSharding(), num_epochs=1)
  return grain.DataLoader(
      data_source=range(100), sampler=sampler, worker_count=workers,
      operations=[grain.transforms.Batch(30, drop_remainder=True)])


def dataset(workers, first):
  one = grain.MapDataset.range(100)
  if first == 'batch':
    one = one.batch(30, drop_remainder=True).to_iter_dataset()
  else:
    one = one.to_iter_dataset().batch(30, drop_remainder=True)
  options = grain.MultiprocessingOptions(workers)
  return one.mp_prefetch(options) if workers else one


def main(_):
  print('grain', importlib.metadata.version('grain'))
  made = {'DataLoader': loader,
          'to_iter_dataset, then batch': lambda n: dataset(n, 'iter'),
          'batch, then to_iter_dataset': lambda n: dataset(n, 'batch')}
  found = {name: [sum(1 for _ in make(n)) for n in (0, 2, 4)]
           for name, make in made.items()}
  for name, batches in found.items():
    print(f'{name}: batches with 0, 2 and 4 workers: {batches}')
  assert list(found.values()) == [[3, 2, 0], [3, 2, 0], [3, 3, 3]]


if __name__ == '__main__':
  app.run(main)
PY
"$folder/venv/bin/python" "$folder/workers.py" 2> "$folder/log"
