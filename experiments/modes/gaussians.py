"""Gaussians on a ring or a grid by PacGAN's protocol, a row of the table each.

python -m gan_jax.main --config=experiments/modes/gaussians.py:method=pacgan2
...:data=grid,method=rpgan+r1+r2,small

Lin et al. 2018, https://arxiv.org/abs/1712.04086, and their code:
networks (`networks.py`), z of 2 normals, batches of 100 packs, Adam 1e-4 (0.8),
both players from the same state, 400 epochs of 100,000 points, no averaging, 10
seeds; as one population.

`small`, for one core: a quarter of the widths, with weights that start as large
a sum, ten times the rate, 3 seeds, and 5,000 steps on the ring, 12,000 on the
grid.

Departures: all packs of a batch go through the generator's batch norm at once,
theirs through as many passes as a pack has points. R1 and R2, which they do not
have, have the weight 0.01; with 0.1 they are slower. The encoder of ali is
ours, two layers of 400 with ReLU, for want of a description. The rows unrolled5
and wgan_gp are of alternating updates; wgan_gp has the weight 0.1, the five
updates of the critic and the betas of its authors' own toy, gan_toy.py in
github.com/igul222/improved_wgan_training.
"""

from experiments.modes import methods
from gan_jax.config import recipe


def _method(config, name):
  methods.apply(config, name, 0.1 if name == 'wgan_gp' else 0.01)
  if name == 'wgan_gp':
    for key in ('gen_optimizer', 'disc_optimizer'):
      config[key].b1, config[key].b2 = 0.5, 0.9


def _small(config):
  config.population = 3
  config.generator.widths = (100,) * 4
  if config.joint != 'none':
    config.encoder.widths = (100, 100)
  config.discriminator.widths = (50,) * 3
  for key in ('generator', 'discriminator'):
    config[key].weight_std = 0.04  # 0.02 sqrt(4)
  for key in ('gen_optimizer', 'disc_optimizer'):
    config[key].learning_rate = 1e-3
  config.train_steps = 5000 if config.data.name == 'ring' else 12_000


def get_config(arg=None):
  """The config of a row; see the top of the file."""
  config = recipe.base()
  config.data = recipe.choice('data', 'ring')
  config.population = 10
  config.latent = dict(name='normal', size=2)
  for key in ('generator', 'discriminator'):
    config[key] = recipe.choice(
        key, f'experiments.modes.networks:Point{key.capitalize()}')
  config.gen_optimizer = recipe.adam(1e-4, b1=0.8)
  config.disc_optimizer = recipe.adam(1e-4, b1=0.8)
  config.batch_size = 100
  config.updates = 'simultaneous'
  config.ema_decay = 0.0
  config.train_steps = 400_000
  config.log_every = '10%'
  config.sample_every = 0
  config.eval_every = '20%'
  config.checkpoint_every = '20%'
  config.evaluators = (recipe.term('evaluators', 'mode_coverage'),)
  recipe.finish(config, arg, method=_method, small=_small)
  config.data.num_examples = 100_000
  return config
