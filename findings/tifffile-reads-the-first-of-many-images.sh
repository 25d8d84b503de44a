#!/usr/bin/env bash
# One would guess: five images that are written to a TIFF one after the other, by
# imwrite(append=True) or by TiffWriter.write, are five images when imread reads it.
# What happens: each write starts a series of its own, though all have one shape and
# dtype, and imread returns the first series: one image, without a warning.
# TiffWriter.write(contiguous=True) adds to the series before it, and
# imread(key=slice(None)) reads all pages.
# Who is hurt: whoever keeps samples or a volume in a TIFF that grows: the set that is
# read and scored is its first image.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q tifffile==2026.3.3 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W error - <<'PY'
import numpy as np
import tifffile

images = np.random.default_rng(0).integers(0, 256, (5, 16, 16), dtype='uint8')
for image in images:
  tifffile.imwrite('append.tif', image, append=True)
for name, options in (('write', {}), ('contiguous', {'contiguous': True})):
  with tifffile.TiffWriter(f'{name}.tif') as writer:
    for image in images:
      writer.write(image, **options)
tifffile.imwrite('whole.tif', images)
print('tifffile', tifffile.__version__)
for name in ('append', 'write', 'contiguous', 'whole'):
  path = f'{name}.tif'
  read = tifffile.imread(path)
  pages = tifffile.imread(path, key=slice(None))
  print(f'{name}: imread gives {read.shape}, of all pages {pages.shape}')
  assert (pages == images).all()
  first = name in ('append', 'write')
  assert np.array_equal(read, images[0] if first else images)
PY
