#!/usr/bin/env bash
# One would guess: reading an LMDB whose download stopped half way raises
# lmdb.CorruptedError, as py-lmdb has such an error.
# What happens: it opens, lists and reads until a page lies behind the end of the
# file; the file is memory-mapped, and the kernel kills Python with SIGBUS. No
# except clause sees it.
# Who is hurt: whoever trains on LSUN: the program vanishes, after hours perhaps.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q lmdb==1.7.5
cat > "$folder/truncated.py" <<'PY'
import os
import subprocess
import sys
import tempfile

import lmdb

READ = '''
import lmdb, sys
with lmdb.open(sys.argv[1], readonly=True, lock=False) as env:
  with env.begin() as transaction:
    print(sum(len(value) for _, value in transaction.cursor()))
'''
with tempfile.TemporaryDirectory() as folder:
  with lmdb.open(folder, map_size=1 << 26) as env:
    with env.begin(write=True) as transaction:
      for i in range(100):
        transaction.put(b'%04d' % i, os.urandom(50_000))
  file = os.path.join(folder, 'data.mdb')
  os.truncate(file, os.path.getsize(file) // 2)
  # What does help: the meta page says how many pages there should be.
  with lmdb.open(folder, readonly=True, lock=False) as env:
    needed = (env.info()['last_pgno'] + 1) * env.stat()['psize']
  code = subprocess.run([sys.executable, '-c', READ, folder]).returncode
print('lmdb', lmdb.__version__, 'exit status:', code, '(-7 is SIGBUS); the file',
      'should have', needed, 'bytes and has half of them')
assert code == -7, code
PY
"$folder/venv/bin/python" "$folder/truncated.py"
