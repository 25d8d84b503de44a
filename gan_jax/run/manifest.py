"""The manifest of a checkpoint: size and sha256 of every file.

Orbax silently restores a flipped bit as a wrong weight. `manifest.json` holds
its format, the step, {path: [bytes, sha256]} of the files, and the sha256 of
all this.
"""

import hashlib
import json
import os
import stat

from gan_jax.base.errors import CheckpointError
from gan_jax.base.files import sync_folder, write_file

NAME = 'manifest.json'
FORMAT = 1
_LIMIT = 64 * 2**20  # bytes; a larger file was not written by `write`


class Damage(ValueError):
  """A folder that differs from its manifest, with the files."""


def write(folder: str, step: int) -> None:
  """Fsyncs all files of a folder, then writes their manifest."""
  files = {}
  for name in _names(folder):
    with open(os.path.join(folder, name), 'rb') as file:
      # Orbax does not fsync all files.
      os.fsync(file.fileno())
      files[name] = [os.fstat(file.fileno()).st_size, _sha256(file)]
  for path, _, _ in os.walk(folder):
    sync_folder(path)
  write_file(os.path.join(folder, NAME), _encode(
      {'format': FORMAT, 'step': step, 'files': files}))


def verify(folder: str, step: int) -> str:
  """Verifies a folder; returns the sha256 of its manifest.

  Raises:
    Damage: a file was changed, cut, removed or added, or is of another step.
    CheckpointError: written by another version.
  """
  body = _read(os.path.join(folder, NAME))
  if body['format'] != FORMAT:
    age = 'a newer' if body['format'] > FORMAT else 'an older'
    raise CheckpointError(
        f'{folder} has format {body["format"]}, which {age} version of gan_jax '
        f'wrote; this one reads format {FORMAT}: use the version that wrote it '
        '(launches.jsonl names it)')
  lines = []
  if body['step'] != step:
    lines.append(f'{NAME}: it is of step {body["step"]}')
  wanted, found = body['files'], _names(folder)
  for name in sorted({*found, *wanted}):
    if name not in wanted:
      lines.append(f'{name}: was not there when it was saved')
    elif name not in found:
      lines.append(f'{name}: is missing')
    elif wrong := _compare(os.path.join(folder, name), *wanted[name]):
      lines.append(f'{name}: {wrong}')
  if lines:
    more = [f'and {len(lines) - 10} more'] if len(lines) > 10 else []
    raise Damage('; '.join([*lines[:10], *more]))
  return _digest(body)


def _names(folder):
  """Paths of the files in a folder but its manifest; ignores links."""
  names = [os.path.relpath(os.path.join(path, name), folder)
           for path, folders, files in os.walk(folder)
           for name in [*files, *(name for name in folders if os.path.islink(
               os.path.join(path, name)))]]
  return sorted({*names} - {NAME})


def _compare(path, size, sha256) -> str:
  try:
    status = os.lstat(path)
    if not stat.S_ISREG(status.st_mode):  # opening a pipe may block
      return 'is no longer a regular file'
    if status.st_size != size:
      return f'has {status.st_size} bytes instead of {size}'
    with open(path, 'rb') as file:
      return '' if _sha256(file) == sha256 else 'its sha256 has changed'
  except OSError as error:
    return f'cannot be read: {error.strerror}'


def _read(path) -> dict:
  try:
    status = os.lstat(path)
    if not stat.S_ISREG(status.st_mode) or status.st_size > _LIMIT:
      raise Damage(f'{NAME}: is not a manifest')
    with open(path, 'rb') as file:
      data = file.read()
    body = json.loads(data)
    del body['sha256']
    if _encode(body) == data and isinstance(body['format'], int) and (
        'step' in body and all(
            isinstance(size, int) and isinstance(sha256, str)
            for size, sha256 in body['files'].values())):
      return body
  except FileNotFoundError:
    raise Damage(f'{NAME}: is missing') from None
  except OSError as error:
    raise Damage(f'{NAME}: cannot be read: {error.strerror}') from error
  except Damage:
    raise
  except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
    pass
  raise Damage(f'{NAME}: does not fit its own sha256')


def _encode(body) -> bytes:
  return json.dumps(body | {'sha256': _digest(body)}, indent=1,
                    sort_keys=True).encode() + b'\n'


def _digest(body) -> str:
  return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _sha256(file) -> str:
  return hashlib.file_digest(file, 'sha256').hexdigest()
