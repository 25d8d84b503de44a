"""What is refused before a run, and no more: by config, data and game."""

import re
import types

import numpy as np
import pytest
import tiny

from gan_jax import parallel
from gan_jax.base.errors import ConfigError, Problem
from gan_jax.config import experiment, rules
from gan_jax.losses import Loss
from gan_jax.penalties import Regulariser

INFO = experiment.DataInfo('toy', (6, 6, 1), 100, 3, (0, 1, 2), '', '')
NONE = dict(num_classes=0, classes=())
VECTORS = dict(image_shape=(6,))
SOME = dict(unlabelled=40)
NUMBERS = NONE | dict(label_columns=(('age', 0.0, 9.0), ('size', 0.0, 9.0)))
G = dict(name='mlp.Generator', widths=(8,))
TOLD_G = G | dict(conditioning='onehot')
D = dict(name='mlp.Discriminator', widths=(8,))
TOLD_D = D | dict(conditioning='onehot')
AUTO = dict(name='autoencoder.Discriminator')
MMD = dict(name='mmd')
HERE = f'{__name__}:'


def of_class():
  """A term of a user's own, which may read label vectors too."""
  return Regulariser(gen=lambda fake_out, label: 0.0 * fake_out.logits)


def of_disc_class():
  return lambda real_out, label: 0.0


def of_disc_critic():
  return lambda fake_critic: 0.0


def of_heads():
  return Regulariser(disc=lambda real_out: 0.0,
                     heads=(('embedding', 8), ('proxies', 8)))


def of_labelled():
  return lambda labelled: 0.0


def of_encoder():
  return Regulariser(gen=lambda encode: 0.0)


def of_critic():
  return Regulariser(gen=lambda fake_critic: 0.0)


def own_loss():
  return Loss(lambda real, fake: real - fake, lambda real, fake: fake)


def own_network():
  raise NotImplementedError  # It is not built here.


def named(*names, **arguments):
  return tuple(dict(name=HERE + name if name.startswith('of_') else name,
                    **arguments) for name in names)


def terms(*names, **arguments):
  return dict(penalties=named(*names, weight=1.0, **arguments))


def moves(*names):
  return dict(augment=named(*names))


def rates(disc, gen, parts, **changes):
  return dict(disc_steps=disc, gen_steps=gen, accumulate_steps=parts, **changes)


E = dict(name='mlp.Encoder', widths=(8,))
PAIRS = dict(joint='mean', encoder=E, discriminator=TOLD_D)
CASES = [
    (rates(3, 1, 2), {}, 'accumulate_steps'),
    (rates(1, 3, 2), {}, 'accumulate_steps'),
    (rates(4, 1, 2), {}, ''), (rates(2, 1, 4), {}, ''),
    (rates(1, 2, 4), {}, ''), (rates(1, 1, 2), {}, ''),
    (rates(1, 1, 2, unrolled_steps=1), {}, 'unrolled_steps'),
    (rates(1, 1, 1, unrolled_steps=1), {}, ''),
    (moves('cutout'), VECTORS, 'augment'),
    (moves('apa', 'instance_noise'), VECTORS, ''),
    (moves('cutout') | dict(image_range=(0.0, 1.0)), {}, 'augment'),
    (moves('apa', 'horizontal_flip', 'instance_noise')
     | dict(image_range=(0.0, 1.0)), {}, ''),
    (dict(packing=2, discriminator=TOLD_D), {}, 'packing'),
    (dict(packing=2, generator=TOLD_G) | terms('acgan'), {}, 'packing'),
    (dict(packing=2) | terms('r1'), {}, ''),
    (dict(generator=TOLD_G) | terms('acgan'), NUMBERS, 'penalties[0].name'),
    (dict(generator=TOLD_G) | terms('of_class'), NUMBERS, ''),
    (terms('of_labelled'), NUMBERS, 'penalties[0].name'),
    (terms('of_labelled'), NONE, 'penalties[0].name'),
    (terms('r1'), NONE, ''),
    (terms('of_labelled'), {}, ''),
    (terms('of_labelled') | dict(discriminator=TOLD_D), {},
     'penalties[0].name'),
    (terms('of_class'), {}, 'penalties[0].name'),
    (dict(generator=TOLD_G, penalties=(
        *named('contragan', size=4, weight=1.0),
        *named('reacgan', size=8, weight=1.0))), {}, 'penalties[1].size'),
    (dict(generator=TOLD_G, penalties=(
        *named('contragan', size=4, weight=1.0),
        *named('of_heads', weight=1.0))), {}, 'penalties[1].name'),
    (terms('semi_supervised', 'feature_matching'), SOME, ''),
    (terms('of_disc_class') | moves('apa'), {}, 'augment'),
    (terms('of_disc_class') | moves('ada'), {}, ''),
    (dict(generator=TOLD_G) | terms('of_disc_class') | moves('apa'), {}, ''),
    (dict(loss=MMD) | terms('of_disc_critic'), {}, 'penalties[0].name'),
    (dict(generator=TOLD_G), SOME, 'generator.conditioning'),
    (dict(discriminator=TOLD_D), SOME, 'discriminator.conditioning'),
    (dict(generator=TOLD_G) | terms('r1', 'of_class'), SOME,
     'generator.conditioning penalties[1].name'),
    (dict(loss=dict(name='hinge_each')), {}, 'loss.name'),
    (dict(loss=dict(name='ebgan')), {}, 'loss.name'),
    (dict(discriminator=AUTO), {}, 'discriminator.name'),
    (dict(loss=dict(name='ebgan'), discriminator=AUTO), {}, ''),
    (dict(loss=dict(name='ebgan'), discriminator=AUTO) | moves('ada'), {},
     'augment'),
    (dict(loss=dict(name='disc_only')), {}, 'loss.name'),
    (dict(loss=dict(name='disc_only')) | terms('r1'), {}, 'loss.name'),
    (dict(loss=dict(name='disc_only')) | terms('feature_matching'), {}, ''),
    (dict(loss=MMD, gradient_normalization=True), {}, 'gradient_normalization'),
    (dict(loss=MMD, latent_steps=named('natural', bound=0.0)), {},
     'latent_steps'),
    (dict(loss=MMD) | moves('horizontal_flip'), {}, ''),
    (dict(loss=MMD) | terms('r1'), {}, 'penalties[0].name'),
    (dict(loss=MMD) | terms('of_critic'), {}, 'penalties[0].name'),
    (dict(loss=MMD) | terms('feature_matching'), {}, ''),
    (dict(loss=MMD) | terms('semi_supervised', 'feature_matching'), {},
     'penalties'),
    (terms('semi_supervised', 'semi_supervised'), {}, 'penalties'),
    (dict(loss=dict(name='relativistic')) | moves('apa'), {}, 'augment'),
    (dict(loss=dict(name='relativistic')) | moves('bgc'), {}, ''),
    (dict(loss=dict(name='hinge')) | moves('ada'), {}, ''),
    (dict(gradient_normalization=True, discriminator=D | dict(norm='batch')),
     {}, 'gradient_normalization'),
    (dict(gradient_normalization=True, discriminator=D | dict(minibatch='std')),
     {}, 'gradient_normalization'),
    (dict(gradient_normalization=True, discriminator=D | dict(norm='layer')),
     {}, ''),
    (terms('of_encoder'), {}, 'penalties[0].name'),
    (terms('of_encoder') | dict(encoder=E), {}, ''),
    (terms('of_encoder') | dict(encoder=E, packing=2), {}, 'penalties[0].name'),
    (terms('of_encoder') | dict(encoder=E | dict(conditioning='onehot')), {},
     'encoder.conditioning'),
    (terms('of_encoder') | dict(encoder=E | dict(conditioning='onehot'),
                                generator=TOLD_G), {}, ''),
    (dict(gen_frozen=('generator',)), {}, 'init_from'),
    (PAIRS | dict(loss=dict(name='wasserstein')), {}, ''),
    (PAIRS | dict(loss=dict(name=f'{HERE}own_loss')), {}, ''),
    (PAIRS | dict(loss=dict(name='least_squares')), {}, 'loss.name'),
    (PAIRS | dict(loss=dict(name='non_saturating', label_smoothing=0.1)), {},
     'loss.label_smoothing'),
    (PAIRS | dict(latent_steps=named('natural', bound=0.0)), {},
     'latent_steps'),
    # It would need codes, and D may not be told what it is to tell.
    (PAIRS | terms('of_labelled'), {}, 'penalties[0].name penalties[0].name'),
    (dict(encoder=E, latent=dict(name='uniform', size=4)) | terms(
        'r1', 'elbo'), {}, 'latent.name'),
    (dict(encoder=E) | terms('elbo'), VECTORS, 'penalties[0].likelihood'),
    (dict(encoder=E) | terms('elbo', likelihood='binarised'), VECTORS,
     'penalties[0].likelihood'),
    (dict(encoder=E) | terms('elbo', likelihood='gaussian'), VECTORS, ''),
    (dict(encoder=E) | terms('elbo'), {}, ''),
]


@pytest.mark.parametrize('changes, data, paths', CASES)
def test_exactly_what_excludes_each_other_is_refused(changes, data, paths):
  info = INFO._replace(**data)
  try:
    experiment.make_game(tiny.config('unused', **changes), info, 4,
                         axis_name=None)
    found = []
  except ConfigError as error:
    found = [problem.path for problem in error.problems]
  assert sorted(found) == paths.split()


# The config alone, on four devices, and the data.

STD = D | dict(minibatch='std')


@pytest.mark.parametrize('changes, wanted', [
    (dict(batch_size=10), {'batch_size': 'try 8 or 12'}),
    (dict(batch_size=3), {'batch_size': 'try 4'}),
    (dict(packing=4), {'packing': 'a multiple of 16 does'}),
    (dict(packing=4, shard='state'), {}),  # The batch is one part.
    (dict(discriminator=STD), {}), (dict(batch_size=16, discriminator=STD), {}),
    (dict(batch_size=32, discriminator=STD), {}),
    (dict(batch_size=24, discriminator=STD), {
        'batch_size': 'leaves 6 examples to a device, .* in groups of 4; use a '
                      'multiple of 16: 16 or 32'}),
    (dict(batch_size=24, discriminator=STD | dict(group=3)), {}),
    (dict(batch_size=24, discriminator=STD | dict(group=2)), {}),
    (dict(batch_size=4), {}),  # Nothing is compared.
    (dict(packing=3, discriminator=STD), {'packing': 'a multiple of 12'}),
    (dict(batch_size=24, discriminator=STD | dict(group=1)), {
        'discriminator.group': '2 or more'}),
    (dict(batch_size=24, discriminator=D | dict(
        minibatch='discrimination')), {}),
    (dict(batch_size=4, discriminator=STD), {
        'batch_size': 'one example to a device, .*; use 8 or more'}),
    (dict(packing=2, discriminator=STD), {
        'batch_size': 'one example to a device, .*; use 16 or more'}),
    (dict(batch_size=4, shard='state', discriminator=STD), {}),
    (dict(batch_size=4, shard='state', packing=4, discriminator=STD), {
        'batch_size': 'one example to a step, .*; use 8 or more'}),
    (dict(unrolled_steps=1, disc_optimizer=dict(name='mine:adam')), {}),
    (dict(disc_optimizer=dict(name='adam')), {}),
    (dict(disc_steps=2, gen_steps=3), {}),
    (dict(best_metric='fd_x'), {'best_metric': 'needs an evaluator'}),
    (dict(standing_batches=1), {'standing_batches': "has norm='none'"}),
    (dict(standing_batches=1, generator=G | dict(norm='batch')), {}),
    (dict(standing_batches=1, generator=G | dict(norm='mine:norm')), {}),
    (dict(standing_batches=1, generator=dict(name=f'{HERE}own_network')), {}),
    (terms('infogan'), {'penalties[0]': r'categories=\(10,\), continuous=2\)'}),
    (terms('infogan') | dict(latent=dict(name='infogan')), {}),
    (terms('r1', 'infogan') | dict(latent=dict(name='infogan', continuous=3)), {
        'penalties[1]': 'whose codes it recovers'}),
    (terms('infogan', categories=(4, 3)) | dict(latent=dict(
        name='infogan', categories=[4, 3])), {}),
    (dict(latent_steps=named('natural', bound=0.0)), {}),
    (dict(latent_steps=named('natural', bound=0.0), unrolled_steps=1), {
        'latent_steps': 'use unrolled_steps=0'}),
    (dict(latent_steps=named('natural')), {'latent_steps[0].bound': 'normal'}),
    (dict(latent_steps=named('natural'), latent=dict(name='uniform')), {}),
    (dict(latent_steps=named('natural'), latent=dict(name='mine:z')), {}),
    (dict(latent_steps=named('natural', bound=0.0), latent=dict(
        name='infogan')), {'latent_steps[0]': 'not learnt from then'}),
])
def test_exactly_what_the_config_alone_forbids_is_refused(changes, wanted):
  found = rules.of_config(tiny.config('unused', **changes), 4, [])
  assert [problem.path for problem in found] == [*wanted]
  for problem in found:
    assert re.search(wanted[problem.path], problem.rule)


@pytest.mark.parametrize('changes, path', [
    (dict(batch_size='x'), 'batch_size'),
    (dict(batch_size=4, discriminator=STD), 'discriminator.group'),
    (dict(latent_steps=named('natural')), 'latent_steps[0].bound')])
def test_what_is_known_to_be_wrong_is_told_once(changes, path):
  known = [Problem(path, None, '')]
  assert rules.of_config(tiny.config('unused', **changes), 4, known) == []


def test_the_state_is_divided_within_one_process(monkeypatch):
  for processes, shard, refused in ((2, 'state', True), (1, 'state', False),
                                    (2, 'none', False)):
    monkeypatch.setattr(parallel, 'processes', lambda n=processes: (0, n))
    found = rules.of_config(tiny.config('unused', shard=shard), 4, [])
    assert [problem.path for problem in found] == ['shard'] * refused


def data(**changes):
  """Forty images of three classes."""
  return types.SimpleNamespace(**dict(
      images=np.zeros((40, 2, 2, 1)), labels=np.arange(40) % 3, name='toy',
      num_classes=3, label_columns=(), units=()) | changes)


@pytest.mark.parametrize('batch, spec, changes, wanted', [
    (40, {}, {}, {}), (80, dict(repeat=2), {}, {}),
    (41, {}, {}, {'batch_size': 'use data.repeat=2 or'}),
    (81, dict(repeat=2), {}, {'batch_size': 'use data.repeat=3 or'}),
    # 2 ** 31 / 40 is 53,687,091.2.
    (8, dict(repeat=53687091), {}, {}),
    (8, dict(repeat=53687092), {}, {'data.repeat': 'use 53687091 or less'}),
    (8, dict(balanced=True), {}, {}),
    (8, dict(balanced=True), dict(label_columns=(('a', 0, 1),), num_classes=0,
                                  labels=np.zeros((40, 1))),
     {'data.balanced': 'choose one'}),
    (8, dict(balanced=True), dict(num_classes=0), {'data.balanced': 'none'}),
    (8, dict(balanced=True), dict(labels=np.arange(40) - 1),
     {'data.balanced': 'data.labelled=1.0'}),
    (8, {}, dict(labels=np.arange(40) - 1), {}),
    (8, {}, dict(num_classes=0), {}),
    (8, dict(flip=True), {}, {}),
    (8, dict(flip=True), dict(images=np.zeros((40, 2))), {'data.flip': 'vec'}),
    (8, {}, dict(images=np.zeros((40, 2))), {}),
    (8, {}, dict(units=(2.0,)), {}),
])
def test_exactly_what_the_data_forbid_is_refused(batch, spec, changes, wanted):
  config = tiny.config('unused', batch_size=batch)
  config['data'] |= spec
  found = rules.of_data(config, data(**changes))
  assert [problem.path for problem in found] == [*wanted]
  for problem in found:
    assert wanted[problem.path] in problem.rule


def test_values_in_units_have_one_range():
  config = tiny.config('unused', image_range=(0.0, 1.0))
  assert rules.of_data(config, data()) == []
  assert [problem.path for problem in rules.of_data(
      config, data(units=(2.0,)))] == ['image_range']
