"""How long a listing of many runs takes, and how much memory.

  python experiments/store/measure.py /tmp/many --runs=10000

makes folders as training leaves them, of configs/dcgan.py with other rates,
penalties and seeds, and lists them by `--mode=compare`, without an index (cold)
and with one (warm), in a process of its own each time. Prints a table of
seconds and of the peak of the memory.
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
_SCORES = ('fd_classifier_5k_train', 'kd_classifier_5k_train',
           'precision_classifier_5k_train', 'recall_classifier_5k_train')
_SEEDS = 3


def plain_config() -> dict:
  """The config of configs/dcgan.py, as its runs have it in config.json."""
  code = ("import json; from gan_jax.config import fields, recipe; print("
          "json.dumps(fields.plain(recipe.get_config('dcgan:penalty=r1'))))")
  return json.loads(subprocess.run(
      [sys.executable, '-c', code], cwd=ROOT, check=True, text=True,
      capture_output=True).stdout)


def write_run(folder: pathlib.Path, config: dict, i: int) -> None:
  """The files of run i that a listing reads."""
  draw = random.Random(i // _SEEDS)  # One for all seeds of a point.
  config['seed'] = i % _SEEDS
  config['gen_optimizer']['learning_rate'] = 10 ** draw.uniform(-5, -3)
  config['disc_optimizer']['learning_rate'] = 10 ** draw.uniform(-5, -3)
  config['penalties'][0]['weight'] = draw.choice([0.1, 1.0, 10.0])
  config['batch_size'] = draw.choice([64, 128, 256])
  total = draw.randrange(5_000, 50_000, 5_000)
  config['train_steps'] = total
  quality = draw.uniform(0.2, 1) * 2e5 / total
  done, noise = total if i % 50 else 2_500, random.Random(-i)
  (folder / 'checkpoints' / str(done)).mkdir(parents=True)
  (folder / 'config.json').write_text(json.dumps(config, indent=1) + '\n')
  (folder / 'launches.jsonl').write_text(json.dumps({
      'started': '2026-11-29T03:33:50+00:00', 'host': 'made', 'argv': [
          'main.py', '--config=configs/dcgan.py:penalty=r1'], 'step': 0,
      'train_steps': total, 'devices': ['cuda:0'], 'cores': 8}) + '\n')
  (folder / 'lock').touch()
  (folder / 'scalars.jsonl').write_text(''.join(json.dumps({
      'step': step, **{name: noise.gauss(0.7, 0.1) for name in (
          'loss/disc', 'loss/gen', 'logits/real', 'logits/fake', 'prob/real',
          'prob/fake', 'grad_norm/disc', 'grad_norm/gen', 'penalty/r1')},
      'perf/images_per_second': noise.gauss(5e3, 200)}) + '\n'
      for step in range(500, done + 1, 500)))
  (folder / 'scores.jsonl').write_text(''.join(json.dumps({
      'step': step, 'name': name, 'value': quality * noise.uniform(0.9, 1.1),
      'reason': '', 'floor': 0.2, 'low': quality * 0.9, 'high': quality * 1.1,
      'protocol': {'extractor_sha256': 'made', 'data_fingerprint': 'made',
                   'num_real': 5000, 'num_samples': 5000, 'step': step},
      'found': {}, 'time': '2026-11-29T03:33:50+0000'}) + '\n'
      for step in range(2_500, done + 1, 2_500) for name in _SCORES))


def make(folder: pathlib.Path, runs: int) -> None:
  """Writes the runs that are not there yet."""
  config = plain_config()
  for i in range(runs):
    place = folder / f'run-{i:06d}'
    if not place.exists():
      write_run(place, config, i)


def measured(*args) -> tuple[float, float, float]:
  """(seconds, seconds of CPU, peak MiB) of a command of the program."""
  start = time.monotonic()
  process = subprocess.Popen(
      [sys.executable, '-m', 'gan_jax.main', '--mode=compare', *args], cwd=ROOT,
      stdout=subprocess.DEVNULL)
  _, status, used = os.wait4(process.pid, 0)
  assert status == 0, args
  return (time.monotonic() - start, used.ru_utime + used.ru_stime,
          used.ru_maxrss / 1024)


def main() -> None:
  """Makes the runs and prints the table."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('folder', type=pathlib.Path)
  parser.add_argument('--runs', type=int, default=10_000)
  parser.add_argument('--repeats', type=int, default=5)
  flags = parser.parse_args()
  make(flags.folder, flags.runs)
  time.sleep(3)  # What has just been written is read again.
  folder, index = str(flags.folder), flags.folder / '.runs.sqlite'
  index.unlink(missing_ok=True)
  print('| | seconds | of CPU | peak MiB |\n|---|---|---|---|')
  for what, repeats, args in (
      ('cold, no index', 1, (folder,)),
      ('warm', flags.repeats, (folder,)),
      ('warm, by a pattern', flags.repeats, (f'{folder}/*',)),
      ('warm, --where', flags.repeats, (
          folder, '--where=batch_size>=64,penalties[0].weight>0,'
          'status=finished,fd_classifier_5k_train<1e3')),
      ('warm, --out=F.html', 1, (folder, f'--out={folder}/board.html')),
      ('warm, --out=F.bib', 1, (folder, f'--out={folder}/methods.bib'))):
    # The least: what else the machine does comes on top.
    least = [min(column) for column in zip(
        *(measured(*args) for _ in range(repeats)), strict=True)]
    print('| {} | {:.2f} | {:.2f} | {:.0f} |'.format(what, *least), flush=True)
  print(f'\nThe index has {index.stat().st_size / 2**20:.1f} MiB.')


if __name__ == '__main__':
  main()
