"""Runs with a watchdog, whose numbers go bad at a step; what they leave."""

import functools
import json
import os

import jax.numpy as jnp
from jax import random


def watched(run, policy, *, max_rollbacks=2, **changes):
  """A run of ten steps under a policy, for `run.step` as it is compiled."""
  watchdog = dict(policy=policy, max_rollbacks=max_rollbacks)
  return run._replace(config=run.config | {'watchdog': watchdog}, **{
      'train_steps': 10, 'sample_every': 0, **changes})


@functools.cache  # One function is compiled once.
def _changed(step, change):
  def changed(state, batch, key, *, pmean):
    state, scalars = step(state, batch, key, pmean=pmean)
    return state, scalars | change(state, scalars, key)

  return changed


@functools.cache
def _broken(at, always, seed):
  def change(state, scalars, key):
    first = jnp.all(random.key_data(key) == random.key_data(random.key(seed)))
    bad = (state.step == at) & (first | always)
    return {'loss/disc': jnp.where(bad, jnp.nan, scalars['loss/disc'])}

  return change


def broken(run, at, *, always=False):
  """Its step gives NaN at step `at`: in the first attempt, or in all."""
  return run._replace(step=_changed(
      run.step, _broken(at, always, run.config['seed'])))


@functools.cache
def _fading(at):
  def change(state, scalars, key):
    size = jnp.where(state.step > at, 1e-9, 1.0)
    return {'grad_norm/gen': size * scalars['grad_norm/gen']}

  return change


def fading(run, at):
  """The generator's gradient, as logged, is gone from step `at` on."""
  return run._replace(step=_changed(run.step, _fading(at)))


def record(folder):
  with open(os.path.join(folder, 'rollbacks.jsonl')) as file:
    return [json.loads(line) for line in file]


def read(folder, name='report.md'):
  with open(os.path.join(folder, name)) as file:
    return file.read()
