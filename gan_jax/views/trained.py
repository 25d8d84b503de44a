"""A trained run in Python: its networks as functions, its records as frames."""

import logging
import os
from collections.abc import Callable
from functools import cached_property, partial

import jax
import numpy as np
import pandas as pd

from gan_jax import models, parallel
from gan_jax.base.errors import RequestError
from gan_jax.base.files import read_rows
from gan_jax.config.experiment import game_of_run, initial_state
from gan_jax.data import values
from gan_jax.data.columns import decode
from gan_jax.evaluators.score import Score
from gan_jax.game import sampling, terms
from gan_jax.game.decoder import Critic, Decoder, critic_of, decoder_of
from gan_jax.game.state import Average, TrainState, pack
from gan_jax.ops import conv
from gan_jax.run import drawn_labels, files
from gan_jax.run.checkpoint import Checkpoints
from gan_jax.run.evaluator import Sampler, SamplesError, standing_labels
from gan_jax.views import asked

_LOG = logging.getLogger(__name__)


class Trained:
  """A checkpoint of a run.

  folder: the working directory of the run.
  config: dict, as in config.json.
  info: of the data: image_shape, classes, ..., see `config.build.DataInfo`.
  game: the networks, losses and optimisers.
  conditional: whether the generator looks at the label.
  """

  def __init__(self, folder: str, *, step: int = 0, strict: bool = False):
    """Reads what the run is; its checkpoint is read when it is needed.

    `step`: of the checkpoint, 0 for the newest valid one. `strict`: an error
    where the newest is damaged, instead of an older one.

    Raises:
      WorkdirError: no run there.
    """
    self.folder = os.fspath(folder)
    self.config, self.info = files.read_run(self.folder)
    self.game = game_of_run(self.config, self.info)
    self.conditional = models.is_conditional(self.config['generator'])
    self._wanted = step, strict

  @cached_property
  def state(self) -> TrainState:
    """The whole state; raises CheckpointError where there is none."""
    step, strict = self._wanted
    shapes = jax.eval_shape(lambda: initial_state(
        self.game, self.info, self.config['seed']))
    with Checkpoints(self.folder, strict=strict) as checkpoints:
      return checkpoints.restore(
          parallel.abstract(shapes, parallel.own_mesh()), step)

  def __repr__(self):
    at = f' at step {self.step:,}' if 'state' in self.__dict__ else ''
    return f'<run {self.folder}{at}>'

  @property
  def step(self) -> int:
    """Steps that were trained."""
    return int(self.state.step)

  @cached_property
  def average(self) -> Average:
    """Weights and statistics of the averaged generator, as it draws."""
    return jax.tree.map(np.asarray, self._sampler.prepared(self.state.ema))

  @property
  def params(self) -> dict:
    """Parameters of the averaged generator and of the discriminator."""
    return {'generator': self.state.ema.params,
            'discriminator': self.state.disc.params}

  def generator(self, z, label=None, *, dtype: str = 'data') -> np.ndarray:
    """Generates examples of given latents, by the averaged weights.

    Args:
      z: [N, Z].
      label: of all examples, or for each; by default as in the data, see
        `labels`.
      dtype: 'data' for what the data have: uint8, float32 in info.units where
        these are known, vectors float32, of a table a DataFrame. 'stored' for
        floats in [-1, 1] instead of units, and the vectors of a table.
        'float32' for floats in config['image_range'].

    Returns:
      [N, *info.image_shape], see `base.examples.KINDS`, or N rows.

    Raises:
      RequestError: z of another size, no such label, values that are not
        finite.
    """
    return self.images(z, self.labels(len(z), label), dtype=dtype)

  def images(self, z, labels, *, dtype: str = 'data',
             truncation: float | None = None) -> np.ndarray:
    """As `generator`, of labels [N] or [N, L] that `labels` has made.

    `truncation` of a generator with a style space, see `sample`; it does
    nothing to others, whose latents are truncated.
    """
    z = np.asarray(z, np.float32)
    size, = sampling.latent_shape(self.game.latent)
    if z.ndim != 2 or z.shape[1] != size or not len(z):
      raise RequestError(f'z has the shape {list(z.shape)}; this generator '
                         f'takes [N, {size}], N 1 or more')
    if dtype not in ('data', 'stored', 'float32'):
      raise RequestError(f'dtype={dtype!r} must be data, stored or float32')
    try:
      found = self._sampler.images(self.state.ema, z, labels,
                                   floats=dtype == 'float32',
                                   psi=truncation if self.styled else None)
    except SamplesError as e:
      raise RequestError(f'{self.folder}: {e}') from e
    if dtype != 'data':
      return found
    if self.info.columns:
      return decode(found, self.info.columns)
    return values.in_units(found, self.info.units)

  @cached_property
  def function(self) -> Callable:
    """(z [B, Z] float32, label [B] int32, noise=None) -> images, float32.

    A pure function: the `partial` one of the averaged weights.

    A label vector is [B, L] float32 in [0, 1], see `labels`. The averaged
    generator with its weights inside, of operations of `jax.lax` only and for
    any B, a symbol too: for `jax.export`, converters and whatever else reads
    JAX's programs. Images are in config['image_range']; vectors are [B, D]. It
    calculates in float32, where a config says bfloat16 too. noise: [B, size] of
    a generator that draws, see `noise`, which it is by default.
    """
    gen = self._precise.gen

    def images(average, z, label, noise=None):
      with conv.plain():
        return sampling.generate(gen, average, z, label, noise=noise)

    return partial(images, self.average)

  @property
  def input_noise(self) -> models.Noise | None:
    """The noise that the generator draws beside z; None where it draws none."""
    return self.game.gen.noise and self.game.gen.noise()

  def noise(self, z) -> np.ndarray | None:
    """That with which the images of z [N, Z] are drawn, [N, size] float32."""
    found = sampling.noise_of(self.game.gen, np.asarray(z, np.float32))
    return None if found is None else np.asarray(found)

  @cached_property
  def _precise(self):
    """The game, which calculates in float32 whatever its config says."""
    if self.config['dtype'] == 'float32':
      return self.game
    return game_of_run({**self.config, 'dtype': 'float32'}, self.info)

  @cached_property
  def decoder(self) -> Decoder:
    """The averaged generator as a model of latents, for `gan_jax.inference`.

    Raises:
      RequestError: its prior has none that can be inferred.
    """
    try:
      return decoder_of(self._precise, self.average, self.config['latent'],
                        self.config['image_range'], self.info.image_shape)
    except ValueError as e:
      raise RequestError(f'{self.folder}: {e}') from e

  @cached_property
  def critic(self) -> Critic | None:
    """The discriminator, for `gan_jax.inference`; None of a run without."""
    return critic_of(self._precise, self.state, self.config['image_range'],
                     self.info.image_shape)

  def sample(self, count: int = 64, *, label=None, seed: int = 0,
             truncation: float | None = None) -> np.ndarray:
    """Examples [count, ...] of fresh latents, see `generator`.

    Args:
      count: of images; more of them do not change the first ones.
      label: of all images, or for each: 'bee', 3, 'Mass|Edema', {'age': 63},
        ...; by default as in the data, see `labels`.
      seed: of the latents.
      truncation: largest |z_i| (see `game.sampling.truncated`). Of a generator
        with a style space psi, by which a style's distance from their mean is
        multiplied (see `game.sampling.generate`).

    Raises:
      RequestError: what cannot be had.
    """
    z = self.latents(count, seed=seed, truncation=truncation)
    return self.images(z, self.labels(count, label), truncation=truncation)

  @property
  def styled(self) -> bool:
    """Whether the generator has a style space."""
    return self.game.gen.styles is not None

  def latents(self, count: int, *, seed: int = 0, truncation=None,
              stream: int = 0) -> np.ndarray:
    """Latents [count, Z] float32 of the prior, see `sample`.

    Another `stream` of a seed has other latents.

    Raises:
      RequestError: a count below 1, a seed that is none, or a truncation that
        is too small, or of codes.
    """
    if not isinstance(count, int | np.integer) or count < 1:
      raise RequestError(f'{count} images asked for; must be 1 or more')
    check_seed(seed)
    key = jax.random.fold_in(jax.random.key(seed), stream)
    if self.styled and truncation is not None and not 0 <= truncation <= 1:
      raise RequestError(f'truncation={truncation} must be a number, 0 to 1')
    if truncation is None or self.styled:
      return np.asarray(self._sampler.latents(key, count))
    if self.config['latent']['name'] == 'infogan':
      raise RequestError(f'truncation={truncation} would erase the codes of '
                         'infogan')
    try:
      return np.asarray(sampling.truncated(self.game.latent, key, count,
                                           truncation))
    except ValueError as e:
      raise RequestError(str(e)) from e

  def labels(self, count: int, label=None) -> np.ndarray:
    """Labels as the networks take them: int32 [count], or float32 [count, L].

    By default those with which the run was scored: as frequent as in the data,
    in a fixed random order. Otherwise what is asked for, in the users' names,
    numbers and units; 'turn' for all classes in turn: see `asked.labels`.

    Raises:
      RequestError: no such label, or a run without labels.
    """
    if label is None:
      return self.drawn_labels[np.arange(count) % len(self.drawn_labels)]
    if not self.conditional:
      raise RequestError(
          f'label={label}: this run is not conditional; train one with '
          'configs/cgan.py or with --config.generator.conditioning=onehot '
          '--config.discriminator.conditioning=onehot')
    return asked.labels(self.info, count, label)

  def drawn_as(self, label=None) -> str:
    """How `labels` are drawn, in words; '' if they are asked for, or none."""
    if not self.conditional or label is not None:
      return 'classes in turn' if label == asked.TURN else ''
    if drawn_labels.read(self.folder) is None:
      return 'classes in turn'
    return f'labels drawn {drawn_labels.describe(self.config)}'

  @cached_property
  def drawn_labels(self) -> np.ndarray:
    """[M] or [M, L]: example i of a set has label i mod M by default."""
    found = drawn_labels.read(self.folder)
    if found is None and self.conditional:
      _LOG.info('%s was made before runs kept the labels of their data: all '
                'classes in turn', self.folder)
      found = np.array(self.info.classes or (0,), np.int32)
    return found if self.conditional else np.zeros(1, np.int32)

  def discriminator(self, images, label=None) -> np.ndarray:
    """Logits [N] of the discriminator, by its running statistics.

    With packing, a logit for each pack of neighbours. At most 256 packs are
    judged at a time, but for layers that compare the images of a batch.

    Args:
      images: [N, *info.image_shape]: floats in info.units where these are
        known; else uint8, or floats in config['image_range'].
      label: of all images, or for each, for a conditional discriminator, see
        `labels`.

    Raises:
      RequestError: no discriminator, images of another shape or type, or of
        a number that its groups do not divide, no such label, or a conditional
        discriminator without label.
    """
    if self.game.disc is None:
      raise RequestError(f'{self.folder} has no discriminator')
    images = self._for_networks(np.asarray(images))
    packing, spec = self.config['packing'], self.config['discriminator']
    if self.judges_labels and label is None:
      raise RequestError('this discriminator looks at the label: give that of '
                         'all images, or one for each')
    label = (asked.labels(self.info, len(images), label) if self.judges_labels
             else np.zeros(len(images), np.int32))
    whole = models.filled(spec).get('minibatch', 'none') != 'none'
    size = len(images) if whole else 256 * packing
    try:
      return np.concatenate([np.asarray(self._judge(
          self.state, images[i:i + size], label[i:i + size:packing]))
          for i in range(0, len(images), size)])
    except ValueError as e:  # Of layers that compare groups of images.
      raise RequestError(f'{len(images)} images: {e}') from e

  @property
  def judges_labels(self) -> bool:
    """Whether the discriminator looks at the label."""
    # Of a joint game it looks at the code in its place.
    return self.config['joint'] == 'none' and models.is_conditional(
        self.config['discriminator'])

  def _for_networks(self, images):
    """Images that a user gives, in the networks' units; or RequestError."""
    packing, shape = self.config['packing'], tuple(self.info.image_shape)
    if images.shape[1:] != shape or not len(images) or len(images) % packing:
      several = f', N a multiple of {packing}' if packing > 1 else ''
      raise RequestError(f'images have the shape {list(images.shape)}; this '
                         f'discriminator takes [N, {str(list(shape))[1:]}'
                         f'{several}')
    low, high = self.info.units or self.config['image_range']
    if images.dtype.kind != 'f' and (self.info.units
                                     or images.dtype != np.uint8):
      raise RequestError(f'images are {images.dtype}; give '
                         + 'uint8, or ' * (not self.info.units)
                         + f'floats in {(low, high)}')
    margin = 0.005 * (high - low)
    if images.dtype.kind == 'f' and images.ndim > 2 and not (
        low - margin <= images.min() and images.max() <= high + margin):
      raise RequestError(f'images from {images.min():.4g} to '
                         f'{images.max():.4g}; floats must be in '
                         f'{(low, high)}')
    return values.from_units(images, self.info.units)

  def scalars(self) -> pd.DataFrame:
    """What was logged, a row for each logged step, a column for each scalar."""
    frame = pd.DataFrame(self._rows('scalars.jsonl'))
    return frame.set_index('step') if len(frame) else frame

  def scores(self) -> pd.DataFrame:
    """All scores: step, name, value, low, high, floor, evaluation settings."""
    rows = self._rows('scores.jsonl')
    return pd.DataFrame(rows, columns=None if rows else [
        'step', *Score._fields])

  def last_scores(self) -> list[dict]:
    """The newest row of each score in scores.jsonl."""
    found = {}
    for row in self._rows('scores.jsonl'):
      if 'name' in row and row['step'] >= found.get(row['name'], row)['step']:
        found[row['name']] = row
    return list(found.values())

  def _rows(self, name):
    return read_rows(os.path.join(self.folder, name))

  @cached_property
  def _sampler(self):
    drawn = drawn_labels.read(self.folder)
    # A run older than its labels has no such key, or no labels.
    drawn = np.zeros(1, np.int32) if drawn is None else drawn
    return Sampler(self.game, self.config['image_range'], self.info.units,
                   standing_labels(self.config, drawn))

  @cached_property
  def _judge(self):
    game = self.game

    @jax.jit
    def judge(state, images, label):
      images = parallel.scale(images, self.config['image_range'])
      if game.joint != 'none':  # Judged with the code of the encoder.
        label = game.gen.encode(state.ema.params, state.ema.stats, images,
                                label, train=False).mean
      return terms.judged(game, game.disc.apply(
          state.disc.params, state.disc.stats, pack(images, game.packing),
          label, train=False)[0]).logits

    return judge


def check_seed(seed: int) -> None:
  """Raises RequestError for what is no seed of latents."""
  if not isinstance(seed, int | np.integer) or not 0 <= seed < 2**32:
    raise RequestError(f'seed={seed} must be a whole number from 0 to '
                       '2**32 - 1')
