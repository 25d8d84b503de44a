"""--mode=evaluate: scores of the checkpoints of a run, or of two folders."""

import json
import logging
import os
import time
from typing import Any, NamedTuple

import jax
import numpy as np

from gan_jax import parallel
from gan_jax.base import lookup
from gan_jax.base.errors import CheckpointError, WorkdirError
from gan_jax.base.files import write_file
from gan_jax.config import experiment
from gan_jax.config.keys import CHOICES
from gan_jax.data import load as data
from gan_jax.evaluators.score import Score, order, table
from gan_jax.run import files
from gan_jax.run.checkpoint import Checkpoints
from gan_jax.run.evaluator import Evaluator
from gan_jax.run.results import Best
from gan_jax.run.writers import ScoreWriter

_LOG = logging.getLogger(__name__)
_PAUSE = 5.0  # seconds between two looks at a job that is followed


class Request(NamedTuple):
  """What is asked for; '' and 0 leave it to the run, or to `scores`.

  extractor, weights, resizer: name of a `gan_jax.extractors`, the file of its
    weights, and how it resizes images.
  metrics: of `gan_jax.evaluators.measures`.
  num_samples: generated examples.
  best: the score by which the best checkpoint is kept.
  follow: goes on as long as the job runs.
  """

  extractor: str = ''
  weights: str = ''
  resizer: str = ''
  metrics: tuple[str, ...] = ()
  num_samples: int = 0
  best: str = ''
  follow: bool = False

  def spec(self) -> dict[str, Any]:
    """The evaluator `scores` with what is asked for, {} for nothing."""
    given = {'weights': self.weights, 'resizer': self.resizer}
    network = {'name': self.extractor or 'auto',
               **{key: value for key, value in given.items() if value}}
    own = {'extractor': network if len(network) > 1 or self.extractor else 0,
           'metrics': self.metrics, 'num_samples': self.num_samples}
    own = {key: value for key, value in own.items() if value}
    return {'name': 'scores', **own} if own else {}


def checkpoints(folder: str, request: Request) -> str:
  """Scores every checkpoint of a run that has no such scores yet.

  They are appended to WORKDIR/scores.jsonl.

  Returns:
    The scores as a table.

  Raises:
    WorkdirError, CheckpointError, ConfigError, DataError: with what to do.
  """
  config, info = files.read_run(folder)
  asked = request.spec()
  specs = (asked,) if asked else config['evaluators'] or ({'name': 'scores'},)
  run = experiment.load(config | {'evaluators': specs})
  if run.info.fingerprint != info.fingerprint:
    raise WorkdirError(f'{folder} was trained on other data than those that '
                       'its config names now: scores would not be of this run')
  evaluator = Evaluator(run)
  best = Best(folder, request.best, own=True)
  abstract = parallel.abstract(jax.eval_shape(run.init), parallel.own_mesh())
  if request.best:
    _offer_recorded(folder, evaluator, best, abstract)
  shown, tried, failed = [], {}, None
  while True:
    running = request.follow and files.is_held(folder)
    for step in _unscored(folder, evaluator):
      # After a rollback the job saves another state under the number.
      made = _made(folder, step)
      if tried.get(step) == made:
        continue
      tried[step] = made
      try:
        state = _restore(folder, step, abstract)
      except CheckpointError as e:  # Damaged, or the job has removed it since.
        _LOG.warning('step %d: %s', step, e)
        failed = e
        continue
      scores = evaluator.scores(state)
      with ScoreWriter(folder) as writer:
        writer.write(step, scores)
      best.offer(step, scores, state)
      shown += [(step, score) for score in scores]
      _LOG.info('step %d is scored', step)
    if not running:
      break
    time.sleep(_PAUSE)
  names = {row['name'] for row in _recorded(folder, evaluator)}
  if failed and not names:
    raise failed
  if not Checkpoints(folder).latest():
    raise WorkdirError(f'{folder} has no checkpoint yet')
  if request.best and request.best not in names:
    raise ValueError(f'--best={request.best}: no such score; there are '
                     f'{", ".join(sorted(names))}')
  return table(shown) if shown else (
      f'all checkpoints of {folder} are scored: see scores.jsonl')


def folders(images: str, reference: str, request: Request, *,
            resize: tuple[int, ...] = (), out: str = '') -> str:
  """Scores of the images of one folder (or .npz) beside those of another.

  Args:
    images: what is scored.
    reference: the real ones.
    request: all but `best` and `follow`, which are of a run.
    resize: (H, W) that all images are brought to; () for none.
    out: F.jsonl, for the scores with their protocol, a line each.

  Returns:
    The scores as a table.

  Raises:
    DataError, ValueError: with what to do.
  """
  if request.best or request.follow or out and not out.endswith('.jsonl'):
    raise ValueError('--best and --follow are of a --workdir, and --out is '
                     'F.jsonl')
  real, fake = (data.load(_spec(path, resize)) for path in (reference, images))
  if fake.images.shape[1:] != real.images.shape[1:]:
    raise ValueError(
        f'{images} holds images {list(fake.images.shape[1:])}, {reference} '
        f'{list(real.images.shape[1:])}; --resize=H,W brings them to one size')
  # As many as there are, with a floor where half of the reference suffices.
  count = min(len(fake.images), len(real.images))
  asked = {'name': 'scores', 'num_samples': count,
           **{k: v for k, v in request.spec().items() if k != 'name'}}
  asked_for = asked['num_samples']
  if not request.num_samples and len(fake.images) != len(real.images):
    _LOG.info('%d images of each: %s holds %d, %s %d', count, images,
              len(fake.images), reference, len(real.images))
  if len(real.images) < 2 * asked_for:
    _LOG.info('no floor: two times %d images of %s are needed, there are %d; '
              '--num_samples=%d has one', asked_for, reference,
              len(real.images), len(real.images) // 2)
  if asked_for > len(fake.images):
    raise ValueError(f'--num_samples={asked_for}: {images} holds '
                     f'{len(fake.images)} images')
  room = CHOICES['evaluators']
  evaluate = lookup.build(room.module, asked, source=real, seed=0)
  rows = order(len(fake.images), 0)  # Files may be sorted by class.
  scores = evaluate(lambda start, stop: (
      np.asarray(fake.images[rows[start:stop]]), None))
  how = {'images': os.path.abspath(images), 'images_sha256': fake.fingerprint}
  scores = [score._replace(protocol=score.protocol | how).checked()
            for score in scores]
  if out:
    write_file(out, ''.join(json.dumps(score._asdict()) + '\n'
                            for score in scores).encode())
  return table([(0, score) for score in scores])


def _spec(path, resize):
  how = {'path': path, **({'resize': resize} if resize else {})}
  if path.endswith('.npz'):
    return {'name': 'npz', **how}
  return {'name': 'folder', 'labels': 'none', **how}


def _unscored(folder, evaluator) -> list[int]:
  """Steps of checkpoints without scores by these evaluators."""
  done = {row['step'] for row in _recorded(folder, evaluator)}
  return [step for step in Checkpoints(folder).steps() if step not in done]


def _made(folder, step) -> int:
  """When a checkpoint was put there, in ns; 0 where it is gone."""
  try:
    return os.stat(os.path.join(folder, 'checkpoints', str(step))).st_mtime_ns
  except OSError:
    return 0


def _recorded(folder, evaluator) -> list[dict]:
  """Rows of scores.jsonl by these evaluators."""
  with ScoreWriter(folder) as writer:
    return [row for row in writer.read() if
            evaluator.protocol.items() <= row.get('protocol', {}).items()]


def _offer_recorded(folder, evaluator, best, abstract):
  """Offers the checkpoints that were scored before the best was asked for."""
  steps = Checkpoints(folder).steps()
  for row in _recorded(folder, evaluator):
    score = Score(**{key: row[key] for key in Score._fields if key in row})
    if row['step'] in steps and best.wants(score):
      try:
        state = _restore(folder, row['step'], abstract)
      except CheckpointError as e:
        _LOG.warning('step %d: %s', row['step'], e)
      else:
        best.offer(row['step'], [score], state)


def _restore(folder, step, abstract):
  checkpoints = Checkpoints(folder)
  try:
    return checkpoints.restore(abstract, step)
  finally:
    checkpoints.close()
