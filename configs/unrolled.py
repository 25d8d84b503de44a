"""Unrolled GAN.  Metz et al. 2017, https://arxiv.org/abs/1611.02163.

  python -m gan_jax.main --config=configs/unrolled.py
  python -m gan_jax.main --config=configs/unrolled.py:data=ring

The generator's gradient goes through five further updates of the discriminator.
On the ring: MLPs of two layers of 128, z 256, batch 512, Adam 1e-3 and 1e-4
(0.5, 0.999), as in the paper's appendix A.

Measured: the same networks and rates on digits, 1,500 steps: one grey shape, FD
of the classifier 97 (floor 0.21, seed 0). Digits need other networks.
"""

from gan_jax.config import recipe


def get_config(arg=None):
  config = recipe.base()
  config.latent.size = 256
  for key in ('generator', 'discriminator'):
    config[key] = recipe.choice(key, f'mlp.{key.capitalize()}') | dict(
        widths=(128, 128), activation='relu')
  config.unrolled_steps = 5
  config.batch_size = 512
  config.gen_optimizer = recipe.adam(1e-3, b1=0.5)
  config.disc_optimizer = recipe.adam(1e-4, b1=0.5)
  # The root in Adam has no derivative at 0, and here one goes through it.
  config.disc_optimizer['eps_root'] = 1e-12
  config.train_steps = 5000
  config.sample_every = 500
  return recipe.finish(config, arg)
