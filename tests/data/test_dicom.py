"""DICOM: polarity, bits, rescale, windows, and what is refused."""

import numpy as np
import pytest
import sets
from arrays import fails, load
from image_files import GREY, encoded, put
from set_files import dicom as write

pytest.importorskip('pydicom')

DEEP = GREY.astype(np.uint16) * 16


def read(root, **options):
  source = sets.dicom(path=root, **options)
  return np.asarray(source.images[..., 0]), source.report['notices']


def test_bits_stored_and_polarity(root):
  write(root / 'a.dcm', DEEP)
  write(root / 'b', 4095 - DEEP, PhotometricInterpretation='MONOCHROME1')
  images, notices = read(root)
  wanted = np.rint(DEEP * (255 / 4095))
  np.testing.assert_array_equal(images[0], wanted)
  np.testing.assert_array_equal(images[1], wanted)
  assert any('MONOCHROME1' in line and '1 of 2' in line for line in notices)
  assert any('0 is black, 4095 white' in line for line in notices)


def test_rescaled_signed_numbers_and_one_window_of_all(root):
  """CT: Hounsfield units after slope and intercept, which differ by file."""
  units = np.array([[-1000, -160, -60], [240, 500, 1000]], np.int16)
  write(root / 'a.dcm', units + np.int16(1000), RescaleSlope=1,
        RescaleIntercept=-1000)
  write(root / 'b.dcm', units // 2, RescaleSlope=2, RescaleIntercept=0)
  images, _ = read(root, value_range=(-160, 240))
  assert images.tolist() == [[[0, 0, 64], [255, 255, 255]]] * 2
  images, notices = read(root)  # -4096 to 4094: less than a quarter used
  assert images[0, 0, 0] == 0 and images[0, 1, 2] == 255
  assert '-1000..1000' in notices[0] and 'says otherwise' in notices[0]


def test_the_window_of_each_file(root):
  write(root / 'a.dcm', DEEP, WindowCenter=2048, WindowWidth=1024)
  images, _ = read(root, window='file')
  wanted = np.clip((DEEP - 2047.5) / 1023 + 0.5, 0, 1) * 255
  np.testing.assert_allclose(images[0], wanted, atol=1)
  assert (images != read(root)[0]).any()


def test_colour_and_labels(root):
  colour = np.random.default_rng(0).integers(0, 256, (2, 6, 6, 3), np.uint8)
  for name, image in zip(('x/a.dcm', 'y/b.dcm'), colour, strict=True):
    write(root / name, image, BitsStored=8, HighBit=7,
          PhotometricInterpretation='RGB')
  source = load(name='dicom', path=str(root))
  np.testing.assert_array_equal(source.images, colour)
  assert source.class_names == ('x', 'y') and source.labels.tolist() == [0, 1]


def test_bad_files_are_all_named(root):
  write(root / 'good.dcm', DEEP)
  write(root / 'frames.dcm', DEEP, NumberOfFrames=3)
  write(root / 'nothing.dcm', DEEP, PixelData=None)
  write(root / 'short.dcm', DEEP, PixelData=b'1234')
  write(root / 'large.dcm', DEEP, Rows=60_000, Columns=60_000)
  put(root / 'empty.dcm', b'')
  put(root / 'text.dcm', b'words')
  put(root / 'cut.dcm', (root / 'good.dcm').read_bytes()[:300])
  fails('7 of 8', "'frames.dcm' 3 frames", "'nothing.dcm' no PixelData",
        "'short.dcm' damaged", "'large.dcm' too large", "'empty.dcm' empty",
        "'text.dcm' no DICOM", "'cut.dcm'",
        call=lambda: sets.dicom(path=root))
  images, _ = read(root, on_bad_image='skip', max_bad=0.9)
  np.testing.assert_array_equal(images[0], np.rint(DEEP * (255 / 4095)))


def test_an_unknown_transfer_syntax_is_a_bad_file(root):
  """One that only its manufacturer knows, and a header without any."""
  write(root / 'good.dcm', DEEP)
  data = (root / 'good.dcm').read_bytes()
  own, tag = b'1.2.840.99999.1.2.1', b'\x02\0\x10\0UI'
  assert data.count(tag) == 1
  put(root / 'own.dcm', data.replace(b'1.2.840.10008.1.2.1', own))
  put(root / 'none.dcm', data.replace(tag, b'\x02\0\x18\0UI'))
  fails('2 of 3', "'none.dcm' damaged",
        "'own.dcm' its 1.2.840.99999.1.2.1 cannot be decoded",
        call=lambda: sets.dicom(path=root))


def test_other_sets_are_named(root):
  write(root / 'a.dcm', DEEP)
  fails('use data=dicom', call=lambda: sets.folder(path=root))
  (root / 'a.dcm').unlink()
  fails('this folder is empty', call=lambda: sets.dicom(path=root))
  put(root / 'a.png', encoded(GREY))
  fails('use data=folder', call=lambda: sets.dicom(path=root))


def test_a_file_that_inflates_as_a_whole_is_refused(root):
  write(root / 'a.dcm', DEEP, deflated=True)
  fails("'a.dcm' deflated", call=lambda: sets.dicom(path=root))
