#!/usr/bin/env bash
# One would guess: a study in a journal file survives a full disk. The write that
# failed raises OSError; with space again the study goes on, as SQLite's does.
# What happens: a part of the line stays in the file, without its end. A reader skips
# it while it is the last one, but the next append, by any worker, is glued to it and
# lost: ask() raises AttributeError. After one more append every load, and all that
# the workers do, raises JSONDecodeError.
# Who is hurt: studies on a shared disk with a quota. The results of all workers are
# in the file, but nothing can read it until someone edits the line.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q optuna==5.0.0
cd "$folder"
"$folder/venv/bin/python" - <<'PY'
import json
import os
import resource
import signal

import optuna
from optuna.storages.journal import JournalFileBackend, JournalStorage

optuna.logging.set_verbosity(optuna.logging.ERROR)


def study(how=optuna.load_study):
  return how(study_name='s', storage=JournalStorage(
      JournalFileBackend('journal.log')))


one = study(optuna.create_study)
for _ in range(20):
  one.tell(one.ask(), 1.0)
# A file that may grow by 40 bytes more: the quota of this process.
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE,
                   (os.path.getsize('journal.log') + 40, hard))
try:
  one.ask()
  raise SystemExit('the disk was not full')
except OSError as e:
  print('full:', e)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
print('trials while the cut line is the last one:', len(study().trials))
print('optuna', optuna.__version__)
for _ in range(2):  # There is space again.
  try:
    study().ask()
  except (AttributeError, json.JSONDecodeError) as e:
    print('the next append:', type(e).__name__, e)
try:
  print(len(study().trials), 'trials')
  raise SystemExit('it can be read')
except json.JSONDecodeError as e:
  print('and every load after it:', type(e).__name__, e)
PY
