"""Label vectors in networks: by hand, and in two steps of training."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny
from small_models import KEY, build, inputs, some_variables

from gan_jax import parallel
from gan_jax.base.errors import ConfigError
from gan_jax.config import experiment
from gan_jax.models import layers

VECTORS = np.float32([[0.5, 0.0, 1.0], [0.25, 1.0, 0.0]])


def test_the_code_of_classes_is_one_hot_and_that_of_vectors_themselves():
  np.testing.assert_array_equal(layers.label_code(np.int32([2, 0]), 3),
                                [[0, 0, 1], [1, 0, 0]])
  np.testing.assert_array_equal(layers.label_code(VECTORS, 3), VECTORS)


def test_what_is_joined_to_the_input_by_hand():
  x = np.full((2, 1), 7.0, np.float32)
  join = layers.LabelCode('onehot', num_classes=3, embed_dim=0)
  np.testing.assert_array_equal(join.apply({}, x, VECTORS),
                                np.concatenate([x, VECTORS], 1))
  learnt = layers.LabelCode('embedding', num_classes=3, embed_dim=4)
  params = learnt.init(KEY, x, VECTORS)['params']
  kernel = params['Dense_0']['kernel']
  assert set(params['Dense_0']) == {'kernel'} and kernel.shape == (3, 4)
  np.testing.assert_allclose(learnt.apply({'params': params}, x, VECTORS),
                             np.concatenate([x, VECTORS @ kernel], 1),
                             rtol=1e-6)


def test_a_projection_is_linear_in_the_label():
  model = build('mlp.Discriminator', 'Discriminator', conditioning='projection')
  x, _ = inputs('Discriminator', (2,), batch=2)
  params, stats = some_variables(model, x, VECTORS)
  out, _ = model.apply(params, stats, x, VECTORS, train=False)
  heads = params['Heads_0']
  features = np.asarray(out.features)
  want = features @ heads['logits']['kernel'][:, 0] + heads['logits']['bias']
  want += ((VECTORS @ heads['projection']['kernel']) * features).sum(1)
  np.testing.assert_allclose(out.logits, want, rtol=1e-5)


@pytest.mark.parametrize('name', ['dcgan', 'biggan'])
def test_a_one_hot_vector_means_what_its_class_means(name):
  """By the one-hot label in the norms; biggan's embedding has the same rows."""
  model = build(f'{name}.Generator', 'Generator', norm='conditional_batch',
                conditioning='onehot')
  z, label = inputs('Generator')
  one_hot = np.eye(3, dtype=np.float32)[label]
  params, stats = some_variables(model, z, label)
  draw = jax.jit(lambda *given: model.apply(*given, train=False)[0])
  want = draw(params, stats, z, label)
  if name == 'biggan':
    params['embedding'] = {'kernel': params['embedding']['embedding']}
  got = draw(params, stats, z, one_hot)
  np.testing.assert_allclose(got, want, atol=1e-5)


def _config(**changes):
  return tiny.config('', data=dict(name='described:points'), batch_size=8,
                     steps_per_call=2, **changes)


@pytest.mark.parametrize('generator,discriminator', [
    (dict(conditioning='onehot'), dict(conditioning='projection')),
    (dict(conditioning='embedding', embed_dim=4), dict(conditioning='onehot')),
    (dict(norm='conditional_batch'), dict(conditioning='embedding'))])
def test_conditional_networks_train_on_label_vectors(generator, discriminator):
  run = experiment.load(_config(
      generator=dict(name='mlp.Generator', widths=(8,), **generator),
      discriminator=dict(name='mlp.Discriminator', widths=(8,),
                         **discriminator),
      penalties=(dict(name='wgan_gp', weight=1.0),)))
  assert run.info.classes == () and run.info.unlabelled == 0
  assert run.info.label_size == 3
  assert 'vectors (2,), 3 numbers as label' in experiment.describe(run)
  mesh = parallel.make_mesh(1)
  runner = parallel.make_runner(run.step, mesh, seed=0, image_range=(-1., 1.))
  before = jax.tree.map(np.array, run.init())
  after, scalars = runner(
      parallel.replicate(before, mesh),
      parallel.replicate(parallel.Data(run.source.images, run.source.labels),
                         mesh), run.batches(0, 2).reshape(2, 1, -1))
  assert int(after.step) == 2
  assert all(np.isfinite(v).all() for v in jax.tree.leaves(scalars))
  for player in ('gen', 'disc'):
    old, new = (getattr(state, player).params for state in (before, after))
    assert all(np.any(np.asarray(a) != b) for a, b in zip(
        jax.tree.leaves(new), jax.tree.leaves(old), strict=True))
  # What is generated follows the label.
  z, one, other = np.ones((2, 4), np.float32), VECTORS, VECTORS[::-1]
  made = [run.game.gen.apply(after.gen.params, after.gen.stats, z,
                             jnp.asarray(label), train=False)[0]
          for label in (one, other)]
  assert np.abs(np.asarray(made[0] - made[1])).max() > 1e-6


@pytest.mark.parametrize('changes,words', [
    (dict(penalties=(dict(name='acgan', weight=1.0),)),
     r'penalties\[0\].name = .*acgan needs one class per example.*3 numbers; '
     'data.label_index=0 to 2'),
    (dict(penalties=(dict(name='semi_supervised', weight=1.0),)),
     'semi_supervised needs one class'),
    (dict(evaluators=(dict(name='classification_accuracy'),)),
     'a classifier is for images')])
def test_what_needs_classes_is_refused(changes, words):
  with pytest.raises(ConfigError, match=words):
    experiment.load(_config(
        generator=dict(name='mlp.Generator', conditioning='onehot'), **changes))
