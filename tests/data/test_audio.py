"""Recordings: pieces, channels, labels, and what is refused."""

import numpy as np
import pytest
import sets
from arrays import fails, load

from gan_jax.data import images

soundfile = pytest.importorskip('soundfile')

SOUND = np.random.default_rng(0).uniform(-1, 1, (250, 2)).astype(np.float32)


@pytest.fixture
def root(tmp_path, monkeypatch):
  monkeypatch.setenv('GAN_JAX_CACHE', str(tmp_path / 'cache'))
  (tmp_path / 'set').mkdir()
  return tmp_path / 'set'


def put(root, name, sound, rate=8000, **how):
  (root / name).parent.mkdir(exist_ok=True)
  soundfile.write(root / name, sound, rate, **how)


def test_pieces_and_their_labels(root):
  put(root, 'cat/a.wav', SOUND)
  put(root, 'cat/short.wav', SOUND[:30])
  put(root, 'dog/b.flac', SOUND[::-1])
  assert load(name='auto', path=str(root)).images.shape == (3, 16384, 1)
  source = load(name='audio', path=str(root), length=100, mono=False)
  assert source.images.dtype == np.float32 and source.rate == 8000
  assert source.units == (-1, 1)
  wanted = [SOUND[:100], SOUND[100:200], np.pad(SOUND[:30], ((0, 70), (0, 0))),
            SOUND[::-1][:100], SOUND[::-1][100:200]]
  np.testing.assert_allclose(source.images, wanted, atol=2 / 32768)
  assert source.labels.tolist() == [0, 0, 0, 1, 1]
  assert source.class_names == ('cat', 'dog')
  assert any('1 of 3 recordings are shorter' in n
             for n in source.report['notices'])
  mean = sets.audio(path=root, length=100)
  np.testing.assert_allclose(mean.images[:, :, 0], np.mean(wanted, 2),
                             atol=2 / 32768)
  first = sets.audio(path=root, length=100, first_only=True)
  np.testing.assert_array_equal(first.images, mean.images[[0, 2, 3]])


def test_labels_of_a_file(root):
  put(root, 'a.wav', SOUND)
  put(root, 'b.wav', SOUND)
  (root / 'l.csv').write_text('file,label\na.wav,bee\nb.wav,ant\n')
  source = sets.audio(path=root, length=100, labels='l.csv')
  assert [source.class_names[i] for i in source.labels] == [
      'bee', 'bee', 'ant', 'ant']


def test_bad_recordings(root):
  put(root, 'a.wav', SOUND)
  put(root, 'b.wav', SOUND, 16000)
  fails('2 rates', '8,000, 16,000', call=lambda: sets.audio(path=root))
  put(root, 'b.wav', SOUND[:, :1])
  fails('2 numbers of channels', 'mono', call=lambda: sets.audio(
      path=root, mono=False))
  (root / 'b.wav').write_bytes(b'RIFF....WAVEnothing')
  (root / 'c.wav').write_bytes(b'')
  fails('2 of 4', "'b.wav@0'", "'c.wav@0'", call=lambda: sets.audio(
      path=root, length=100))
  source = sets.audio(path=root, length=100, on_bad_image='skip', max_bad=0.5)
  assert len(source.images) == 2
  fails('length=1', call=lambda: sets.audio(path=root, length=1))
  fails('use data=audio', call=lambda: sets.folder(path=root))


def test_a_long_recording_is_read_in_pieces(root, monkeypatch):
  put(root, 'a.wav', np.tile(SOUND, (40, 1)))
  monkeypatch.setattr(images, 'MAX_BYTES', 10_000)
  assert (root / 'a.wav').stat().st_size > 30_000
  assert len(sets.audio(path=root, length=100).images) == 100


def test_other_folders(root):
  (root / 'a.txt').write_text('x')
  fails('no recording among its 1 files', call=lambda: sets.audio(path=root))
