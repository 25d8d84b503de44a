"""Training on examples of every kind: sample grids and scores."""

import json
import logging

import kinds
import numpy as np
import pytest
import tiny

from gan_jax import pictures
from gan_jax.config import experiment
from gan_jax.run import evaluator, train
from gan_jax.views import evaluate

SCORES = dict(name='scores', num_samples=20, metrics=(
    'fd', 'prdc', 'kd_full', 'ms_ssim'))


@pytest.mark.parametrize('name, extractor, kind', [
    pytest.param('signals', 'projection', 'signals',
                 marks=pytest.mark.slow),
    pytest.param('volumes', 'projection', 'volumes', marks=pytest.mark.slow),
    pytest.param('float_volumes', 'projection', 'volumes',
                 marks=pytest.mark.slow),
    pytest.param('floats', 'random', 'images', marks=pytest.mark.slow),
    ('many', 'random', 'images')])
def test_a_run_has_grids_and_finite_scores_with_floors(
    tmp_path, caplog, name, extractor, kind):
  caplog.set_level(logging.INFO, 'gan_jax')
  run = experiment.load(tiny.config('', data=kinds.DATA[name], eval_every=4,
                                    evaluators=(SCORES,)))
  folder = tmp_path / 'run'
  assert train.train(run, str(folder)) == 0
  rows = {row['name']: row for row in map(json.loads, (
      folder / 'scores.jsonl').read_text().splitlines())}
  for metric in ('fd', 'precision', 'recall', 'kd_full'):
    row = rows[f'{metric}_{extractor}_20_train']
    assert np.isfinite([row['value'], row['floor']]).all()
  # Of 8 pixels or of other kinds, it says why there is none.
  assert rows[f'ms_ssim_{extractor}_20_train']['reason']
  assert rows[f'fd_{extractor}_20_train']['protocol']['rounding'] == (
      'none' if 'float_' in name or kind == 'signals' else
      'clip(round((x + 1) * 127.5), 0, 255)')
  grid = pictures.read_png(
      (folder / 'samples' / 'step_00000004.png').read_bytes())
  assert grid.std() > 0
  said = [m for m in caplog.messages if m.startswith('pictures show')]
  assert said == {'many': ['pictures show channels 0, 1, 2 of 12'],
                  'float_volumes': ['pictures show channel 0 of 2']}.get(
                      name, [])
  # The sheets are drawn of what the generator makes, at this rate.
  drawn = evaluator.Evaluator(run)
  state = tiny.saved(run, folder)
  images, _ = drawn.draw(state.ema, 0, 4)
  assert images.dtype == run.source.images.dtype
  assert images.shape[1:] == run.info.image_shape
  found, = drawn.scores(state)[:1]
  assert found.value == pytest.approx(rows[found.name]['value'], rel=1e-3)
  # Scored later, it is the same.
  (_, later), *_ = evaluate.checkpoints(str(folder), metrics=('fd',),
                                        num_samples=20)
  assert later.name == f'fd_{extractor}_20_train'


@pytest.mark.parametrize('conditioning, names', [
    ('none', []), ('onehot', ['0 cat', '1 dog'])])
def test_rows_of_named_classes_have_their_names_in_the_grid(
    monkeypatch, conditioning, names):
  shown = {}
  monkeypatch.setattr(pictures, 'sheet', lambda examples, columns, **how: (
      shown.update(how, columns=columns), np.zeros((2, 2, 3), np.uint8))[1])
  spec = tiny.config('', data=dict(name='kinds:floats', names=('cat', 'dog')))
  for part in ('generator', 'discriminator'):
    spec[part] = spec[part] | dict(conditioning=conditioning)
  run = experiment.load(spec)
  drawn = evaluator.Evaluator(run)
  drawn.finish_grid(drawn.start_grid(run.init().ema))
  assert shown == {'names': names, 'columns': 2, 'rate': 0.0, 'real': None,
                   'table': ()}
