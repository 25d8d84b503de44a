"""Sample grids and scores during training."""

import logging
import math
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax import models, parallel, pictures
from gan_jax.base import lookup
from gan_jax.base.examples import kind_of
from gan_jax.base.files import short_hash
from gan_jax.config import keys
from gan_jax.config.build import labels_like
from gan_jax.config.experiment import Experiment
from gan_jax.data.label_values import name_of
from gan_jax.data.pipeline import Batches
from gan_jax.evaluators.score import Score, scores_of
from gan_jax.game import sampling
from gan_jax.game.decoder import Decoder, decoder_of
from gan_jax.penalties.term import names
from gan_jax.run import drawn_labels
from gan_jax.run.changes import RESUMABLE

_LOG = logging.getLogger(__name__)
_GRID, _SCORES = 0, 1  # folded into the key: they share no latent
_STANDING = 2**31 - 3  # seed of the latents of standing statistics
_CHUNK = 1000  # examples that D classifies at a time
_POINTS = 2000  # of a scatter plot, generated and real


class SamplesError(ValueError):
  """Generated examples are not finite."""


class Sampler:
  """Compiled sampling from the EMA generator.

  It gives what a `data.prepare.Source` stores: uint8; float32 in [-1, 1] where
  `units` are given; vectors as they are, float32 [B, D]. Labels are int32 [B],
  or label vectors float32 [B, L].

  standing: labels of the batches [N, B] or [N, B, L] of which `images` computes
    the statistics of batch norms, see `sampling.standing`; none for those that
    the average has.
  """

  def __init__(self, game, image_range, units=(), standing=None):
    self._latent = jax.jit(partial(sampling.latents, game.latent),
                           static_argnums=1)
    generate = partial(sampling.generate, game.gen)
    self._generate, self._share = jax.jit(generate), parallel.spread(generate)
    self._low, self._high = image_range
    self._floats = bool(units)
    self._standing, self._kept = None, (None, None)
    if standing is not None:
      z = self._latent(jax.random.key(_STANDING), math.prod(standing.shape[:2]))
      # Arguments: constants would be part of the program. Of numpy: in a run
      # of several processes each gives the same.
      self._standing = partial(
          jax.jit(partial(sampling.standing, game.gen,
                          axis_name=parallel.AXIS)),
          z=np.asarray(z).reshape(*standing.shape[:2], -1), label=standing)

  def latents(self, key, count: int, start: int = 0):
    """Latents [count, Z] from position `start` on."""
    return self._latent(key, count, start)

  def images(self, average, z, label, *, chunk: int = 256, floats: bool = False,
             psi: float | None = None) -> np.ndarray:
    """Generates examples of z [B, Z], label [B], `chunk` at a time per device.

    All devices that hold `average` share them, see `parallel.spread`. `floats`
    leaves images in the generator's range, float32. psi: see
    `sampling.generate`.

    Raises:
      SamplesError: some are not finite, which uint8 would hide.
    """
    average = self.prepared(average)
    chunk *= parallel.copies(average)
    arrays = [z, np.asarray(label)]
    if psi is not None:
      arrays.append(np.full(len(z), psi, np.float32))
    found = []
    for i in range(0, len(z), chunk):
      x = self._share(average, *(a[i:i + chunk] for a in arrays))
      if not np.isfinite(x).all():
        raise SamplesError('generated examples are not finite')
      found.append(np.asarray(x) if floats else self.finish(x))
    return np.concatenate(found)

  def prepared(self, average):
    """The average with the statistics of which `images` are generated."""
    if not self._standing:
      return average
    if average is not self._kept[0]:  # Scores ask for many parts of a set.
      self._kept = average, self._standing(average)
    return self._kept[1]

  def start(self, average, z, label):
    """Dispatches the generation without waiting."""
    return self._generate(average, z, jnp.asarray(label))

  def finish(self, images) -> np.ndarray:
    """Waits for `start`; converts to what is stored."""
    x = np.asarray(images)
    if x.ndim == 2:
      return x.astype(np.float32)
    if self._floats:  # whose image_range is (-1, 1)
      return x.astype(np.float32).clip(-1.0, 1.0)
    return pictures.to_uint8(  # which takes images in [-1, 1]
        (x - self._low) * (2.0 / (self._high - self._low)) - 1.0)


def standing_labels(config, drawn) -> np.ndarray | None:
  """`standing` of a `Sampler`, of labels of generated sets; None for none."""
  count, size = config['standing_batches'], config['batch_size']
  if not count:
    return None
  return np.resize(drawn, (count, size, *np.shape(drawn)[1:]))


def grid_labels(experiment: Experiment) -> np.ndarray:
  """Labels [rows * columns] of the sample grid, a row per class if conditional.

  For vectors, labels of many points, cycling through the classes. Where labels
  are vectors, those of the first examples of a generated set.
  """
  rows, columns = experiment.config['sample_grid']
  classes = experiment.info.classes
  conditional = models.is_conditional(experiment.config['generator'])
  points = len(experiment.info.image_shape) == 1
  if experiment.info.label_columns and conditional:
    drawn = drawn_labels.of_experiment(experiment)
    size = drawn.shape[1]
    return (np.resize(drawn, (_POINTS, size)) if points else
            np.repeat(np.resize(drawn, (rows, size)), columns, axis=0))
  if points:
    classes = classes if conditional else ()
    return np.resize(np.array(classes or (0,), np.int32), _POINTS)
  if not conditional:
    return np.zeros(rows * columns, np.int32)
  return np.repeat(np.array(classes[:max(rows, 20)], np.int32), columns)


def grid_names(experiment: Experiment) -> list[str]:
  """Names of the rows of the sample grid, [] where their classes have none."""
  names = experiment.info.class_names
  if not (names and models.is_conditional(experiment.config['generator'])):
    return []
  rows = grid_labels(experiment)[::experiment.config['sample_grid'][1]]
  return [name_of(label, names) for label in rows]


class Evaluator:
  """Sample grids (scatter plots for vectors) and scores of a state."""

  def __init__(self, experiment: Experiment, sampler: Sampler | None = None):
    """Draws the latents of the grid, fixed for the run and all its resumes.

    `sampler`: of a run with the same generator, by default a new one.
    """
    self._run, config = experiment, experiment.config
    self._drawn = drawn_labels.of_experiment(experiment)
    self.sampler = sampler or Sampler(
        experiment.game, config['image_range'], experiment.info.units,
        standing_labels(config, self._drawn))
    self._key = jax.random.fold_in(jax.random.key(config['seed']), 2**31 - 2)
    self._label = grid_labels(experiment)
    self._z = self.sampler.latents(
        jax.random.fold_in(self._key, _GRID), len(self._label))
    self._classify = None
    if read := experiment.game.class_logits:
      self._classify = jax.jit(lambda disc, images: read(
          experiment.game.disc.apply(
              disc.params, disc.stats,
              parallel.scale(images, config['image_range']),
              labels_like(experiment.info, len(images)), train=False)[0]))
    self._conditional = models.is_conditional(config['generator'])
    self._in_vain = set()  # evaluators without a score: announced once

  def start_grid(self, average):
    """Dispatches the grid of an EMA generator, which may be donated then."""
    return self.sampler.start(average, self._z, self._label)

  def finish_grid(self, started) -> np.ndarray:
    """Waits for `start_grid`; returns the image, uint8 [H', W', C']."""
    run, real = self._run, None
    if len(run.info.image_shape) == 1:
      # Some real examples in a fixed order.
      real = run.source.images
      order = Batches(len(real), min(_POINTS, len(real)), 0)(0, 1)[0]
      real = np.asarray(real[order])
    return pictures.sheet(
        self.sampler.finish(started), run.config['sample_grid'][1],
        rate=run.info.rate, names=grid_names(run), real=real,
        table=run.info.columns)

  def draw(self, average, start: int, stop: int):
    """Generates (examples, labels or None) of positions start to stop - 1.

    Labels are those of `drawn_labels`. All devices that hold a replica of
    `average` take part.
    """
    z = self.sampler.latents(jax.random.fold_in(self._key, _SCORES),
                             stop - start, start)
    label = self._drawn[np.arange(start, stop) % len(self._drawn)]
    images = self.sampler.images(average, z, label)
    return images, label if self._conditional else None

  def scores(self, state, draw: Callable | None = None, *,
             forgiving: bool = False) -> list[Score]:
    """Computes all configured scores of a state.

    Args:
      state: its EMA generator is scored.
      draw: (start, stop) -> as `self.draw`, for several processes.
      forgiving: a failing evaluator gives a score without a value, with the
        reason.
    """
    draw = draw or partial(self.draw, state.ema)
    how, run = self.protocol | {'step': int(state.step)}, self._run
    # What an evaluator may ask for.
    more = {'classify': self._classify and partial(self._classes, state.disc),
            'model': partial(self._decoder, state.ema)}
    found = []
    for i, (spec, evaluate) in enumerate(zip(
        run.config['evaluators'], run.evaluators, strict=True)):
      if i not in self._in_vain:
        _LOG.info('scores step %d: %s', how['step'], spec['name'])
      try:
        scores = scores_of(evaluate(draw, **{
            key: value for key, value in more.items() if names(evaluate, key)}))
      except Exception as e:
        if not (forgiving or isinstance(e, SamplesError)):
          raise
        scores = [Score(spec['name'], reason=lookup.failure(e, evaluate))]
      if all(score.value is None for score in scores):
        self._in_vain.add(i)
      found += [score._replace(protocol=score.protocol | how).checked()
                for score in scores]
    return found

  def _classes(self, disc, images) -> np.ndarray:
    """Class logits [N, K] that D gives to examples as they are stored."""
    return np.concatenate([np.asarray(self._classify(
        disc, np.asarray(images[i:i + _CHUNK])))
                           for i in range(0, len(images), _CHUNK)])

  def _decoder(self, average) -> Decoder:
    config, info = self._run.config, self._run.info
    return decoder_of(self._run.game, self.sampler.prepared(average),
                      config['latent'], config['image_range'], info.image_shape)

  @property
  def protocol(self) -> dict:
    """Evaluation settings that all scores of this run share."""
    config = self._run.config
    game = {k: v for k, v in keys.without_added(config).items()
            if k not in RESUMABLE}
    drawn, info = drawn_labels.describe(config), self._run.info
    count = config['standing_batches']
    floats = info.units and kind_of(info.image_shape) != 'images'
    return {'weights': 'ema' if config['ema_decay'] else 'last',
            'batch_norm': (f'standing statistics of {count} batches' if count
                           else 'running statistics'),
            'rounding': ('none' if floats else
                         'clip(round((x + 1) * 127.5), 0, 255)'),
            'config': short_hash(game),
            'evaluators': short_hash(config['evaluators']),
            **({'labels': drawn} if drawn else {})}


def equilibrium(loss, batch_size: int = 64) -> dict[str, float]:
  """Losses and discriminator outputs at the theoretical equilibrium.

  There real and generated images look the same, so D outputs one number c for
  both: the one with the lowest loss.disc(c, c). If several c are lowest (a
  critic's offset is free), values that depend on c are left out.

  Returns:
    {'loss/disc': ..., 'loss/gen': ..., 'auc': 1/2, 'prob/*': ..., 'sign/*': 0
    where c is}; * is real, fake and held_out, but for sign/fake. {} for a loss
    that does not read logits, or is finite nowhere.
  """
  if loss.inputs != 'logits' or loss.needs:
    return {}
  memory = (loss.memory,) if loss.memory else ()

  def both(c):
    def one(x):
      x = jnp.full((batch_size,), x)
      return (jnp.mean(loss.disc(x, x, *memory)),
              jnp.mean(loss.gen(x, x, *memory)))

    # A loss may use batch_mean: one device here.
    disc, gen = jax.vmap(one, axis_name=parallel.AXIS)(c[None])
    return disc[0], gen[0]

  # Numpy around one program: each operation outside would be one more, which
  # the start waits for.
  c = np.linspace(-5.0, 5.0, 10001, dtype=np.float32)
  disc, gen = map(np.asarray, jax.jit(
      lambda c: jax.lax.map(both, c, batch_size=128))(c))
  lowest = np.flatnonzero(disc <= disc.min() + 1e-5)
  if not len(lowest):  # all NaN
    return {}
  middle = lowest[len(lowest) // 2]
  found = {'loss/disc': float(disc.min()), 'auc': 0.5}
  if float(np.ptp(gen[lowest])) < 0.05:
    found['loss/gen'] = float(gen[middle])
  if float(c[lowest[-1]] - c[lowest[0]]) < 0.1:
    level = 1 / (1 + math.exp(-c[middle]))
    found |= {f'prob/{x}': level for x in ('real', 'fake', 'held_out')}
    if abs(float(c[middle])) < 0.01:
      found |= {'sign/real': 0.0, 'sign/held_out': 0.0}
  return found
