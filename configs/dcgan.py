"""Recipe 6, DCGAN, as a first run: digits in minutes on two cores.

  python -m gan_jax.main --config=configs/dcgan.py
  python -m gan_jax.main --config=configs/dcgan.py:data=fashion_mnist
  ...:paper                   the paper's sizes and rates, for images of 64 px

Radford et al. 2016, https://arxiv.org/abs/1511.06434: strided convolutions,
batch norm in G, Adam with beta1 0.5. What makes it fast, with a quarter of the
batch: a width of 24 instead of 64, a rate of 2e-3, ten times the paper's, that
falls to 0 in the end, and in place of D's batch norm a penalty R1 of 0.5
(Mescheder et al. 2018, https://arxiv.org/abs/1801.04406) in every fourth step.
z has 24 numbers; weights of D start from a deviation of 0.08, as no norm scales
them up.

Departures, `paper` too: 4x4 kernels as in the usual ports, three doublings for
28 px (4 -> 7 -> 14 -> 28), z normal (paper: uniform), samples from averaged
weights; `paper` has a batch of 64 (paper: 128).

Measured on two idle cores of an AMD EPYC, seed 0: 2 min 50 s from command to
exit, 63 s to 4,500 steps, when digits can be read; FD of the classifier with
5,000 samples 0.39. On one core, shared with other programs, seeds 0, 1, 2: 3.2
to 3.5 minutes of CPU time, FD 0.44, 0.42, 0.44 (floor 0.21), 1.4 after 3,000
steps; fd_random_2k 0.035, 0.028, 0.032 (floor 0.028); 1,340 images/s, `paper`
246 in turn. `paper`, on two cores of a Xeon: 12 minutes at 356 images/s, FD
1.49 with 10,000 samples; 1.69 +- 0.29 with 5,000 (three seeds).
"""

from gan_jax.config import recipe


def get_config(arg=None):
  config = recipe.base()
  if 'paper' in (arg or '').split(','):
    config.train_steps = 4000
  else:
    _in_minutes(config)
  # `paper` is read above: before components are replaced.
  return recipe.finish(config, arg, paper=lambda config: None)


def _in_minutes(config):
  small(config)
  config.latent.size = 24
  config.discriminator.norm = 'none'
  config.discriminator.weight_std = 0.08
  config.penalties = (recipe.term('penalties', 'r1'),)
  config.penalties[0].weight = 0.5
  config.penalties[0].every = 4
  for key in ('gen_optimizer', 'disc_optimizer'):
    config[key].learning_rate = recipe.linear(2e-3)
  config.train_steps = 15_000


def small(config):
  """A quarter of the batch, and rates of 1e-3 that fall to 0, for two cores."""
  config.batch_size = 16
  config.generator.width = config.discriminator.width = 24
  for key in ('gen_optimizer', 'disc_optimizer'):
    config[key].learning_rate = recipe.linear(1e-3)
  config.train_steps = 5000
  config.steps_per_call = 100
  config.log_every = 100
  config.sample_every = 500
  config.eval_every = '25%'
  config.checkpoint_every = '10%'
