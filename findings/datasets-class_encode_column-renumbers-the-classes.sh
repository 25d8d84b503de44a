#!/usr/bin/env bash
# One would guess: class_encode_column of Hugging Face datasets makes a ClassLabel of
# integers that leaves class 2 class 2, and all splits of one DatasetDict alike.
# What happens: the integers become texts, and the texts are sorted: of twelve
# classes 10 becomes 2, and 2 becomes 4. With up to ten nothing changes. Each split is
# sorted alone: where a small one lacks a class, all that follow move down by one.
# Who is hurt: whoever gives such labels to a conditional generator or to a classifier
# that was trained on the numbers, or tests on the other split: the numbers are valid,
# and name other classes. cast_column with a ClassLabel of one's own keeps them.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q datasets==5.2.0 numpy==2.4.6
HF_HOME="$folder" HF_HUB_OFFLINE=1 "$folder/venv/bin/python" - <<'PY' 2> "$folder/log"
import datasets


def encoded(**splits):
  """The labels of each split before and after, as pairs."""
  made = datasets.DatasetDict({
      name: datasets.Dataset.from_dict({'label': list(labels)})
      for name, labels in splits.items()}).class_encode_column('label')
  return {name: dict(zip(labels, made[name]['label'][:]))
          for name, labels in splits.items()}


print('datasets', datasets.__version__)
ten, twelve = encoded(train=range(10)), encoded(train=range(12), test=[0, 2, 11])
print('ten classes:', ten['train'])
print('twelve classes:', twelve['train'])
print('the test split, which has 0, 2 and 11:', twelve['test'])
cast = datasets.Dataset.from_dict({'label': list(range(12))}).cast_column(
    'label', datasets.ClassLabel(num_classes=12))
print('by cast_column:', cast['label'][:])
assert ten['train'] == {i: i for i in range(10)}
assert [twelve['train'][i] for i in (0, 1, 2, 3, 9, 10, 11)] == [0, 1, 4, 5, 11, 2, 3]
assert twelve['test'] == {0: 0, 11: 1, 2: 2}
assert cast['label'][:] == list(range(12))
PY
