"""DICOM: X-rays, slices of CT and MR, as images."""

import io
from typing import Literal, NamedTuple

import numpy as np

from gan_jax.data import images, values
from gan_jax.data.bad_files import Reading
from gan_jax.data.blocks import package
from gan_jax.data.collection import Form
from gan_jax.data.files import reason
from gan_jax.data.geometry import Geometry
from gan_jax.data.images import BadImageError
from gan_jax.data.prepare import Source
from gan_jax.data.sources.folder import find, load
from gan_jax.data.values import Scale

# A transfer syntax that inflates to anything before a header can be seen.
_DEFLATED, _HEAD = b'1.2.840.10008.1.2.1.99', 1000
# Those of pixels that are not compressed; '' where a file names none.
_UNPACKED = ('', '1.2.840.10008.1.2', '1.2.840.10008.1.2.1',
             '1.2.840.10008.1.2.2')


def dicom(*, path, labels='folders', label_key='', split='',
          window: Literal['none', 'file'] = 'none', reading=Reading(),
          scale=Scale(), geometry=Geometry()) -> Source:
  """The DICOM files of one frame below a folder, as `folder` reads images.

  Found by suffix (.dcm, .dicom) or content. Numbers are those after rescale
  slope and intercept or the modality LUT; black and white are the ends of what
  BitsStored can hold, or of the set where it uses less than a quarter of that.
  MONOCHROME1 (0 is white) is inverted.

  Args:
    path: the folder, or one file.
    labels: as of `folder`.
    label_key: as of `folder`.
    split: as of `folder`.
    window: 'file' applies the VOI LUT or the first window of each file, as a
      viewer would; for one window (centre, width) of all, value_range.
    reading: as of `folder`.
    scale: in numbers after the rescale, such as value_range=(-160, 240) in
      Hounsfield units.
    geometry: applied to every image.

  Raises:
    DataError: pydicom is not installed, or a problem of the files.
  """
  codec = _Codec(package('pydicom', 'dicom'), package('pydicom.pixels',
                                                      'dicom'), window)
  root, files, _, notices = find(path, 'dicom')
  return load(root, files, labels, label_key, split, reading=reading,
              scale=scale, geometry=geometry, notices=notices,
              form=Form(codec, options=('dicom', window)))


class _Codec(NamedTuple):
  """Bytes of a DICOM file -> pixels; see `collection.load`."""
  pydicom: object
  pixels: object
  window: str

  def read_header(self, data):
    found = self._open(data)
    try:
      return _header(found)
    except BadImageError:
      raise
    except Exception as error:  # values are parsed when they are asked for
      raise BadImageError(f'damaged header ({reason(error)})') from error

  def span(self, data):
    return self._read(data)[1]

  def decode(self, data, black, white, dtype):
    array, _, inverted = self._read(data)
    array = values.scaled(array, black, white, dtype)
    array = np.atleast_3d(array)
    return 255 - array if inverted else array

  def _open(self, data):
    if not data:
      raise BadImageError('empty (0 bytes)')
    if _DEFLATED in data[:_HEAD]:
      raise BadImageError('deflated as a whole, so that its size is not known: '
                          'inflate it (dcmconv +te)')
    try:
      return self.pydicom.dcmread(io.BytesIO(data))
    except Exception as error:  # a damaged file makes it raise anything
      what = ('damaged or truncated' if data[128:132] == b'DICM' else
              'no DICOM file')
      raise BadImageError(f'{what} ({reason(error)})') from error

  def _read(self, data):
    """Pixels, their span, whether 0 is white."""
    found = self._open(data)
    try:
      inverted = found.PhotometricInterpretation == 'MONOCHROME1'
      array = found.pixel_array
      array, black, white = self._scaled(found, array)
    except Exception as error:
      # It may be missing, or a manufacturer's own, of which pydicom knows
      # nothing.
      syntax = found.file_meta.get('TransferSyntaxUID') or (
          self.pydicom.uid.UID(''))
      what = ('damaged or truncated' if syntax in _UNPACKED else
              f'its {syntax.name} cannot be decoded')
      if 'missing dependencies' in str(error):
        what = (f"no decoder for its {syntax.name}: pip install "
                f"'gan_jax[dicom]'")
      raise BadImageError(f'{what} ({reason(error)})') from error
    return array, values.span('stored', array, black, white), inverted

  def _scaled(self, found, array):
    """Pixels in their units, and the ends of the range that they may have."""
    if found.PhotometricInterpretation == 'PALETTE COLOR':
      array = self.pixels.apply_color_lut(array, found)
      return array, 0, np.iinfo(array.dtype).max
    if found.SamplesPerPixel == 3:
      return array, 0, 2 ** found.BitsStored - 1
    ends = np.array([0, 2 ** found.BitsStored - 1])
    if found.PixelRepresentation:
      ends -= 2 ** (found.BitsStored - 1)
    if lut := found.get('ModalityLUTSequence'):
      array = self.pixels.apply_modality_lut(array, found)
      ends = np.array([0, 2 ** lut[0].LUTDescriptor[2] - 1])
    else:
      slope = float(found.get('RescaleSlope', 1) or 1)
      intercept = float(found.get('RescaleIntercept', 0) or 0)
      if (slope, intercept) != (1, 0):
        array, ends = (x * slope + intercept for x in (array, ends))
    if self.window == 'file':
      array = self.pixels.apply_voi_lut(array, found)
      if lut := found.get('VOILUTSequence'):
        ends = np.array([0, 2 ** lut[0].LUTDescriptor[2] - 1])
    return array, float(ends.min()), float(ends.max())


def _header(found) -> images.Header:
  missing = [name for name in (
      'Rows', 'Columns', 'PixelData', 'BitsStored', 'SamplesPerPixel',
      'PhotometricInterpretation', 'PixelRepresentation') if name not in found]
  if missing:
    kind = getattr(found.get('SOPClassUID'), 'name', 'unknown')
    raise BadImageError(f'no {missing[0]} in it: not an image, but {kind}')
  frames = int(found.get('NumberOfFrames') or 1)
  if frames != 1:
    raise BadImageError(f'{frames} frames: only files of one are read; split '
                        f'it, or save the frames as npz')
  images.check_size(found.Columns, found.Rows)
  inverted = found.PhotometricInterpretation == 'MONOCHROME1'
  colour = found.SamplesPerPixel == 3 or (
      found.PhotometricInterpretation == 'PALETTE COLOR')
  return images.Header(found.Rows, found.Columns, colour,
                       ('inverted',) if inverted else (), 'stored')
