#!/usr/bin/env bash
# One would guess: Dataset.set_pixel_data of pydicom writes the values of an array of
# 16 bits, whatever the order of its bytes, as it does whatever its strides.
# What happens: it writes the memory as it lies, and the file says little-endian: of
# an array of '>u2' 1 becomes 256. The file is valid, the range of the values is
# checked before they are scrambled, and no warning is given.
# Who is hurt: whoever turns raw, NIfTI or FITS files of big-endian pixels, read in the
# order of the file, into DICOM: noise instead of a scan. arr.astype('uint16') first is
# right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pydicom==3.0.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import importlib.metadata
import io
import warnings

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

warnings.simplefilter('error')


def kept(array):
  """The pixels that a file has after `array` was set."""
  scan = Dataset()
  scan.file_meta = FileMetaDataset()
  scan.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
  scan.file_meta.MediaStorageSOPInstanceUID = '1.2.3'
  scan.SOPInstanceUID = '1.2.3'
  scan.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
  scan.SOPClassUID = SecondaryCaptureImageStorage
  scan.set_pixel_data(array, 'MONOCHROME2', 12)
  with io.BytesIO() as file:
    scan.save_as(file, enforce_file_format=True)
    file.seek(0)
    return pydicom.dcmread(file).pixel_array


print('pydicom', importlib.metadata.version('pydicom'))
little = np.array([[0, 1, 2, 3], [10, 20, 30, 4095]], '<u2')
big = little.astype('>u2')
assert (little == big).all()
found = {name: kept(x) for name, x in (
    ('little-endian', little), ('columns first', np.asfortranarray(little)),
    ('big-endian', big))}
print('set', little.tolist())
for name, pixels in found.items():
  print(f'{name}: {pixels.tolist()}')
assert (found['little-endian'] == little).all()
assert (found['columns first'] == little).all()
assert not (found['big-endian'][little > 0] == little[little > 0]).any()
assert found['big-endian'][0, 1] in (0, 256)
PY
