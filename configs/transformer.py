"""GAT, a pair of transformers.  Hyun, Lee & Heo 2025, 2509.24935.

  python -m gan_jax.main --config=configs/transformer.py
  ...:conditioning=none        without labels
  ...:small                    two CPU cores

https://arxiv.org/abs/2509.24935 and the authors' hse1032/GAT: networks GAT-S/2
for 32 px, the class beside z and in a projection, relativistic loss with R1 and
R2 of 0.1, differentiable augmentation, Adam 4e-4 (0, 0.99), that is 2e-4 times
768 over the width, gradients of a norm of 1 at most, batch 512, z 64, average
0.999, 400,000 steps.

Departures: see `gan_jax/models/gat.py`; exact gradients in R1 and R2, theirs
are approximated by a difference; batch 64. small: patches of 7 px, 3 blocks of
64 numbers, batch 16, rates of 3e-3 that fall to 0, penalties of 0.3 in every
fourth step, images compared within the batch, without augmentation.

Measured: small, 4,000 steps in four minutes of CPU time on one core, three
seeds: digits in spots, each row its class, much alike within it; FD of the
classifier with 5,000 samples 22.8 +- 7.2 (floor 0.21), on clothes 10.7 +- 7.5.
Without the comparison and with rates of 1e-3 z did nothing: 27.6 +- 4.4. With a
discriminator of 3e-4 beside a generator of 1e-3 its logits fell flat; with
patches of 4 px, penalties of 1 and both rates at 1e-3 it won within 100 steps.
Longer runs and the full size have not been tried.
"""

from gan_jax.config import recipe


def get_config(arg=None):
  config = recipe.base()
  config.latent.size = 64
  for key in ('generator', 'discriminator'):
    del config[key]
    config[key] = recipe.choice(key, f'gat.{key.capitalize()}')
  conditioning(config, 'projection')
  config.loss = recipe.choice('loss', 'relativistic')
  config.penalties = (recipe.term('penalties', 'r1'),
                      recipe.term('penalties', 'r2'))
  for penalty in config.penalties:
    penalty.weight = 0.1
  config.augment = (recipe.term('augment', 'diffaugment'),
                    recipe.term('augment', 'horizontal_flip'))
  config.gen_optimizer = recipe.adam(4e-4, b1=0.0, b2=0.99)
  config.disc_optimizer = recipe.adam(4e-4, b1=0.0, b2=0.99)
  config.max_grad_norm = 1.0
  config.train_steps = 400_000
  return recipe.finish(config, arg, conditioning=conditioning, small=small)


def conditioning(config, name):
  """conditioning=projection, or none for networks without the label."""
  recipe.known('conditioning', name, ('projection', 'none'))
  config.discriminator.conditioning = name
  config.generator.conditioning = ('embedding' if name == 'projection' else
                                   'none')


def small(config):
  """16 tokens of 64 numbers for the digits."""
  for network in (config.generator, config.discriminator):
    network.patch, network.width = 7, 64
    network.depth, network.head_dim = 3, 32
  config.discriminator.code = 64
  config.discriminator.minibatch = 'std'
  for optimizer in (config.gen_optimizer, config.disc_optimizer):
    optimizer.learning_rate = recipe.linear(3e-3)
  for penalty in config.penalties:
    penalty.weight, penalty.every = 0.3, 4
  config.augment = ()
  config.latent.size = 32
  config.batch_size = 16
  config.train_steps = 4000
  config.sample_every = 500
