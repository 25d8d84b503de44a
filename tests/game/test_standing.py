"""Standing statistics of batch norm."""

import jax
import numpy as np
import pytest
import tiny
from flax import linen as nn
from small_models import build, inputs, some_variables

from gan_jax import parallel
from gan_jax.base.errors import ConfigError
from gan_jax.config import experiment
from gan_jax.game import sampling
from gan_jax.game.state import Average
from gan_jax.models import as_model
from gan_jax.run.evaluator import Evaluator

BATCH = dict(name='mlp.Generator', widths=(8,), norm='batch')


def test_moments_are_those_of_the_batches():
  model = build('mlp.Generator', 'Generator', norm='batch', norm_momentum=0.7)
  z, label = inputs('Generator', batch=12)
  params, stats = some_variables(model, z, label)
  params['Dense_0']['bias'] += 1000.0  # The larger the mean, the harder.
  average = jax.jit(lambda average, z, label: sampling.standing(
      model, average, z, label, 'data'))(
          Average(params, stats), z.reshape(3, 4, 5), label.reshape(3, 4))
  names = sorted(stats['batch_stats'])
  first = average.stats['batch_stats'][names[0]]['BatchNorm_0']
  x = np.float64(z) @ np.float64(params['Dense_0']['kernel'])
  x = (x + np.float64(params['Dense_0'].get('bias', 0))).reshape(3, 4, -1)
  np.testing.assert_allclose(first['mean'], x.mean((0, 1)), rtol=1e-5)
  np.testing.assert_allclose(first['var'], x.var(1).mean(0), rtol=1e-2)
  # Of one batch: that of training, whatever the running averages were.
  one = sampling.standing(model, Average(params, stats), z[None], label[None],
                          'data')
  trained, _ = model.apply(params, stats, z, label, train=True)
  np.testing.assert_allclose(sampling.generate(model, one, z, label), trained,
                             atol=2e-3)


def test_other_statistics_and_networks_without_are_as_they_were():
  model = build('mlp.Generator', 'Generator', weight_norm='spectral')
  z, label = inputs('Generator')
  average = Average(*some_variables(model, z, label))
  assert sampling.standing(model, average, z[None], label[None],
                           'data') is average


@pytest.fixture(scope='module')
def standing(images):
  return experiment.load(tiny.config(images, generator=BATCH,
                                     standing_batches=2))


def test_scores_and_samples_use_them_if_the_config_asks(standing):
  images, state = [], standing.init()
  for count in (0, 2):
    evaluator = Evaluator(standing._replace(
        config=standing.config | {'standing_batches': count}))
    images.append(evaluator.draw(state.ema, 0, 6)[0])
    said = evaluator.protocol['batch_norm']
    assert said == ('standing statistics of 2 batches' if count else
                    'running statistics')
    np.testing.assert_array_equal(  # the same each time
        evaluator.draw(state.ema, 0, 6)[0], images[-1])
  assert (images[0] != images[1]).any()


@pytest.mark.usefixtures('no_constants')
def test_latents_of_the_batches_are_in_no_program(standing):
  Evaluator(standing).draw(standing.init().ema, 0, 6)  # They have 256 bytes.


def test_they_are_computed_once_for_all_parts_of_a_set(standing, monkeypatch):
  evaluator, averages = Evaluator(standing), [standing.init().ema] * 2
  averages.append(jax.tree.map(np.zeros_like, averages[0]))
  whole, asked = evaluator.draw(averages[0], 0, 6)[0], []
  compute = evaluator.sampler._standing
  monkeypatch.setattr(evaluator.sampler, '_standing', lambda average: (
      asked.append(average), compute(average))[1])
  parts = [evaluator.draw(average, i, i + 3)[0]
           for i, average in zip((0, 3, 0), averages, strict=True)]
  np.testing.assert_allclose(np.int32(np.concatenate(parts[:2])),
                             np.int32(whole), atol=1)
  assert asked == [averages[2]]  # The others are known.
  assert (parts[2] != parts[0]).any()


def test_four_devices_share_what_one_makes(standing):
  average, evaluator = standing.init().ema, Evaluator(standing)
  one = evaluator.draw(average, 0, 9)[0]
  spread = parallel.replicate(jax.tree.map(np.array, average),
                              parallel.make_mesh(4))
  four = evaluator.draw(spread, 0, 9)[0]
  np.testing.assert_allclose(np.int32(four), np.int32(one), atol=1)


@pytest.mark.parametrize('generator', [
    None, dict(name='r3gan.Generator')])  # The second has no field `norm`.
def test_a_generator_without_batch_norm_is_refused(tmp_path, generator):
  config = tiny.config(tiny.write_images(tmp_path / 'images.npz'))
  config |= {'generator': generator or config['generator']}
  with pytest.raises(ConfigError, match=r"standing_batches.*norm='none'; use"):
    experiment.load(config | {'standing_batches': 2})


class Drawing(nn.Module):
  """Batch norm, other statistics, and noise that needs the keys of training."""

  @nn.compact
  def __call__(self, z, label, *, train, keys=None):
    shift = self.variable('others', 'shift', np.zeros, ()).value
    x = nn.BatchNorm(use_running_average=not train, axis_name='data')(z + shift)
    if train:
      x += jax.vmap(lambda key: jax.random.normal(key, z.shape[1:]))(keys)
    return x


def test_a_network_that_draws_has_keys_and_its_other_statistics():
  model = as_model(Drawing())
  z, label = inputs('Generator', batch=6)
  params, stats = model.init(jax.random.key(0), z, label)
  average = Average(params, stats | {'others': {'shift': np.float32(5.0)}})
  found = sampling.standing(model, average, z[None], label[None], 'data')
  np.testing.assert_allclose(
      found.stats['batch_stats']['BatchNorm_0']['mean'], 5 + z.mean(0),
      rtol=1e-5)
  assert found.stats['others'] == {'shift': 5.0}
