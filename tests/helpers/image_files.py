"""Image files, whole and broken, and folders that fail."""

import io
import os
import struct
import zlib

import arrays
import numpy as np
from PIL import Image
from sets import folder

from gan_jax.data.geometry import Geometry

GREY = np.array([[0, 50, 100], [150, 200, 255]], np.uint8)
RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
NOISE = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
SMALL = Geometry(resize=(8, 8))
OLD = 1_600_000_000  # seconds: long before any test


def encoded(image, form='PNG', **more):
  file = io.BytesIO()
  if isinstance(image, np.ndarray):
    image = Image.fromarray(image)
  image.save(file, form, **more)
  return file.getvalue()


def put(path, data, when=OLD):
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_bytes(data)
  os.utime(path, (when, when))


def chunk(name, data):
  return (struct.pack('>I', len(data)) + name + data
          + struct.pack('>I', zlib.crc32(name + data)))


def png_header(width, height, bits=8, colour=0):
  head = struct.pack('>IIBBBBB', width, height, bits, colour, 0, 0, 0)
  return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', head)
          + chunk(b'IDAT', zlib.compress(b'')) + chunk(b'IEND', b''))


def fails(*words, **kwargs):
  """The folder set ends in one DataError that has all the words."""
  arrays.fails(*words, call=lambda: folder(**kwargs))


def only(root, data, **geometry):
  """The one image of a folder that holds one file."""
  put(root / 'one.png', data)
  return np.asarray(
      folder(path=root, geometry=Geometry(**geometry)).images[0])
