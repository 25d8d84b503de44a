#!/usr/bin/env bash
# One would guess: polars.DataFrame of a list of dicts keeps the numbers that are in it,
# or raises: its default, strict=True, promises an error where a value is not of the
# column's type, given or inferred.
# What happens: the type is that of the first hundred rows, and what follows is cast to
# it without a word: after a hundred whole numbers 0.97 is 0. read_ndjson of the same
# rows raises. infer_schema_length=None is right.
# Who is hurt: whoever reads a run's log line by line with json: a probability of
# augmentation, a penalty, a learning rate in warm-up begins with 0, not with 0.0, and
# stays 0 in the table and in the figure.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q polars==2.1.0
"$folder/venv/bin/python" -W error - <<'PY'
import io
import json

import polars as pl

lines = [json.dumps({'step': step, 'augment': 0 if step < 100 else 0.97})
         for step in range(200)]
rows = [json.loads(line) for line in lines]


def mean(frame):
  return frame.filter(pl.col('step') >= 100)['augment'].mean()


found = {'DataFrame(rows)': mean(pl.DataFrame(rows)),
         'DataFrame(rows, strict=True)': mean(pl.DataFrame(rows, strict=True)),
         'from_dicts(rows)': mean(pl.from_dicts(rows))}
right = mean(pl.DataFrame(rows, infer_schema_length=None))
print('polars', pl.__version__, '- 100 rows of 0, then 100 rows of 0.97')
for name, value in found.items():
  print(f'{name}: the mean of the last 100 is {value}')
print(f'with infer_schema_length=None: {right:.2f}')
assert set(found.values()) == {0.0} and abs(right - 0.97) < 1e-9
try:
  pl.read_ndjson(io.StringIO('\n'.join(lines)))
  raise SystemExit('read_ndjson does not raise')
except pl.exceptions.ComputeError as error:
  print('read_ndjson raises:', error)
PY
