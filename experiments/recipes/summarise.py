"""One JSON line on a finished run: python summarise.py WORKDIR WALL_SECONDS."""

import json
import os
import statistics
import sys


def main(workdir: str, wall_seconds: str) -> None:
  """Prints the steps, speed, last score and hardware of a run."""
  rows = _lines(workdir, 'scalars.jsonl')
  launch = _lines(workdir, 'launches.jsonl')[-1]
  scores = [row for row in rows if any(k.startswith('eval/') for k in row)]
  speed = [r['perf/images_per_second'] for r in rows
           if 'perf/images_per_second' in r]
  host = [r['perf/host_share'] for r in rows if 'perf/host_share' in r]
  print(json.dumps({
      'run': os.path.basename(os.path.normpath(workdir)),
      'steps': rows[-1]['step'], 'wall_seconds': int(wall_seconds),
      'images_per_second': round(statistics.median(speed), 1),
      'host_share': round(statistics.mean(host), 4),
      **{k: round(v, 4) for k, v in (scores[-1] if scores else {}).items()
         if k.startswith('eval/') and v is not None},
      'cores': os.cpu_count(), 'devices': launch['devices'],
      'jax': launch['versions']['jax'], 'started': launch['started']}))


def _lines(workdir, name):
  with open(os.path.join(workdir, name)) as file:
    return [json.loads(line) for line in file]


if __name__ == '__main__':
  main(*sys.argv[1:])
