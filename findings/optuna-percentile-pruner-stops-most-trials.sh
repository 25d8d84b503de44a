#!/usr/bin/env bash
# One would guess: PercentilePruner(75.0) keeps the best 75 % of the trials, as its
# documentation says: "top of 75th percentile trials are kept".
# What happens: it compares with COMPLETE trials alone. Those that it has pruned are
# not among them, so the bar rises with every trial that is pruned: of equally
# distributed trials it stops 38 % of the first hundred, and two thirds of later ones.
# MedianPruner is the same with 50.
# Who is hurt: whoever chose a cautious percentile because early scores mislead, as
# those of GANs do: in a long study most trials are stopped all the same.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q optuna==5.0.0
"$folder/venv/bin/python" - <<'PY'
import numpy as np
import optuna
from optuna.trial import TrialState

optuna.logging.set_verbosity(optuna.logging.ERROR)
study = optuna.create_study(
    sampler=optuna.samplers.RandomSampler(seed=0),
    pruner=optuna.pruners.PercentilePruner(75.0, n_startup_trials=10))
rng = np.random.default_rng(0)
for _ in range(400):
  trial, loss = study.ask(), rng.uniform()  # of one distribution
  trial.report(loss, step=0)
  if trial.should_prune():
    study.tell(trial, state=TrialState.PRUNED)
  else:
    study.tell(trial, loss)
pruned = np.array([t.state == TrialState.PRUNED for t in study.trials])
shares = pruned.reshape(4, 100).mean(1)
print('optuna', optuna.__version__)
print('pruned, of each hundred trials:', shares.tolist(), 'where 0.25 is asked')
assert shares[-1] > 0.5
PY
