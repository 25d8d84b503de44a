#!/usr/bin/env bash
# One would guess: a PIL image in a row of Hugging Face datasets, given to from_dict or
# returned by the function of map, is stored with the pixels that it has.
# What happens: an image that Image.open made of a file still knows the file's name,
# also after thumbnail, paste, putalpha or ImageDraw, which change it in place. Only the
# name is stored, and the file is read again: the change is lost, without a warning.
# resize, crop and convert make new images and are kept.
# Who is hurt: whoever makes images smaller by thumbnail, or covers faces or marks, in
# map: the data set has the old sizes, and the faces.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q datasets==5.2.0 pillow==13.0.0 numpy==2.4.6
export HF_HOME="$folder/home" HF_HUB_OFFLINE=1 HF_DATASETS_DISABLE_PROGRESS_BARS=1
FOLDER="$folder" "$folder/venv/bin/python" - <<'PY'
import os

import datasets
import numpy as np
from PIL import Image, ImageDraw

datasets.disable_progress_bars()


def thumbnail(image):
  image.thumbnail((16, 16))
  return image


def cover(image):
  ImageDraw.Draw(image).rectangle((0, 0, 63, 63), fill=(0, 0, 0))
  return image


def resize(image):
  return image.resize((16, 16))


def describe(image):
  return image.size, float(np.asarray(image).mean())


path = os.path.join(os.environ['FOLDER'], 'light.png')
Image.new('RGB', (64, 64), (200, 200, 200)).save(path)
rows = datasets.Dataset.from_dict({'image': [path]})
rows = rows.cast_column('image', datasets.Image())
kind = datasets.Features(image=datasets.Image())
print('datasets', datasets.__version__)
for change, kept in ((thumbnail, False), (cover, False), (resize, True)):
  right = describe(change(Image.open(path)))
  given = {'image': [change(Image.open(path))]}
  stored = datasets.Dataset.from_dict(given, features=kind)[0]['image']
  mapped = rows.map(lambda row, f=change: {'image': f(row['image'])})[0]['image']
  print(f'{change.__name__}: {right}, stored {describe(stored)},',
        f'mapped {describe(mapped)}')
  for image in (stored, mapped):
    assert describe(image) == (right if kept else ((64, 64), 200.0))
PY
