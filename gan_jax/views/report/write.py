"""From the folder of a run to WORKDIR/report/index.html."""

import json
import os
from collections.abc import Mapping

import jax

from gan_jax import models, parallel, pictures
from gan_jax.base import lookup
from gan_jax.base.errors import RequestError, WorkdirError
from gan_jax.base.files import write_file
from gan_jax.config.experiment import game_of_run, initial_state
from gan_jax.run import files
from gan_jax.run.checkpoint import Checkpoints
from gan_jax.run.evaluator import Sampler
from gan_jax.views.inspect import load_data
from gan_jax.views.report.page import page
from gan_jax.views.report.pictures import Subject, draw

_EXTRACTORS = 'gan_jax.extractors'


def report(folder: str, *, step: int = 0, extractor: Mapping | None = None,
           seed: int = 0) -> str:
  """Draws a checkpoint of a run beside its data.

  Writes WORKDIR/report/: the pictures of `report.pictures` and index.html,
  which shows them with the config and the newest of WORKDIR/scores.jsonl.

  Args:
    folder: the working directory of the run.
    step: of the checkpoint, 0 for the newest.
    extractor: dict(name=...) of `gan_jax.extractors`, None for the fixed random
      network.
    seed: of the latents, and of which real examples are shown.

  Returns:
    A line that says what was written.

  Raises:
    WorkdirError, CheckpointError, ConfigError, DataError, RequestError: with
      what to do.
  """
  if not 0 <= seed < 2**32:
    raise RequestError(f'--seed={seed} must be from 0 to 2**32 - 1')
  config, info = files.read_run(folder)
  game = game_of_run(config, info)
  state = _restore(folder, game, info, config['seed'], step)
  source = load_data(config['data'])
  if source.fingerprint != info.fingerprint:
    raise WorkdirError(
        f'{folder} was trained on other examples than those that its config '
        'names now: beside these its images would mean nothing; bring back the '
        'data, or go on training with --allow_changed_data')
  network = _extractor(extractor, source) if extractor else None
  name, step = os.path.basename(os.path.abspath(folder)), int(state.step)
  found = draw(Subject(
      source, Sampler(game, config['image_range']), game.latent, state.ema,
      models.is_conditional(config['generator']),
      config['latent']['name'] == 'infogan', step, seed, network))
  text = page(f'{name}, step {step:,}', found, config=config, data=info,
              scores=_last_scores(folder), training=_training(folder))
  out = os.path.join(folder, 'report')
  try:
    for picture in found:
      write_file(os.path.join(out, picture.name), pictures.png(picture.pixels))
    write_file(os.path.join(out, 'index.html'), text.encode())
  except OSError as e:
    raise WorkdirError(f'{out}: cannot write it: {e.strerror}') from e
  return f'step {step} in {os.path.join(out, "index.html")}'


def _extractor(spec, source):
  problems = lookup.check(_EXTRACTORS, spec, '--extractor', ('source',))
  if problems:
    raise RequestError('; '.join(map(str, problems)))
  try:
    return lookup.build(_EXTRACTORS, spec, source=source)
  except ValueError as e:
    raise RequestError(f'--extractor={spec["name"]}: {e}') from e


def _restore(folder, game, info, seed, step):
  shapes = jax.eval_shape(
      lambda: initial_state(game, info.image_shape, seed))
  checkpoints = Checkpoints(folder)
  try:
    return checkpoints.restore(
        parallel.abstract(shapes, parallel.make_mesh(1)), step)
  finally:
    checkpoints.close()


def _last_scores(folder) -> list[dict]:
  """The newest row of each score; a line cut off by a kill is no row."""
  last = {}
  path = os.path.join(folder, 'scores.jsonl')
  if os.path.exists(path):
    with open(path, errors='replace') as file:
      for line in file:
        try:
          row = json.loads(line)
        except ValueError:
          continue
        if isinstance(row, dict) and {'name', 'step'} <= set(row):
          before = last.get(row['name'])
          if before is None or before['step'] <= row['step']:
            last[row['name']] = row
  return list(last.values())


def _training(folder) -> list[str]:
  """What training has drawn, by names beside the report's folder."""
  return [name for name in ('curves.png', 'training.gif')
          if os.path.exists(os.path.join(folder, name))]
