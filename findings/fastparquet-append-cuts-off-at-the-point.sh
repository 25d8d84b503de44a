#!/usr/bin/env bash
# One would guess: fastparquet.write(append=True) of a column of floats to one of
# integers is an error, as its own documentation asks for the same schema, or the
# column becomes one of floats, as in pandas.concat.
# What happens: the floats are cast to the integers of the first write, cut off at the
# point: 0.97 is appended as 0. No warning is given.
# Who is hurt: whoever appends scores during a run: a precision of 0 or a coverage of 1
# at the first step, written as an integer, makes all later ones 0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q fastparquet==2026.9.0 pandas==3.1.1 numpy==2.4.6
FOLDER="$folder" "$folder/venv/bin/python" -W error::UserWarning - <<'PY'
import os

import fastparquet
import pandas as pd

path = os.path.join(os.environ['FOLDER'], 'scores.parquet')
rows = [{'step': 0, 'precision': 0}, {'step': 100, 'precision': 0.97},
        {'step': 200, 'precision': -0.5}, {'step': 300, 'precision': 1.99}]
for i, row in enumerate(rows):
  fastparquet.write(path, pd.DataFrame([row]), append=i > 0)
found = fastparquet.ParquetFile(path).to_pandas()['precision'].tolist()
right = pd.concat([pd.DataFrame([row]) for row in rows])['precision'].tolist()
print('fastparquet', fastparquet.__version__)
print('appended:', right)
print('read:', found)
assert right == [0, 0.97, -0.5, 1.99] and found == [0, 0, 0, 1]
PY
