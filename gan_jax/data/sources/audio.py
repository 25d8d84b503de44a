"""Recordings as signals."""

import os

from gan_jax.base.errors import ArgumentError, DataError
from gan_jax.data.bad_files import Reading
from gan_jax.data.blocks import package
from gan_jax.data.collection import File, Form
from gan_jax.data.files import reason
from gan_jax.data.prepare import Source
from gan_jax.data.sources.folder import find, load
from gan_jax.data.sources.rows import Codec
from gan_jax.data.values import Scale


def audio(*, path, length=16384, first_only=False, mono=True, labels='folders',
          label_key='', split='', reading=Reading(), scale=Scale()) -> Source:
  """The recordings below a folder, cut into pieces, float32 [N, length, C].

  WAV, FLAC, OGG, MP3 and AIFF, found by suffix or content. A rest shorter than
  a piece is left out, unless it is all there is: then silence follows it.

  Args:
    path: the folder, or one recording.
    length: samples of a piece; WaveGAN's 16,384 are a second at 16,000 Hz.
    first_only: only the first piece of each, as of spoken words.
    mono: the mean of the channels; otherwise all need equally many.
    labels: as of `folder`; the label of a recording is that of its pieces.
    label_key: as of `folder`.
    split: as of `folder`.
    reading: as of `folder`.
    scale: value_range=(-0.1, 0.1) makes quiet recordings louder.

  Raises:
    DataError: soundfile is not installed, or a problem of the files, such as
      several rates.
  """
  if length < 2:
    raise ArgumentError('length', length, 'must be 2 samples or more')
  library = package('soundfile', 'audio')
  root, files, _, notices = find(path, 'audio')
  heads = [_head(library, root, file) for file in files]
  rate, channels = _alike(root, heads, mono)
  pieces, short = [], 0
  for file, head in zip(files, heads, strict=True):
    count = max(1, head.frames // length) if head and not first_only else 1
    short += bool(head) and head.frames < length
    pieces += [file._replace(path=f'{file.path}@{i}', size=min(
        file.size, 4 * length * (head.channels if head else 1)))
               for i in range(count)]
  if short:
    notices.append(f'{short:,} of {len(files):,} recordings are shorter than '
                   f'{length:,} samples: silence follows them')

  def read(name):
    file, _, place = name.rpartition('@')
    try:
      with library.SoundFile(os.path.join(root, file)) as sound:
        sound.seek(int(place) * length)
        found = sound.read(length, 'float32', always_2d=True, fill_value=0)
    except (OSError, RuntimeError) as error:
      raise OSError(0, f'damaged: {reason(error)}') from error
    return (found.mean(1, keepdims=True) if mono else found).astype(
        '<f4').tobytes()

  codec = Codec((length, channels), '<f4', False, 'signals')
  form = Form(codec, codec.shape, ('audio', length, mono), rate)
  return load(root, pieces, labels, label_key, split, reading=reading,
              scale=scale, notices=notices, form=form, read=read,
              of=lambda name: name.rpartition('@')[0])


def _alike(root, heads, mono) -> tuple[float, int]:
  """Rate and number of channels of the pieces; DataError if these differ."""
  rates = {head.samplerate for head in heads if head}
  channels = {head.channels for head in heads if head}
  for what, found, fix in (
      ('rates', rates, 'convert them to one'),
      ('numbers of channels', set() if mono else channels,
       'convert them to one, or use mono=True')):
    if len(found) > 1:
      raise DataError(f'{root!r}: recordings of {len(found)} {what} '
                      f'({", ".join(f"{x:,}" for x in sorted(found))}): {fix}')
  return float(max(rates, default=0)), 1 if mono else max(channels, default=1)


def _head(library, root, file: File):
  """Rate, channels and length of a recording; None of one that is damaged."""
  try:
    head = library.info(os.path.join(root, file.path))
    return head if head.frames else None
  except (OSError, RuntimeError):
    return None
