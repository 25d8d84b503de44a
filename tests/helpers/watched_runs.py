"""Runs with a watchdog: their config, no pictures, what they leave."""

import json
import os

import tiny

from gan_jax import parallel
from gan_jax.config import experiment
from gan_jax.run import health, results


def quickly(monkeypatch):
  """No curves, and one compilation for the stretches of a run."""
  monkeypatch.setattr(results.pictures, 'curves', lambda *a, **k: b'')
  monkeypatch.setattr(results.pictures, 'gif', lambda *a, **k: b'')
  # Not of interest in games of noise.
  monkeypatch.setattr(health, 'COLLAPSED', 0.0)
  make, runners = parallel.make_runner, {}
  monkeypatch.setattr(
      parallel, 'make_runner', lambda step, mesh, **kwargs: runners.setdefault(
          (step, mesh), make(step, mesh, **kwargs)))


def load(images, policy, *, max_rollbacks=2, **changes):
  return experiment.load(tiny.config(images, sample_every=0, **{
      'train_steps': 10, 'watchdog': dict(policy=policy,
                                          max_rollbacks=max_rollbacks),
      **changes}))


def record(folder):
  with open(os.path.join(folder, 'rollbacks.jsonl')) as file:
    return [json.loads(line) for line in file]


def read(folder, name='report.md'):
  with open(os.path.join(folder, name)) as file:
    return file.read()
