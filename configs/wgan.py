"""Recipe 7, WGAN with weight clipping.  Arjovsky et al. 2017, 1701.07875.

  python -m gan_jax.main --config=configs/wgan.py
  python -m gan_jax.main --config=configs/wgan.py:network=mlp
  python -m gan_jax.main --config=configs/wgan.py:data=fashion_mnist

Algorithm 1: RMSprop 5e-5, weights clipped to 0.01 after every update, five
critic steps for one of the generator, batch 64. The critic keeps its batch
norm, clipped scales and all, as in the authors' code: without it the generator
drew blobs after 500 steps. The paper trains 100,000 steps and more.

RMSprop is the authors' torch.optim.RMSprop: decay 0.99, 1e-8 added to the root.
Departures: half of DCGAN's width; samples of averaged weights (0.999), where
the paper averages none.

Measured: 16 minutes on one core of an Intel Xeon; digits, some broken; FD of
the classifier with 5,000 samples 11.6 +- 1.4 (three seeds), floor 0.22.
Clothes, some without a shape: 14.3 +- 2.1, floor 0.19.
"""

from gan_jax.config import recipe


def get_config(arg=None):
  config = recipe.base()
  config.generator.width = config.discriminator.width = 32
  config.discriminator.norm = 'batch'
  config.loss = dict(name='wasserstein')
  config.disc_weight_clip = 0.01
  for key in ('gen_optimizer', 'disc_optimizer'):
    config[key] = recipe.rmsprop(5e-5, decay=0.99, eps_in_sqrt=False)
  config.disc_steps = 5
  config.reuse_fakes = False
  config.train_steps = 4000
  config.steps_per_call = 20
  return recipe.finish(config, arg, network=network)


def network(config, name, *others):
  """network=dcgan or mlp, for both players; a caller may know `others`."""
  if recipe.known('network', name, ('dcgan', 'mlp', *others)) == 'mlp':
    config.generator = recipe.choice('generator', 'mlp.Generator') | dict(
        widths=(256, 512), activation='relu')
    config.discriminator = recipe.choice('discriminator', 'mlp.Discriminator'
                                         ) | dict(widths=(512, 256))
    config.steps_per_call = 50
    config.log_every = 50
    config.train_steps = 10_000
    config.sample_every = 500
