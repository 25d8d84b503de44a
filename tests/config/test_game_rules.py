"""Which parts of a game exclude each other: refused, and no more than that."""

import pytest
import tiny

from gan_jax.base.errors import ConfigError
from gan_jax.config import experiment
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
