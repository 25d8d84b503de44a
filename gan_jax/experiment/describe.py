"""--dry_run: what a config would do, in words and numbers."""

import jax
import jax.numpy as jnp

from gan_jax.experiment.load import Experiment
from gan_jax.experiment.rules import latent_shape
from gan_jax.state import pack


def describe(experiment: Experiment) -> str:
  """Networks layer by layer, durations, memory."""
  config, facts, game = experiment.config, experiment.facts, experiment.game
  batch = config['batch_size']
  z = jnp.zeros((batch, *latent_shape(game)))
  label = jnp.zeros((batch,), jnp.int32)
  image = pack(jnp.zeros((batch, *facts.image_shape)), game.packing)
  state = jax.eval_shape(experiment.init)
  seen = experiment.train_steps * batch * config['disc_steps']
  source = experiment.source
  data = source.images.nbytes + source.labels.nbytes
  where = ('on each device' if experiment.resident
           else 'streamed from the host')
  return '\n'.join([
      'Generator', game.gen.describe(z, label),
      'Discriminator', game.disc.describe(image, label[:len(image)]),
      f'data: {facts.name}, {facts.num_examples:,} '
      f'{"images" if len(facts.image_shape) == 3 else "vectors"} '
      f'{facts.image_shape}, {len(facts.classes)} classes'
      + (f', {facts.unlabelled:,} without a label' if facts.unlabelled else ''),
      f'train: {experiment.train_steps:,} steps = {seen:,} real examples = '
      f'{seen / facts.num_examples:.1f} epochs',
      f'memory: data {data / 2**20:.1f} MiB, {where}; state '
      f'{_bytes(state) / 2**20:.1f} MiB on each device'])


def _bytes(tree) -> int:
  return sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(tree))
