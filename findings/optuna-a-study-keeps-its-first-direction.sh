#!/usr/bin/env bash
# One would guess: create_study(direction='maximize', load_if_exists=True) of a
# study that minimises is an error, or at least a warning.
# What happens: the direction that is asked for is dropped without a warning. The
# study goes on minimising: best_value is the worst score, and TPE looks where
# scores are bad.
# Who is hurt: whoever ran create_study without a direction first (minimize is the
# default), or went from FID to coverage under the same name.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q optuna==5.0.0
cd "$folder"
"$folder/venv/bin/python" -W error - <<'PY' 2> "$folder/log"
import logging

import numpy as np
import optuna


class Heard(logging.Handler):
  def emit(self, record):
    said.append(f'{record.levelname}: {record.getMessage()}')


said = []
optuna.logging.get_logger('optuna').addHandler(Heard())


def study(**direction):
  return optuna.create_study(
      study_name='coverage', storage='sqlite:///studies.db', load_if_exists=True,
      sampler=optuna.samplers.TPESampler(seed=0), **direction)


study()
said.clear()
found = study(direction='maximize')
about = [line for line in said if not line.startswith('INFO')]
found.optimize(lambda trial: trial.suggest_float('x', 0.0, 1.0), n_trials=60)
late = np.mean([trial.value for trial in found.trials[30:]])
print('optuna', optuna.__version__)
print('asked to maximise, it is', found.direction.name, 'and warns of',
      about or 'nothing')
print(f'scores from {min(t.value for t in found.trials):.3f} to '
      f'{max(t.value for t in found.trials):.3f}; best_value '
      f'{found.best_value:.3f}; the mean of the last 30 is {late:.3f}')
assert found.direction == optuna.study.StudyDirection.MINIMIZE and not about
assert found.best_value == min(t.value for t in found.trials) and late < 0.3
PY
