"""Writes small files of the formats that data sets come in.

The libraries of some are optional, so they are imported where they are needed.
"""

import io
import json
import tarfile
import zipfile


def zipped(path, members, compression=zipfile.ZIP_STORED):
  with zipfile.ZipFile(path, 'w', compression) as archive:
    for name, content in members.items():
      archive.writestr(name, content)
  return str(path)


def tarred(path, members, form=''):
  with tarfile.open(path, f'w{form}') as archive:
    for name, content in members.items():
      member = tarfile.TarInfo(name)
      member.size = len(content)
      archive.addfile(member, io.BytesIO(content))
  return str(path)


def hdf5(path, chunks=None, **arrays):
  import h5py
  with h5py.File(path, 'w') as file:
    for name, array in arrays.items():
      more = dict(compression='gzip', chunks=(chunks, *array.shape[1:])) if (
          chunks) else {}
      file.create_dataset(name, data=array, **more)
  return str(path)


def parquet(path, columns, features=None, **options):
  import pyarrow as pa
  import pyarrow.parquet as pq
  table = pa.table(columns)
  if features:
    table = table.replace_schema_metadata({'huggingface': json.dumps(
        {'info': {'features': features}})})
  pq.write_table(table, path, **options)
  return str(path)


def lmdb(path, values):
  import lmdb as library
  with library.open(str(path), map_size=1 << 24) as env:
    with env.begin(write=True) as transaction:
      for key, value in values.items():
        transaction.put(key, value)
  return path


def dicom(path, pixels, *, deflated=False, **tags):
  """A file of 12 bits in 16, unless `tags` say otherwise."""
  import pydicom
  found = pydicom.Dataset()
  found.file_meta = pydicom.dataset.FileMetaDataset()
  found.file_meta.TransferSyntaxUID = (
      pydicom.uid.DeflatedExplicitVRLittleEndian if deflated else
      pydicom.uid.ExplicitVRLittleEndian)
  found.SOPClassUID = '1.2.840.10008.5.1.4.1.1.1.1'
  found.SOPInstanceUID = pydicom.uid.generate_uid()
  found.file_meta.MediaStorageSOPClassUID = found.SOPClassUID
  found.file_meta.MediaStorageSOPInstanceUID = found.SOPInstanceUID
  found.Rows, found.Columns = pixels.shape[:2]
  found.SamplesPerPixel = 1 if pixels.ndim == 2 else 3
  if pixels.ndim == 3:
    found.PlanarConfiguration = 0
  found.PixelRepresentation = int(pixels.dtype.kind == 'i')
  found.BitsAllocated = 8 * pixels.dtype.itemsize
  found.BitsStored, found.HighBit = 12, 11
  found.PhotometricInterpretation = 'MONOCHROME2'
  found.PixelData = pixels.tobytes()
  for name, value in tags.items():
    if value is None:
      delattr(found, name)
    else:
      setattr(found, name, value)
  path.parent.mkdir(parents=True, exist_ok=True)
  found.save_as(path, enforce_file_format=True)
