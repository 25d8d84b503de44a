"""experiments/sweep.sh with a stub in place of the program."""

import contextlib
import os
import shlex
import subprocess
import sys
import time

import tiny

CONFIG = '--config=configs/keras_mlp.py:quick'
# In place of the program: notes its start, end and arguments; refuses a config
# or crashes where it is told to; holds its lock, saves when asked to end,
# finishes after a while.
STUB = '''#!/bin/bash
if [ "$2" != gan_jax.main ]; then exec "$PYTHON" "$@"; fi
for arg; do case $arg in
  --workdir=*) folder=${arg#*=} ;;
  *.nrom=*|*.disc_steps=0) echo "gan_jax: cannot be: $arg" >&2; exit 2 ;;
  --dry_run) exit ;;
  --config.disc_steps=9) printf 'first\\nboom\\n'; exit 5 ;;
esac; done
sleep "$IMPORTS"
exec 9>>"$folder/lock"
flock -n 9 || { echo held; exit 4; }
trap 'echo end >>"$EVENTS"; exit 143' TERM
printf '%s\\n' "$@" >"$folder/arguments"
echo "start ${folder##*/}" >>"$EVENTS"
sleep "$NAP" 9>&- & wait $!
mkdir -p "$folder/checkpoints/10"
"$PYTHON" -c 'import json, sys
print(json.dumps(dict(train_steps=10, argv=sys.argv[2:])))' "$@" \\
  >"$folder/launches.jsonl"
echo end >>"$EVENTS"
'''


@contextlib.contextmanager
def stubbed(tmp_path):
  """Starts the script on the stub: start(*args, nap=.1, imports=0) -> Popen."""
  (tmp_path / 'bin').mkdir()
  (tmp_path / 'bin' / 'python').write_text(STUB)
  (tmp_path / 'bin' / 'python').chmod(0o755)
  started = []

  def start(*args, nap=0.1, imports=0):
    env = {**os.environ, 'PATH': f'{tmp_path}/bin:{os.environ["PATH"]}',
           'PYTHON': sys.executable, 'EVENTS': str(tmp_path / 'events'),
           'NAP': str(nap), 'IMPORTS': str(imports)}
    started.append(subprocess.Popen(
        # What a shell starts in the background ignores SIGINT, and bash cannot
        # trap what it ignored from the start.
        ['env', '--default-signal=INT', 'experiments/sweep.sh',
         f'--out={tmp_path}/out', *args], env=env,
        cwd=tiny.ROOT, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, start_new_session=True))
    return started[-1]

  try:
    yield start
  finally:
    for process in started:
      process.terminate()
      process.communicate()


def finish(process):
  """(status, stdout, stderr)."""
  printed, said = process.communicate(timeout=200)
  return process.returncode, printed, said


def points(sweep, *args):
  """The overrides of each command that --dry_run prints, workdirs last."""
  status, printed, said = finish(sweep(CONFIG, '--dry_run', *args))
  assert status == 0, said
  found = [shlex.split(line) for line in printed.splitlines()]
  assert all(line[:4] == ['python', '-m', 'gan_jax.main', CONFIG]
             for line in found)
  return [line[4:] for line in found]


def events(tmp_path):
  path = tmp_path / 'events'
  return path.read_text().split('\n')[:-1] if path.exists() else []


def wait_for(condition):
  limit = time.time() + 200
  while not condition():
    assert time.time() < limit
    time.sleep(0.01)
