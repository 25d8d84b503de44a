"""Recipe 7, WGAN-GP.  Gulrajani et al. 2017, https://arxiv.org/abs/1704.00028.

  python -m gan_jax.main --config=configs/wgan_gp.py
  python -m gan_jax.main --config=configs/wgan_gp.py:network=mlp
  python -m gan_jax.main --config=configs/wgan_gp.py:network=resnet
  python -m gan_jax.main --config=configs/wgan_gp.py:data=fashion_mnist

Algorithm 1: Adam 1e-4 (0, 0.9), five critic steps, penalty weight 10; no norm
in the critic (`--config.discriminator.norm=layer` is the paper's other way).
Departures: half of DCGAN's width; samples of averaged weights (0.999), where
the paper averages none.

network=resnet has the ResNets for CIFAR-10 (appendix F and the authors'
gan_cifar_resnet.py): blocks of equal width, two that halve and two flat ones in
the critic, batch norm in the generator, z 128, Adam 2e-4 (0, 0.9), decayed
linearly to 0. Departures: 64 channels instead of 128, and 20,000 steps instead
of 100,000, for the digits; a sum over space where theirs is a mean;
all kernels start from Glorot's uniform, most of theirs from He's; their
generator sees 128 latents an update, ours 64.

Measured: 1,172 images/s on one core of a Xeon, 9 minutes; digits,
some broken; FD of the classifier with 5,000 samples 6.7 ± 0.3, floor 0.21
(seeds 0-2). Clothes 9.6 ± 1.8, floor 0.19, some without a shape.
"""

from gan_jax.config import recipe


def get_config(arg=None):
  config = recipe.get_config('wgan')
  config.discriminator.norm = 'none'
  config.disc_weight_clip = 0.0
  config.penalties = (recipe.term('penalties', 'wgan_gp'),)
  config.gen_optimizer = recipe.adam(1e-4, b1=0.0, b2=0.9)
  config.disc_optimizer = recipe.adam(1e-4, b1=0.0, b2=0.9)
  config.train_steps = 2000
  return recipe.finish(config, arg, network=network)


def network(config, name):
  """network=dcgan, mlp or resnet, for both players."""
  if name != 'resnet':
    recipe.module('wgan').network(config, name, 'resnet')
    return
  config.latent.size = 128
  for key in ('generator', 'discriminator'):
    config[key] = recipe.choice(key, f'resnet.{key.capitalize()}') | dict(
        width=64, max_width=64)
  for key in ('gen_optimizer', 'disc_optimizer'):
    config[key].learning_rate = recipe.linear(2e-4)
  config.train_steps = 20_000
