"""x y z."""
def write(study, plan, folder):
  return f'{len(study.trials)} trials, best {study.best_trial.number} {study.best_value}'
