"""What stands in a manifest, and that no change to a folder gets past it."""

import hashlib
import json
import os
import pickle
import re
import shutil

import pytest
from canary import Canary

from gan_jax.base.errors import CheckpointError
from gan_jax.run import manifest

FILES = {'_METADATA': b'{"a": 1}', 'd/0af3': bytes(range(64)), 'empty': b'',
         'ocdbt.process_0/d/9b': b'weights' * 9}


@pytest.fixture
def folder(tmp_path):
  """A folder of step 7 with its manifest."""
  path = tmp_path / '7'
  for name, data in FILES.items():
    (path / name).parent.mkdir(parents=True, exist_ok=True)
    (path / name).write_bytes(data)
  manifest.write(str(path), 7)
  return path


def _damage(folder, step=7) -> str:
  with pytest.raises(manifest.Damage) as error:
    manifest.verify(str(folder), step)
  return str(error.value)


def _sha256(data):
  return hashlib.sha256(data).hexdigest()


def _body(**changes):
  """A manifest as `write` writes it, but for the changes."""
  body = {'format': 1, 'step': 7, 'files': {
      name: [len(data), _sha256(data)] for name, data in FILES.items()}}
  body |= changes
  body['sha256'] = _sha256(json.dumps(body, sort_keys=True).encode())
  return json.dumps(body, indent=1, sort_keys=True).encode() + b'\n'


def test_it_holds_size_and_digest_of_every_file_and_its_own(folder):
  assert (folder / manifest.NAME).read_bytes() == _body()


def test_a_whole_folder_has_a_digest_of_its_content_alone(folder, tmp_path):
  found = manifest.verify(str(folder), 7)
  assert found == json.loads(_body())['sha256']
  copy = shutil.copytree(folder, tmp_path / 'copy')
  for root, _, files in os.walk(copy):
    for name in files:  # As after a clock that was wrong by decades.
      os.utime(os.path.join(root, name), (1, 1))
  assert manifest.verify(str(copy), 7) == found
  (copy / 'more').write_bytes(b'')
  manifest.write(str(copy), 7)
  # The manifest itself is none of its files: it was written twice.
  assert manifest.NAME not in json.loads((copy / manifest.NAME).read_text())[
      'files']


@pytest.mark.parametrize('name', [*FILES, manifest.NAME])
def test_every_flipped_bit_is_found_and_named(folder, name):
  path = folder / name
  data = path.read_bytes()
  # Of the manifest one bit of each byte, as its text is long.
  bits = range(8 * len(data)) if name != manifest.NAME else [
      8 * i + i % 8 for i in range(len(data))]
  for i in bits:
    flipped = bytearray(data)
    flipped[i // 8] ^= 1 << i % 8
    path.write_bytes(flipped)
    assert _damage(folder) == f'{name}: ' + (
        'does not fit its own sha256' if name == manifest.NAME else
        'its sha256 has changed')
  path.write_bytes(data)
  manifest.verify(str(folder), 7)


@pytest.mark.parametrize('name', ['d/0af3', '_METADATA'])
def test_a_byte_cut_off_or_added_a_file_deleted_or_of_another_kind(
    folder, name, tmp_path):
  path = folder / name
  data = path.read_bytes()
  path.write_bytes(data[:-1])
  assert _damage(folder) == (
      f'{name}: has {len(data) - 1} bytes instead of {len(data)}')
  path.write_bytes(data + b'\0')
  assert _damage(folder) == (
      f'{name}: has {len(data) + 1} bytes instead of {len(data)}')
  path.unlink()
  assert _damage(folder) == f'{name}: is missing'
  (tmp_path / 'same').write_bytes(data)
  path.symlink_to(tmp_path / 'same')
  assert _damage(folder) == f'{name}: is no longer a regular file'
  path.unlink()
  os.mkfifo(path)  # Whoever opened it would wait for ever.
  assert _damage(folder) == f'{name}: is no longer a regular file'


def test_what_was_added_is_named_wherever_it_is(folder, tmp_path):
  (folder / 'd' / '.hidden').write_bytes(b'')
  (folder / 'deep' / 'er').mkdir(parents=True)
  (folder / 'deep' / 'er' / 'x').write_bytes(b'1')
  (folder / 'loop').symlink_to(folder)
  (folder / 'gone').symlink_to(tmp_path / 'nowhere')
  os.mkfifo(folder / 'pipe')
  assert _damage(folder).split('; ') == [
      f'{name}: was not there when it was saved'
      for name in ('d/.hidden', 'deep/er/x', 'gone', 'loop', 'pipe')]


def test_files_that_changed_places(folder):
  os.rename(folder / 'd' / '0af3', folder / 'x')
  os.rename(folder / 'empty', folder / 'd' / '0af3')
  os.rename(folder / 'x', folder / 'empty')
  assert _damage(folder) == ('d/0af3: has 0 bytes instead of 64; '
                             'empty: has 64 bytes instead of 0')


def test_a_long_list_is_cut(folder):
  for i in range(15):
    (folder / f'x{i:02}').write_bytes(b'')
  assert _damage(folder).count('was not there') == 10
  assert _damage(folder).endswith('; and 5 more')


def test_a_folder_of_another_step_is_none_of_this(folder):
  assert _damage(folder, 8) == f'{manifest.NAME}: it is of step 7'


@pytest.mark.parametrize('number, age', [(2, 'a newer'), (0, 'an older')])
def test_another_format_is_no_damage(folder, number, age):
  (folder / manifest.NAME).write_bytes(_body(format=number, new=['anything']))
  with pytest.raises(CheckpointError, match=re.escape(
      f'{folder} has format {number}, which {age} version of gan_jax wrote; '
      'this one reads format 1')):
    manifest.verify(str(folder), 7)


@pytest.mark.parametrize('content', [
    b'', b'{', b'[]', b'null', b'7', b'{}', b'\xff\xfe', b'[' * 100_000,
    b'{"sha256": 1, "files": {"a": 1}}', b'{"sha256": 1, "files": 5}',
    _body().strip(), _body() + b' ', _body().replace(b' ', b''),
    _body(files={'a': 'xy'}), _body(files={'a': [1]}), _body(files=[]),
    _body(files={'a': ['1', 2]}), _body(format='1'), _body(format=None)])
def test_a_hostile_manifest_is_damage(folder, content):
  (folder / manifest.NAME).write_bytes(content)
  assert _damage(folder) == f'{manifest.NAME}: does not fit its own sha256'


def test_no_manifest_and_what_is_no_file(folder, tmp_path):
  path = folder / manifest.NAME
  path.unlink()
  assert _damage(folder) == f'{manifest.NAME}: is missing'
  os.mkfifo(path)
  assert _damage(folder) == f'{manifest.NAME}: is not a manifest'
  path.unlink()
  with open(path, 'wb') as file:
    file.truncate(2**40)  # Sparse; to read it would take all memory.
  assert _damage(folder) == f'{manifest.NAME}: is not a manifest'
  path.unlink()
  path.write_bytes(pickle.dumps(Canary(tmp_path / 'canary')))
  assert 'does not fit' in _damage(folder)
  assert not (tmp_path / 'canary').exists()


def test_a_manifest_cannot_make_us_read_elsewhere(folder, tmp_path):
  secret = tmp_path / 'secret'
  secret.write_bytes(b'1')
  names = ['../secret', str(secret), 'd/../../secret', '/dev/zero']
  (folder / manifest.NAME).write_bytes(_body(files={
      name: [1, _sha256(b'1')] for name in names}))
  said = _damage(folder)
  assert all(f'{name}: is missing' in said for name in names)
