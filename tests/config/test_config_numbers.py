"""Every recipe has its paper's numbers, and loads as it is."""

import pytest
import tiny
from recipes import CONFIGS, config_of

from gan_jax.config import experiment, recipe

pytestmark = tiny.READS_CONFIGS


def _at(config, path):
  for key in path.split('.'):
    config = config[int(key)] if key.isdigit() else config[key]
  return config


_ADAM = {'gen_optimizer.name': 'adam', 'disc_optimizer.name': 'adam',
         'gen_optimizer.learning_rate': 2e-4, 'gen_optimizer.b1': 0.5,
         'disc_optimizer.learning_rate': 2e-4, 'disc_optimizer.b1': 0.5,
         'gen_optimizer.b2': 0.999, 'disc_optimizer.b2': 0.999}
_GAN = {'batch_size': 64, 'disc_steps': 1, 'gen_steps': 1,
        'disc_weight_clip': 0.0, 'penalties': (), 'loss.name': 'non_saturating',
        'latent.size': 100, 'image_range': (-1.0, 1.0)}
NUMBERS = {
    ('dcgan', ''): {
        'batch_size': 16, 'latent.size': 24, 'loss.name': 'non_saturating',
        'generator.width': 24, 'discriminator.width': 24,
        'discriminator.norm': 'none', 'penalties.0.name': 'r1',
        'penalties.0.weight': 0.5, 'penalties.0.every': 4,
        'train_steps': 15_000} | {
            f'{player}_optimizer.{key}': value for player in ('gen', 'disc')
            for key, value in {
                'b1': 0.5, 'b2': 0.999, 'learning_rate.init_value': 2e-3,
                'learning_rate.end_value': 0.0,
                'learning_rate.transition_steps': '100%'}.items()},
    ('dcgan', 'paper'): _GAN | _ADAM | {
        'train_steps': 4000, 'latent.name': 'normal',
        'generator.name': 'dcgan.Generator',
        'discriminator.name': 'dcgan.Discriminator'},
    ('vae', ''): {
        'latent.size': 50, 'latent.name': 'normal', 'batch_size': 20,
        'generator.widths': (200, 200), 'encoder.widths': (200, 200),
        'generator.activation': 'tanh', 'encoder.activation': 'tanh',
        'penalties.0.name': 'elbo', 'penalties.0.likelihood': 'binarised',
        'penalties.0.beta': 1.0, 'penalties.0.weight': 1.0,
        'discriminator.name': 'none.Discriminator', 'loss.name': 'none',
        'image_range': (0.0, 1.0), 'gen_optimizer.b1': 0.9},
    ('vae', 'vaegan'): {
        'penalties.0.likelihood': 'features', 'loss.name': 'non_saturating',
        'discriminator.name': 'dcgan.Discriminator'},
    ('bigan', ''): {
        'latent.name': 'uniform', 'latent.size': 50, 'joint': 'mean',
        'generator.widths': (1024, 1024), 'encoder.widths': (1024, 1024),
        'discriminator.widths': (1024, 1024), 'batch_size': 128,
        'gen_optimizer.learning_rate.init_value': 2e-4,
        'gen_optimizer.b1': 0.5, 'disc_optimizer.b1': 0.5},
    ('bigan', 'ali'): {'joint': 'sample'},
    ('encoder', ''): {
        'gen_frozen': ('generator',), 'loss.name': 'none',
        'penalties.0.name': 'latent_regression', 'latent.size': 24,
        'generator.width': 24, 'encoder.name': 'dcgan.Encoder'},
    ('encoder', 'of=wgan_gp'): {'latent.size': 100, 'latent.name': 'normal'},
    ('semi_supervised', ''): {
        'data.labelled': 100.0, 'batch_size': 100, 'latent.name': 'uniform',
        'latent.size': 100, 'generator.widths': (500, 500),
        'discriminator.widths': (1000, 500, 250, 250, 250),
        'discriminator.noise': 0.5, 'discriminator.weight_norm': 'weight',
        'image_range': (0.0, 1.0), 'loss.name': 'disc_only'},
    ('keras_mlp', ''): _GAN | _ADAM | {
        'generator.widths': (128, 256, 512), 'generator.norm': 'batch',
        'generator.norm_momentum': 0.8, 'generator.first_std': 0.02,
        'generator.activation': 'leaky_relu', 'generator.leak': 0.2,
        'discriminator.widths': (512, 256, 128), 'discriminator.leak': 0.2,
        'loss.label_smoothing': 0.1, 'reuse_fakes': True},
    ('original_gan', ''): _GAN | {
        'latent.name': 'uniform', 'gen_optimizer.learning_rate': 2e-4,
        'disc_optimizer.learning_rate': 1e-4, 'gen_optimizer.b1': 0.5,
        'disc_optimizer.b1': 0.5, 'generator.activation': 'relu',
        'discriminator.activation': 'relu', 'sample_every': '10 epochs'},
    ('original_gan', 'schedule=more_disc'): {'disc_steps': 2, 'gen_steps': 1},
    ('original_gan', 'schedule=more_gen'): {'disc_steps': 1, 'gen_steps': 2},
    ('original_gan', 'schedule=alternating'): {'disc_steps': 1, 'gen_steps': 1},
    ('critic_mlp', ''): {
        'latent.name': 'uniform', 'generator.widths': (128,),
        'discriminator.widths': (128,), 'image_range': (0.0, 1.0),
        'loss.name': 'wasserstein', 'disc_steps': 1,
        'gen_optimizer.name': 'rmsprop', 'disc_optimizer.name': 'rmsprop',
        'gen_optimizer.learning_rate': 1e-4,
        'disc_optimizer.learning_rate': 1e-4},
    ('critic_mlp', 'full'): {'train_steps': 1_000_000},
    ('cgan', ''): {'generator.conditioning': 'onehot',
                   'discriminator.conditioning': 'onehot',
                   'loss.name': 'non_saturating', 'generator.widths': (256, 512)
                   },
    ('cgan', 'game=critic'): {'generator.conditioning': 'onehot',
                              'discriminator.conditioning': 'onehot',
                              'loss.name': 'wasserstein',
                              'disc_weight_clip': 0.0, 'train_steps': 100_000,
                              'penalties.0.name': 'wgan_gp',
                              'penalties.0.weight': 10.0},
    ('pooling_cnn', ''): {'discriminator.leak': 0.01,
                          'discriminator.name': 'pooling_cnn.Discriminator'},
    ('pooling_cnn', 'full'): {'train_steps': 20_000},
    ('pooling_cnn', 'digit=1,k=2,optimizer=momentum'): {
        'data.classes': (1,), 'disc_steps': 2, 'gen_optimizer.name': 'sgd',
        'disc_optimizer.momentum': 0.9},
    ('wgan', ''): {
        'batch_size': 64, 'disc_steps': 5, 'disc_weight_clip': 0.01,
        'loss.name': 'wasserstein', 'gen_optimizer.name': 'rmsprop',
        'disc_optimizer.name': 'rmsprop', 'discriminator.norm': 'batch',
        'gen_optimizer.decay': 0.99, 'gen_optimizer.eps_in_sqrt': False,
        'disc_optimizer.decay': 0.99, 'disc_optimizer.eps_in_sqrt': False,
        'gen_optimizer.learning_rate': 5e-5,
        'disc_optimizer.learning_rate': 5e-5, 'reuse_fakes': False},
    ('wgan_gp', ''): {
        'batch_size': 64, 'disc_steps': 5, 'disc_weight_clip': 0.0,
        'loss.name': 'wasserstein', 'penalties.0.name': 'wgan_gp',
        'penalties.0.weight': 10.0, 'penalties.0.every': 1,
        'penalties.0.target': 1.0, 'penalties.0.one_sided': False,
        'discriminator.norm': 'none', 'gen_optimizer.learning_rate': 1e-4,
        'disc_optimizer.learning_rate': 1e-4, 'gen_optimizer.b1': 0.0,
        'disc_optimizer.b1': 0.0, 'gen_optimizer.b2': 0.9,
        'disc_optimizer.b2': 0.9},
    ('wgan_gp', 'network=resnet'): {
        'batch_size': 64, 'disc_steps': 5, 'latent.size': 128,
        'loss.name': 'wasserstein', 'penalties.0.name': 'wgan_gp',
        'penalties.0.weight': 10.0, 'generator.name': 'resnet.Generator',
        'discriminator.name': 'resnet.Discriminator',
        'generator.norm': 'batch', 'discriminator.norm': 'none',
        'discriminator.weight_norm': 'none', 'discriminator.to': 8,
        'discriminator.flat_blocks': 2, 'gen_optimizer.b1': 0.0,
        'gen_optimizer.b2': 0.9, 'disc_optimizer.b1': 0.0,
        'disc_optimizer.b2': 0.9} | {
            f'{player}_optimizer.learning_rate.{key}': value
            for player in ('gen', 'disc') for key, value in {
                'name': 'linear_schedule', 'init_value': 2e-4,
                'end_value': 0.0, 'transition_steps': '100%'}.items()},
    ('sngan', ''): {
        'loss.name': 'hinge', 'disc_steps': 5, 'batch_size': 64,
        'gen_optimizer.b1': 0.0, 'gen_optimizer.b2': 0.9,
        'disc_optimizer.learning_rate.init_value': 2e-4,
        'discriminator.weight_norm': 'spectral', 'latent.size': 128,
        'generator.width': 256, 'generator.max_width': 256,
        'discriminator.width': 128, 'discriminator.max_width': 128,
        'discriminator.hidden': 'in', 'train_steps': 100_000},
    ('sngan', 'size=64'): {
        'generator.width': 64, 'generator.max_width': 1024,
        'discriminator.to': 2, 'discriminator.flat_blocks': 0,
        'train_steps': 250_000,
        'gen_optimizer.learning_rate.transition_begin': 200_000,
        'gen_optimizer.learning_rate.transition_steps': 50_000},
    ('sngan', 'network=cnn'): {
        'generator.name': 'sndcgan.Generator', 'generator.width': 64,
        'discriminator.weight_norm': 'spectral', 'discriminator.leak': 0.1,
        'disc_steps': 1, 'gen_optimizer.b1': 0.5,
        'gen_optimizer.b2': 0.999},
    ('sngan', 'conditioning=projection'): {
        'discriminator.conditioning': 'projection',
        'generator.norm': 'conditional_batch'},
    ('sagan', ''): {
        'loss.name': 'hinge', 'disc_steps': 1, 'gen_optimizer.b1': 0.0,
        'gen_optimizer.learning_rate': 1e-4, 'gen_optimizer.b2': 0.9,
        'disc_optimizer.learning_rate': 4e-4,
        'generator.weight_norm': 'spectral', 'generator.attention': 14},
    ('sagan', 'size=128'): {
        'gen_optimizer.learning_rate': 1e-4, 'batch_size': 256,
        'disc_optimizer.learning_rate': 4e-4, 'train_steps': 1_000_000,
        'generator.attention': 32, 'discriminator.attention': 32,
        'generator.width': 64, 'discriminator.max_width': 1024,
        'discriminator.to': 4, 'discriminator.flat_blocks': 1},
    ('biggan', ''): {
        'loss.name': 'hinge', 'disc_steps': 2, 'ema_decay': 0.9999,
        'ema_rampup': 0.0, 'penalties.0.name': 'orthogonal',
        'penalties.0.weight': 1e-4, 'penalties.0.player': 'gen',
        'gen_optimizer.learning_rate': 5e-5, 'gen_optimizer.b1': 0.0,
        'disc_optimizer.learning_rate': 2e-4, 'gen_optimizer.b2': 0.999,
        'generator.weight_norm': 'spectral',
        'discriminator.conditioning': 'projection', 'latent.size': 80,
        'discriminator.hidden': 'out'},
    ('biggan', 'size=128'): {
        'generator.width': 96, 'generator.max_width': 1536,
        'generator.attention': 64, 'discriminator.attention': 64,
        'discriminator.to': 4, 'discriminator.flat_blocks': 1,
        'latent.size': 120, 'batch_size': 2048},
    # In whatever order they are written.
    ('biggan', 'size=128,deep'): {
        'generator.name': 'biggan_deep.Generator', 'generator.width': 128,
        'generator.max_width': 2048, 'generator.attention': 64,
        'discriminator.flat_blocks': 0, 'latent.size': 128},
    ('biggan', 'deep,size=128,logan'): {
        'latent.name': 'uniform', 'latent.size': 256, 'batch_size': 2048,
        'latent_steps.0.name': 'natural', 'latent_steps.0.rate': 0.9,
        'latent_steps.0.damping': 5.0, 'latent_steps.0.share': 0.5,
        'latent_steps.0.weight': 300.0, 'generator.activation': 'leaky_relu',
        'discriminator.leak': 0.2},
    ('transformer', ''): {
        'loss.name': 'relativistic', 'penalties.0.name': 'r1',
        'penalties.1.name': 'r2', 'penalties.0.weight': 0.1,
        'penalties.1.weight': 0.1, 'max_grad_norm': 1.0, 'latent.size': 64,
        'gen_optimizer.learning_rate': 4e-4, 'gen_optimizer.b1': 0.0,
        'gen_optimizer.b2': 0.99, 'generator.width': 384,
        'generator.depth': 12, 'generator.patch': 2,
        'discriminator.conditioning': 'projection'},
    ('projected', ''): {
        'loss.name': 'hinge_each', 'batch_size': 64, 'latent.size': 256,
        'gen_optimizer.learning_rate': 2e-4, 'gen_optimizer.b1': 0.0,
        'gen_optimizer.b2': 0.99, 'disc_optimizer.learning_rate': 2e-4,
        'discriminator.size': 224, 'discriminator.mix': 64,
        'discriminator.width': 512, 'ema_decay': 0.5 ** (64 / 20_000),
        'discriminator.norm': 'batch',
        'discriminator.weight_norm': 'spectral'},
    ('lsgan', ''): _ADAM | {
        'loss.name': 'least_squares', 'loss.real_target': 1.0,
        'loss.fake_target': 0.0, 'loss.gen_target': 1.0},
    ('dragan', ''): _ADAM | {
        'penalties.0.name': 'dragan', 'penalties.0.weight': 10.0,
        'penalties.0.scale': 0.5, 'discriminator.norm': 'none'},
    ('pacgan', ''): _ADAM | {'packing': 2},
    ('unrolled', ''): {
        'unrolled_steps': 5, 'batch_size': 512, 'latent.size': 256,
        'gen_optimizer.learning_rate': 1e-3,
        'disc_optimizer.learning_rate': 1e-4, 'disc_optimizer.b1': 0.5,
        'generator.widths': (128, 128)},
    ('acgan', ''): _ADAM | {
        'penalties.0.name': 'acgan', 'penalties.0.weight': 1.0,
        'generator.conditioning': 'onehot'},
    ('acgan', 'classifier=tac_gan'): {'penalties.0.name': 'tac_gan'},
    ('infogan', ''): {
        'latent.name': 'infogan', 'latent.categories': (10,),
        'latent.continuous': 2, 'latent.noise': 62,
        'gen_optimizer.learning_rate': 1e-3,
        'disc_optimizer.learning_rate': 2e-4, 'penalties.0.name': 'infogan',
        'penalties.0.weight': 1.0, 'penalties.0.categorical_weight': 1.0,
        'penalties.0.continuous_weight': 1.0},
    ('rpgan', ''): {
        'loss.name': 'relativistic', 'penalties.0.name': 'r1',
        'penalties.1.name': 'r2', 'penalties.0.every': 1,
        'gen_optimizer.b1': 0.0, 'disc_optimizer.b1': 0.0},
    ('ring', ''): {'data.name': 'ring', 'data.modes': 8, 'data.std': 0.01,
                   'data.radius': 1.0, 'generator.widths': (128, 128)},
    ('sprites', ''): _ADAM | {
        'data.channels': 3, 'data.resize': (64, 64), 'data.fit': 'pad',
        'data.background': (255, 255, 255)},
    ('xray', ''): _ADAM | {'data.channels': 1, 'data.resize': (64, 64),
                           'loss.label_smoothing': 0.1},
    ('xray', 'size=128'): {'data.resize': (128, 128)},
    ('solids', ''): _ADAM | {
        'gen_optimizer.learning_rate': 1e-3,
        'disc_optimizer.learning_rate': 1e-3,
        'data.name': 'solids', 'batch_size': 32, 'generator.width': 16,
        'penalties.0.name': 'r1', 'penalties.0.weight': 10.0,
        'discriminator.norm': 'none'},
    ('wavegan', ''): {
        'data.name': 'tones', 'batch_size': 64, 'disc_steps': 5,
        'latent.name': 'uniform', 'latent.size': 100,
        'loss.name': 'wasserstein', 'penalties.0.name': 'wgan_gp',
        'penalties.0.weight': 10.0, 'discriminator.phase_shuffle': 2,
        'discriminator.leak': 0.2, 'disc_weight_clip': 0.0} | {
            f'{network}.{key}': value
            for network in ('generator', 'discriminator')
            for key, value in {'kernel': 25, 'stride': 4, 'width': 64,
                               'norm': 'none'}.items()} | {
            f'{player}_optimizer.{key}': value for player in ('gen', 'disc')
            for key, value in {'name': 'adam', 'learning_rate': 1e-4, 'b1': 0.5,
                               'b2': 0.9}.items()},
    ('wavegan', 'small'): {'data.length': 4096, 'generator.width': 16,
                           'gen_optimizer.learning_rate': 2e-4},
    ('table', ''): {
        'batch_size': 500, 'packing': 10, 'latent.size': 128, 'disc_steps': 1,
        'loss.name': 'wasserstein', 'penalties.0.name': 'wgan_gp',
        'penalties.0.weight': 10.0, 'generator.name': 'table.Generator',
        'generator.widths': (256, 256), 'generator.temperature': 0.2,
        'generator.norm': 'batch', 'discriminator.widths': (256, 256),
        'discriminator.norm': 'none', 'discriminator.activation': 'leaky_relu',
        'discriminator.leak': 0.2, 'gen_optimizer.weight_decay': 1e-6,
        'train_steps': '300 epochs'} | {
            f'{player}_optimizer.{key}': value for player in ('gen', 'disc')
            for key, value in {'learning_rate': 2e-4, 'b1': 0.5,
                               'b2': 0.9}.items()},
    # NVlabs' train.py, --cfg=auto on one GPU: 0.0002 side^2 / batch for R1.
    ('stylegan2', ''): {
        'loss.name': 'non_saturating', 'batch_size': 32, 'latent.size': 512,
        'data.pad': (32, 32), 'generator.width': 512,
        'generator.max_width': 512, 'generator.style': 512,
        'generator.mapping_layers': 2, 'generator.mixing': 0.9,
        'discriminator.width': 512, 'discriminator.group': 4,
        'penalties.0.name': 'r1', 'penalties.0.weight': 0.0064,
        'penalties.0.every': 16, 'penalties.1.name': 'path_length',
        'penalties.1.weight': 2.0, 'penalties.1.every': 4,
        'penalties.1.decay': 0.01, 'lazy_correction': True,
        'ema_decay.name': 'half_life', 'ema_decay.end_value': '10000 examples',
        'ema_rampup': 0.05} | {
            f'{player}_optimizer.{key}': value for player in ('gen', 'disc')
            for key, value in {'name': 'adam', 'learning_rate': 0.0025,
                               'b1': 0.0, 'b2': 0.99}.items()},
    ('stylegan2', 'size=256'): {
        'batch_size': 16, 'generator.width': 64, 'discriminator.width': 64,
        'penalties.0.weight': 0.8192, 'data.resize': (256, 256),
        'ema_decay.end_value': '5000 examples'},
    ('stylegan2', 'cifar'): {
        'batch_size': 64, 'generator.width': 1024, 'generator.mixing': 0.0,
        'discriminator.residual': False, 'discriminator.group': 32,
        'generator.conditioning': 'embedding',
        'discriminator.conditioning': 'projection', 'penalties.0.name': 'r1',
        'penalties.0.weight': 0.01, 'ema_decay.end_value': '500000 examples',
        # Times 4 / 5, and to the power of it: of G alone.
        'gen_optimizer.learning_rate': 0.002,
        'gen_optimizer.b2': pytest.approx(0.99 ** 0.8),
        'disc_optimizer.learning_rate': 0.0025},
    # brownvc/R3GAN's train.py: CIFAR10, FFHQ-64.
    ('r3gan', ''): {
        'loss.name': 'relativistic', 'batch_size': 512, 'latent.size': 64,
        'generator.width': 768, 'discriminator.width': 768,
        'generator.stage_blocks': 2, 'generator.group_width': 16,
        'penalties.0.name': 'r1', 'penalties.1.name': 'r2',
        'ema_decay.init_value': 0, 'ema_decay.end_value': '5000000 examples',
        'ema_rampup': 0.0, 'train_steps': '20000000 examples'} | {
            f'penalties.{i}.weight.{key}': value for i in (0, 1)
            for key, value in {'name': 'cosine', 'init_value': 0.05,
                               'end_value': 0.005}.items()} | {
            f'{player}_optimizer.{key}': value for player in ('gen', 'disc')
            for key, value in {
                'b1': 0.0, 'learning_rate.init_value': 2e-4,
                'learning_rate.end_value': 5e-5, 'b2.init_value': 0.9,
                'b2.end_value': 0.99}.items()},
    ('r3gan', 'size=64'): {
        'batch_size': 256, 'generator.width': 384, 'generator.max_width': 768,
        'penalties.1.weight.init_value': 2.0,
        'ema_decay.end_value': '500000 examples'},
    ('r3gan', 'cifar'): {'generator.conditioning': 'embedding',
                         'discriminator.conditioning': 'projection',
                         'discriminator.code': 768},
    ('r3gan', 'imagenet=64'): {
        'batch_size': 4096, 'generator.width': 1536,
        'discriminator.width': 1536,
        'generator.group_width': 32, 'data.resize': (64, 64),
        'penalties.0.weight.init_value': 1.0,
        'ema_decay.end_value': '50000000 examples',
        'train_steps': '200000000 examples'},
    ('wgan', 'network=mlp'): {'generator.name': 'mlp.Generator',
                              'discriminator.name': 'mlp.Discriminator',
                              'disc_steps': 5, 'disc_weight_clip': 0.01},
}


@pytest.mark.parametrize('name, arg', NUMBERS)
def test_the_numbers_of_the_paper(name, arg):
  config = experiment.plain(config_of(name, arg))
  assert {path: _at(config, path) for path in NUMBERS[name, arg]} == NUMBERS[
      name, arg]


def test_the_weight_of_r1_by_image_size():
  """Of StyleGAN2-ADA: 2e-4 * 65,536 / 32, and four times that of 512 px."""
  assert recipe.r1_weight(256, 32) == pytest.approx(0.4096)
  assert recipe.r1_weight(512, 32) == pytest.approx(1.6384)


def test_every_recipe_has_its_numbers_tested():
  assert {name for name, _ in NUMBERS} == set(CONFIGS)


@pytest.mark.parametrize('name', [
    # Large ones take seconds; of the second row test_configs.py plays a
    # smaller one, and those of the third are DCGANs like others here.
    pytest.param(name, marks=pytest.mark.slow if name in (
        'biggan', 'r3gan', 'sagan', 'sngan', 'stylegan2', 'transformer',
        'bigan', 'infogan', 'keras_mlp', 'solids', 'table', 'vae', 'wavegan',
        'acgan', 'dragan', 'lsgan', 'pacgan', 'rpgan', 'sprites', 'wgan',
        'xray') else ())
    for name in CONFIGS])
def test_every_recipe_loads_as_it_is(name, own_data):
  """Unabridged: intervals are multiples of the call, networks fit."""
  run = experiment.load(config_of(name, '', *own_data.get(name, ())))
  assert run.train_steps >= 1000
  for every in ('log_every', 'sample_every', 'checkpoint_every'):
    assert 0 < getattr(run, every) <= run.train_steps
