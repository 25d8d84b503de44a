"""Volumes: balls, cubes and rings of 28^3 voxels, by a 3-D DCGAN.

  python -m gan_jax.main --config=configs/solids.py

DCGAN (Radford et al. 2016, https://arxiv.org/abs/1511.06434) with convolutions
along three axes, as Wu et al. 2016 (https://arxiv.org/abs/1610.07584) had for
shapes. The volumes are computed. Most voxels are black, so that DCGAN's
discriminator wins at once and the generator makes noise, with Wu et al.'s
slower one too; here a penalty R1 of 10 takes the place of its norm (Mescheder
et al. 2018, https://arxiv.org/abs/1801.04406), and Adam's rate is 1e-3: with
DCGAN's 2e-4 there were stripes after 660 steps.

Departures: a quarter of DCGAN's width and half of its batch, for two CPU cores.

Measured on one busy core of a Xeon, 1 s a step: solid bodies after 260 steps,
not yet told apart as balls, cubes and rings. The 3,000 steps have not been run.
"""

from gan_jax.config import recipe


def get_config(arg=None):
  config = recipe.get_config('dcgan:paper')
  config.data = recipe.choice('data', 'solids')
  config.generator.width = config.discriminator.width = 16
  config.discriminator.norm = 'none'
  config.penalties = (recipe.term('penalties', 'r1'),)
  for key in ('gen_optimizer', 'disc_optimizer'):
    config[key].learning_rate = 1e-3
  config.batch_size = 32
  config.train_steps = 3000
  return recipe.finish(config, arg)
