"""Folders as runs leave them, without the runs."""

import json


def write(folder, *, seed=0, weight=1.0, step=100, total=100, scores=(),
          floor=None, **changes):
  """A run's folder as training leaves it.  -> str."""
  folder.mkdir(parents=True)
  config = {'seed': seed, 'loss': {'name': 'hinge'}, 'log_every': 10 + seed,
            'penalties': [{'name': 'r1', 'weight': weight}]} | changes
  (folder / 'config.json').write_text(json.dumps(config))
  (folder / 'launches.jsonl').write_text(
      json.dumps({'train_steps': total, 'argv': ['main.py']}) + '\n')
  (folder / 'checkpoints' / str(step)).mkdir(parents=True)
  (folder / 'scores.jsonl').write_text(''.join(
      json.dumps({'step': at, 'name': name, 'value': value, 'floor': floor,
                  'protocol': {'extractor_sha256': sha}}) + '\n'
      for at, name, value, sha in scores))
  return str(folder)


def fd(value, step=100, sha='x'):
  return ((step, 'fd_random_2k_train', value, sha),)
