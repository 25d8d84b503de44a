"""Hostile images, and a hostile cache: no code of theirs runs."""

import io
import pathlib
import pickle

import numpy as np
import pytest
import sets
from arrays import fails
from canary import Canary
from extractor_data import source_of
from PIL import Image, PngImagePlugin

from gan_jax import extractors
from gan_jax.data import cache
from gan_jax.evaluators.scores import features_of_data


def postscript(canary):
  """An EPS of 8 x 8: Pillow gives it to Ghostscript, if one lets it."""
  return (b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n'
          b'(%pipe%mkdir ' + str(canary).encode() + b') (w) file\nshowpage\n')


def encoded(kind='PNG', **more):
  file = io.BytesIO()
  Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(
      file, kind, **more)
  return file.getvalue()


@pytest.mark.parametrize('suffix', ['png', 'jpg', 'tif', 'webp'])
def test_an_image_runs_no_code(root, tmp_path, suffix):
  """What its content says, and not its suffix, is a format that is read."""
  canary = tmp_path / 'canary'
  hostile = {
      'eps': postscript(canary),
      'pickle': pickle.dumps(Canary(canary)),
      'pickle0': pickle.dumps(Canary(canary), 0),
      'python': f'import os\nos.mkdir({str(canary)!r})\n'.encode(),
      'shell': f'#!/bin/sh\nmkdir {canary}\n'.encode(),
      'svg': b'<svg xmlns="http://www.w3.org/2000/svg"><script>x</script></svg>',
      'mvg': b"push graphic-context\nfill 'url(https://x/\"|mkdir "
             + str(canary).encode() + b"\")'\n"}
  (root / f'good.{suffix}').write_bytes(encoded())
  for name, data in hostile.items():
    (root / f'{name}.{suffix}').write_bytes(data)
  fails(*(f'{name}.{suffix}' for name in hostile),
        call=lambda: sets.folder(path=str(root)))
  kept = sets.folder(path=str(root), on_bad_image='skip', max_bad=0.9)
  assert len(kept.images) == 1 and len(kept.report['refused']) == len(hostile)
  assert not canary.exists()
  # Left to itself, Pillow would have taken the first one for its own.
  assert Image.open(io.BytesIO(hostile['eps'])).format == 'EPS'
  pickle.loads(hostile['pickle'])
  assert canary.exists()  # The canary does sing.


def test_what_an_image_carries_along_runs_no_code(root, tmp_path):
  """Texts, EXIF and profiles are bytes, whatever they hold."""
  canary = tmp_path / 'canary'
  hostile = pickle.dumps(Canary(canary), 0)
  texts = PngImagePlugin.PngInfo()
  texts.add_text('x', hostile.decode('latin-1'), zip=True)
  texts.add_itxt('XML:com.adobe.xmp', '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///'
                 'etc/passwd">]><x>&a;</x>')
  for name, data in (('text', encoded(pnginfo=texts)),
                     ('exif', encoded(exif=b'Exif\0\0' + hostile)),
                     ('profile', encoded('TIFF', icc_profile=hostile)),
                     ('comment', encoded('JPEG', comment=hostile)),
                     ('appended', encoded() + hostile)):
    (root / f'{name}.png').write_bytes(data)
  found = sets.folder(path=str(root))
  assert found.images.shape == (5, 8, 8, 1) and not canary.exists()


@pytest.mark.parametrize('attack', [
    'features', 'logits', 'pickle', 'pickle0', 'npy', 'no array'])
def test_hostile_features_run_no_code_and_are_made_again(tmp_path, attack):
  canary = tmp_path / 'canary'
  source, rows = source_of(), np.arange(40)
  wanted = features_of_data(extractors.random(), source, rows)
  path, = pathlib.Path(cache.root(), 'extractors').glob('features-*')
  good = path.read_bytes()
  hostile = np.empty(len(rows), object)
  hostile[:] = [Canary(canary)] * len(rows)
  with open(path, 'wb') as file:
    if attack == 'features':
      np.savez(file, features=hostile)
    elif attack == 'logits':
      np.savez(file, features=wanted.features, logits=hostile)
    elif attack == 'npy':
      np.save(file, hostile, allow_pickle=True)
    elif attack == 'no array':
      np.savez(file, other=wanted.features)
    else:
      pickle.dump(hostile, file, 0 if attack == 'pickle0' else 4)
  found = features_of_data(extractors.random(), source, rows)
  np.testing.assert_array_equal(found.features, wanted.features)
  assert found.logits is None and not canary.exists()
  assert path.read_bytes() == good
  pickle.loads(pickle.dumps(hostile[0]))
  assert canary.exists()  # The canary does sing.
