"""Stacked digits, 1,000 modes, by the protocols of the literature.

python -m gan_jax.main --config=experiments/modes/stacked.py:method=pacgan2
...:protocol=unrolled,method=gan
...:protocol=r3gan,method=rpgan+r1+r2

pacgan (the default): table 2 of Lin et al. 2018, arXiv:1712.04086, and their
  code, which has it from VEEGAN: DCGAN of 512 to 64 channels and kernels of 5,
  z of 100 uniform, batches of 64 packs, Adam 2e-4 (0.5), two updates of G for
  each of D, 50 epochs of 128,000 = 100,000 steps, 26,000 samples, 10 seeds.
unrolled: their table 3, after Metz et al. 2017, arXiv:1611.02163: networks of
  64 to 8 and of 2, 4, 8 channels ("D is 1/4 size of G"), kernels of 3, z of 256
  normals, batches of 128, Adam 1e-4 for G and 2e-4 for D (0.5, 0.99), 500,000
  steps, 25,600 samples; they have 50 seeds, here 10.
r3gan: table 9 of Huang et al. 2024, arXiv:2501.05441, for what it says of
  Stacked MNIST: batch 512, Adam 2e-4 (0), 10 million images, in the first two
  of which beta2 goes from 0.9 to 0.99, gamma from 1 to 0.1 and the half-life of
  the EMA from 0 to half a million; z of 64. The network is that of their table
  1, a small ResNet without norm, of which they say no more, not their config E.
small: for one core. DCGAN of an eighth of the width, no norm in D, at five
  times the rate of its paper, batches of 64, 1,000 steps, 3,000 samples, 5
  seeds.

Departures: the digits are the 10,000 that come with the code
(--config.data.digits=mnist has the 60,000 for training; theirs are all 70,000),
in 28 px; PacGAN's own discriminator sees real digits in [0, 1] and generated
ones in [-1, 1], here both are in [-1, 1]. A pack is of any images of the batch.
R1 and R2 have the weight 1, wgan_gp 10.
"""

from experiments.modes import methods
from gan_jax.config import recipe

_NETWORKS = 'experiments.modes.networks:Digit'


def _pacgan(config):
  for key in ('generator', 'discriminator'):
    config[key] = recipe.choice(key, _NETWORKS + key.capitalize())
  config.latent = dict(name='uniform', size=100)
  config.ema_decay = 0.0
  config.gen_steps = 2
  config.train_steps = 100_000


def _unrolled(config):
  _pacgan(config)
  config.gen_steps = 1
  config.latent = dict(name='normal', size=256)
  config.generator.update(channels=(64, 32, 16, 8), kernel=3, flat=True)
  config.discriminator.update(channels=(2, 4, 8), kernel=3, norm_first=True,
                              leak=0.3)
  config.batch_size = 128
  config.gen_optimizer = recipe.adam(1e-4, b1=0.5, b2=0.99)
  config.disc_optimizer = recipe.adam(2e-4, b1=0.5, b2=0.99)
  config.train_steps = 500_000
  config.evaluators[0].num_samples = 25_600


def _r3gan(config):
  config.latent = dict(name='normal', size=64)
  for key in ('generator', 'discriminator'):
    config[key] = recipe.choice(key, f'resnet.{key.capitalize()}')
    config[key].norm = 'none'
  config.batch_size = 512
  for key in ('gen_optimizer', 'disc_optimizer'):
    config[key] = recipe.adam(2e-4, b1=0.0)
    config[key].b2 = _burn_in(0.9, 0.99)
  config.ema_decay = _burn_in(0.0, '500000 examples', 'half_life')
  config.train_steps = '10000000 examples'


def _burn_in(start, end, name='cosine'):
  schedule = recipe.cosine(start, end, name)
  schedule.transition_steps = '2000000 examples'
  return schedule


def _small(config):
  for key in ('generator', 'discriminator'):
    config[key].width = 8
  config.discriminator.norm = 'none'
  for key in ('gen_optimizer', 'disc_optimizer'):
    config[key].learning_rate = 1e-3
  config.population = 5
  config.train_steps = 1000
  config.evaluators[0].num_samples = 3000


_PROTOCOLS = {'pacgan': _pacgan, 'unrolled': _unrolled, 'r3gan': _r3gan,
              'small': _small}


def get_config(arg=None):
  """The config of a row; see the top of the file."""
  words = dict(part.partition('=')[::2] for part in (arg or '').split(','))
  protocol = words.get('protocol', 'pacgan')
  if protocol not in _PROTOCOLS:
    raise ValueError(f'no protocol {protocol!r}; there are '
                     f'{", ".join(_PROTOCOLS)}')
  config = recipe.base()
  config.data = recipe.choice('data', 'stacked_mnist')
  config.population = 10
  config.log_every = '2%'
  config.sample_every = '20%'
  config.eval_every = '20%'
  config.checkpoint_every = '20%'
  config.evaluators = (recipe.term('evaluators', 'stacked_coverage'),)
  _PROTOCOLS[protocol](config)

  def method(config, name):
    methods.apply(config, name, 10.0 if name == 'wgan_gp' else 1.0)
    if protocol == 'r3gan':
      for penalty in config.penalties:
        penalty.weight = _burn_in(1.0, 0.1)

  return recipe.finish(config, arg, method=method,
                       protocol=lambda config, value: None)
