"""--mode=evaluate: scores the checkpoints of a run, or two folders."""

import ast
import json
import logging
import os
import re
import time

import jax
import numpy as np

from gan_jax import parallel
from gan_jax.base import errors, lookup
from gan_jax.base.errors import RequestError, WorkdirError
from gan_jax.base.files import (
  read_rows,
  refuse_record,
  refused,
  unwritten,
  write_file,
  writing_out,
)
from gan_jax.config import experiment
from gan_jax.config.keys import CHOICES
from gan_jax.evaluators.measures import MEASURES
from gan_jax.evaluators.score import Score, order, scores_of
from gan_jax.run import files, lock, status
from gan_jax.run.best import Best
from gan_jax.run.checkpoint import Checkpoints
from gan_jax.run.evaluator import Evaluator
from gan_jax.run.writers import ScoreWriter
from gan_jax.views import given
from gan_jax.views.asked import extractor as given_extractor

_LOG = logging.getLogger(__name__)
_PAUSE = 5.0  # seconds between polls with --follow


def specs(*, extractor: str = '', weights: str = '', resizer: str = '',
          metrics: tuple[str, ...] = (), num_samples: int = 0
          ) -> tuple[dict, ...]:
  """Specs of the evaluators asked for, () if nothing is given.

  extractor, weights, resizer: of `gan_jax.extractors`; metrics: of
  `gan_jax.evaluators.measures`, for the evaluator `scores`, or other evaluators
  with what is asked of them, as 'parzen' or 'ais:chains=4:temperatures=100';
  num_samples: generated examples, of ais and elbo the real ones.

  Raises:
    RequestError: no such metric, evaluator, extractor or file of weights; an
      argument of an evaluator that is not KEY=VALUE, or is given twice.
  """
  network = given_extractor(extractor, weights=weights, resizer=resizer)
  metrics = _metrics(metrics)
  room = CHOICES['evaluators'].module
  known = {*lookup.names(room)} - {'scores'}
  for text in metrics:
    _check_name(text, known)
  others = [text for text in metrics if text.partition(':')[0] in known]
  own = {'extractor': network,
         'metrics': tuple(name for name in metrics if name not in others),
         'num_samples': num_samples}
  own = {key: value for key, value in own.items() if value}
  # A number alone is of the others, if there are any.
  found = [{'name': 'scores', **own}] if own and not (
      others and set(own) <= {'num_samples'}) else []
  for text in others:
    name, *arguments = text.split(':')
    takes = lookup.parameters(lookup.find(room, name))
    number = next((key for key in ('num_samples', 'num_test') if key in takes
                   and num_samples), '')
    found.append({'name': name} | ({number: num_samples} if number else {})
                 | _arguments(arguments, text))
  return tuple(found)


def _check_name(text, evaluators):
  name, colon, _ = text.partition(':')
  if name not in evaluators and name not in MEASURES:
    raise RequestError(f'--metrics={text}: no such metric'
                       f'{lookup.near(name, {*evaluators, *MEASURES})}')
  if colon and name in MEASURES:
    raise RequestError(f'--metrics={text}: {name} takes no arguments')


def _arguments(texts, asked) -> dict:
  """{key: value} of KEY=VALUE, each once; `asked` is the whole of them."""
  found = {}
  for each in texts:
    key, equals, value = each.partition('=')
    if not equals or key in ('', 'name'):
      raise RequestError(f'--metrics={asked}: {each!r} must be KEY=VALUE, as '
                         'in ais:chains=4:temperatures=100')
    if key in found:
      raise RequestError(f'--metrics={asked}: {key} is given twice')
    try:
      found[key] = ast.literal_eval(value)
    except (ValueError, SyntaxError):  # A text, as bernoulli.
      found[key] = value
  return found


def checkpoints(folder: str, *, best: str = '', follow: bool = False,
                **asked) -> list[tuple[int, Score]]:
  """Scores every checkpoint not yet scored with these settings.

  Appends to WORKDIR/scores.jsonl.

  Args:
    folder: the run folder.
    best: score by which the best checkpoint is kept, '' for none.
    follow: continue as long as the run does.
    **asked: of `specs`; by default the evaluators of the run.

  Returns:
    [(step, Score)] of all checkpoints that are scored, earlier ones too.

  Raises:
    WorkdirError, CheckpointError, ConfigError, DataError, RequestError: with a
      fix; none of the scores can be computed.
  """
  config, info = files.read_run(folder)
  wanted = specs(**asked)
  evaluators = wanted or config['evaluators'] or ({'name': 'scores'},)
  evaluators = tuple(_as_trained(spec, config) for spec in evaluators)
  try:
    with files.reading_data_of(folder):
      run = experiment.load(config | {'evaluators': evaluators, 'loggers': ()})
  except errors.ConfigError as e:
    if not wanted:
      raise
    raise RequestError('\n'.join(_as_asked(
        problem, len(wanted), asked) for problem in e.problems)) from e
  if run.info.fingerprint != info.fingerprint:
    raise WorkdirError(f'{folder} was trained on other data than those that '
                       'its config names now; restore the data')
  evaluator, keeper = Evaluator(run), Best(folder, best, own=True)
  abstract = parallel.abstract(jax.eval_shape(run.init), parallel.own_mesh())
  tried, held, failed = {}, {}, None
  with Checkpoints(folder) as saved:
    while True:
      running = follow and lock.is_held(folder)
      error = _score_new(folder, abstract, evaluator, saved, keeper, tried,
                         held)
      failed = error or failed
      if not running:
        break
      time.sleep(_PAUSE)
    found = [(step, score)
             for step, scores in sorted((
                 held | _recorded(folder, evaluator)).items())
             for score in scores]
    if failed and not found:
      raise failed
    if not saved.latest(anew=True):
      raise WorkdirError(f'{folder} {status.awaited(folder)}')
  _check(found, folder, best)
  return found


def _score_new(folder, abstract, evaluator, saved, keeper, tried, held):
  """Scores and keeps what was saved since.

  abstract: shapes of the state.
  tried: {step: when it was saved} of the checkpoints that were looked at.
  held: {step: scores} without any value, which are written once there is one.

  Returns:
    The error of the last checkpoint that is damaged or gone, or None.

  Raises:
    RequestError: there are no such scores of this run.
  """
  recorded, failed = _recorded(folder, evaluator), None
  for step in saved.steps():
    scores = recorded.get(step, [])
    # After a rollback a step may be saved again.
    made = _made(folder, step)
    if tried.get(step) == made or (
        scores and not any(map(keeper.wants, scores))):
      continue
    path = os.path.join(folder, 'scores.jsonl')
    if why := refused(path):  # Before hours of scoring.
      raise WorkdirError(f'{path}: cannot write it: {why}; then rerun the '
                         'command')
    tried[step] = made
    try:
      state = saved.restore(abstract, step)
    except errors.CheckpointError as e:
      _LOG.warning('step %d: %s', step, e)
      failed = e
      continue
    if not scores:
      scores = held[step] = evaluator.scores(state)
      if not scores:
        raise RequestError(f'{folder} has none of these scores: they need '
                           'classes, which the extractor does not tell, or '
                           'labels')
      if recorded or any(score.value is not None for score in scores):
        _write(folder, held)
        recorded |= held
        held.clear()
    keeper.offer(step, scores, state, max(step, *saved.steps()))
  return failed


def _write(folder, held) -> None:
  """Writes {step: scores}; WorkdirError if they cannot be."""
  path = os.path.join(folder, 'scores.jsonl')
  try:
    with ScoreWriter(folder) as writer:
      for step, scores in held.items():
        writer.write(step, scores)
  except OSError as e:
    raise WorkdirError(f'{path}: cannot write it: {unwritten(path, e)}; then '
                       'rerun the command') from e


def _check(found, folder, best) -> None:
  """Raises RequestError where there is no score, or not the one asked for."""
  if all(score.value is None for _, score in found):
    raise RequestError(f'{folder} has none of these scores: ' + '; '.join(
        sorted({f'{score.name}: {score.reason}' for _, score in found})))
  names = sorted({score.name for _, score in found})
  if best and best not in names:
    raise RequestError(f'--best={best}: no such score; there are '
                       f'{", ".join(names)}')


def _as_asked(problem, count, asked) -> str:
  """A problem of one of `count` evaluators, at the flags that asked for it."""
  # The name is in the flags.
  found = re.fullmatch(r'evaluators\[(\d+)\]\.?(?:name)?(.*)', problem.path)
  if not found:
    return f'{"config." * bool(problem.path)}{problem}'
  own = [text for text in _metrics(**asked)
         if text.partition(':')[0] not in MEASURES]
  # Those stand last, in their order: of two `ais` the text tells which.
  place = int(found[1]) - (count - len(own))
  return (_flags(asked if place < 0 else {'metrics': own[place]}) + ': '
          + str(problem._replace(path=found[2])))


def _flags(asked) -> str:
  """What is asked, as it is given on the command line."""
  asked = asked | {'metrics': ','.join(_metrics(**asked))}
  return ' '.join(f'--{key}={value}' for key, value in asked.items() if value)


def _metrics(metrics=(), **_) -> tuple[str, ...]:
  return tuple(metrics.split(',') if isinstance(metrics, str) else metrics)


def _made(folder, step) -> int:
  try:
    return os.stat(os.path.join(folder, 'checkpoints', str(step))).st_mtime_ns
  except OSError:
    return 0


def _recorded(folder, evaluator) -> dict[int, list[Score]]:
  found = {}
  for row in read_rows(os.path.join(folder, 'scores.jsonl')):
    if evaluator.protocol.items() <= row.get('protocol', {}).items():
      found.setdefault(row['step'], []).append(Score(
          **{key: row[key] for key in Score._fields if key in row}))
  return found


def _as_trained(spec, config) -> dict:
  """The evaluator `elbo` with the likelihood of the run's own term."""
  own = [term for term in config['penalties'] if term['name'] == 'elbo']
  if spec['name'] != 'elbo' or 'likelihood' in spec or not own:
    return spec
  likelihood = own[0].get('likelihood', 'bernoulli')
  if likelihood == 'features':
    raise RequestError('this run compares features of its discriminator, which '
                       'is no density of images: it has no bound in nats')
  if likelihood == 'gaussian':
    return spec | {'likelihood': 'gaussian', 'sigma': own[0].get('sigma', 0.1)}
  return spec | {'likelihood': 'bernoulli'}


def folders(images: str, reference: str, *, resize: tuple[int, ...] = (),
            channels: int = 0, out: str = '',
            **asked) -> list[tuple[int, Score]]:
  """Scores the images of one folder (or .npz) against another.

  Args:
    images: what is scored.
    reference: real images.
    resize: (H, W) of all images; () for none.
    channels: of all images: 1 grey, 3 RGB, 4 RGBA, 0 as they are.
    out: F.jsonl for the scores with their settings.
    **asked: of `specs`.

  Raises:
    ConfigError, DataError, RequestError: with a fix.
  """
  parallel.check_devices()
  if out and not out.endswith('.jsonl'):
    raise RequestError(f'--out={out}: must be F.jsonl, for a JSON '
                       'object for each score')
  refuse_record(out)
  flags = _flags(asked)
  asked, *others = specs(**asked) or ({'name': 'scores'},)
  if others or asked['name'] != 'scores':
    raise RequestError(f'--metrics={[asked, *others][-1]["name"]} is of a run: '
                       'give its --workdir')
  try:
    real, fake = (given.source(path, resize=resize, channels=channels)
                  for path in (reference, images))
    asked['num_samples'] = _count(real, fake, asked, images, reference)
    evaluate = lookup.build(CHOICES['evaluators'].module,
                            asked, source=real, seed=0)
    rows = order(len(fake.images), 0)  # Files may be sorted by class.
    scores = scores_of(evaluate(lambda start, stop: (
        np.asarray(fake.images[rows[start:stop]]), None)))
  except errors.UserError:
    raise
  except ValueError as e:  # Of the extractor or the metrics asked for.
    raise RequestError(f'{flags}: {e}' if flags else str(e)) from e
  how = {'images': os.path.abspath(images), 'images_sha256': fake.fingerprint}
  scores = [score._replace(protocol=score.protocol | how).checked()
            for score in scores]
  if alike := _alike(real, fake, scores):
    _LOG.warning('%s and %s %s', images, reference, alike)
  if out:
    with writing_out(out):
      write_file(out, ''.join(json.dumps(score._asdict()) + '\n'
                              for score in scores).encode())
  return [(0, score) for score in scores]


def _alike(real, fake, scores) -> str:
  """Why the scores may be of a set against itself; '' if they are not."""
  if fake.fingerprint == real.fingerprint:
    return 'hold the same images: these scores say nothing of a generator'
  for score in scores:
    # It is never negative, and as large for other real images.
    if (score.protocol.get('metric') == 'fd' and score.floor
        and score.value is not None and score.value < score.floor / 10):
      return (f'hold nearly the same images: {score.name} is '
              f'{score.value:.3g}, and of other real images {score.floor:.3g}')
  return ''


def _count(real, fake, asked, images, reference) -> int:
  """The smaller count; with a floor if half of the reference suffices."""
  shapes = [tuple(side.images.shape[1:]) for side in (fake, real)]
  if shapes[0] != shapes[1]:
    (*size, colours), (*other, others) = shapes
    fixes = ['--resize=H,W brings them to one size'] * (size != other) + [
        '--channels=1 makes all grey, --channels=3 all RGB'] * (
            colours != others)
    if {len(shape) for shape in shapes} != {3}:  # Not both are images.
      fixes = ['scores compare examples of one shape']
    raise RequestError(f'{images} holds examples {list(shapes[0])}, '
                       f'{reference} {list(shapes[1])}; {"; ".join(fixes)}')
  there, total = len(fake.images), len(real.images)
  count = asked.get('num_samples', min(there, total))
  if count > there:
    raise RequestError(f'--num_samples={count}: {images} holds {there} images')
  if 'num_samples' not in asked and there != total:
    _LOG.info('%d images of each: %s holds %d, %s %d', count, images, there,
              reference, total)
  if total < 2 * count:
    _LOG.info('no floor: two times %d images of %s are needed, there are %d%s',
              count, reference, total,
              f'; --num_samples={total // 2} has one' * (total >= 4))
  return count
