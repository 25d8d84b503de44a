#!/usr/bin/env bash
# One would guess: download_and_prepare with file_format='parquet' keeps every
# example, as array_record and tfrecord do, or fails.
# What happens: it succeeds, says that it has written all of them, and the files
# hold a part of them: each batch of rows overwrites the one before it.
# Who is hurt: whoever prepares a set as parquet to read it without TensorFlow:
# he trains on a fraction of his data.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q tensorflow-datasets==4.9.9 importlib_resources==6.5.2 pyarrow==21.0.0 pandas==2.3.3
mkdir "$folder/code"
cat > "$folder/code/numbers_set.py" <<'PY'
import glob
import importlib.metadata
import os

import numpy as np
import pyarrow.parquet as pq
import tensorflow_datasets as tfds

COUNT = 5000


class Numbers(tfds.core.GeneratorBasedBuilder):
  VERSION = tfds.core.Version('1.0.0')

  def _info(self):
    return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(
        {'x': tfds.features.Scalar(np.int64)}))

  def _split_generators(self, dl_manager):
    return {'train': self._generate_examples()}

  def _generate_examples(self):
    for i in range(COUNT):
      yield i, {'x': i}


builder = Numbers(data_dir=os.environ['FOLDER'], file_format='parquet')
builder.download_and_prepare()
files = glob.glob(os.path.join(builder.data_dir, '*.parquet*'))
rows = sum(pq.read_metadata(f).num_rows for f in files)
print('tensorflow-datasets', importlib.metadata.version('tensorflow-datasets'))
print('examples given:', COUNT, 'said:',
      builder.info.splits['train'].num_examples, 'rows in the files:', rows)
assert rows < COUNT
PY
FOLDER="$folder" "$folder/venv/bin/python" "$folder/code/numbers_set.py"
