"""BiGAN, and adversarially learned inference (ALI).

  python -m gan_jax.main --config=configs/bigan.py
  ...:ali                      codes are samples of q(z | x), not its mean
  ...:small                    two CPU cores
  ...:data=ring                MLPs on 8 Gaussians

Donahue et al. 2017, https://arxiv.org/abs/1605.09782; Dumoulin et al. 2017,
https://arxiv.org/abs/1606.00704. The discriminator judges pairs: a real image
and its code, or a generated image and its z. The encoder learns to make codes
that look like those of generated images, and so to invert the generator.

Digits: BiGAN's MLPs of two layers of 1,024 (appendix C.1), z 50 uniform in (-1,
1), Adam 2e-4 (0.5, 0.999), batch 128, the generator in the non-saturating form.

Measured: small, 130 s of CPU time, digits with specks, as of MLPs; an image and
its reconstruction are of one kind, not the same (docs/beyond.md). The full size
in its 4,688 steps: digits in noise, D is saturated from step 940 on, and the
reconstructions are farther from digits than their mean is. The paper has 40
times as many steps; `--config.train_steps='400 epochs'` has not been run.

Departures: layer norm where they have batch norm in the encoder and the
discriminator; no weight decay, theirs is 2.5e-5; images in [-1, 1], theirs in
[0, 1]; rates fall to 0 linearly in 60 epochs, theirs stay for 200 and fall for
200; samples of averaged weights (0.999). small: layers of 256, batch 64, rates
from 5e-4.
"""

from gan_jax.config import recipe


def get_config(arg=None):
  config = recipe.base()
  config.latent = recipe.choice('latent', 'uniform') | dict(size=50)
  widths = (1024, 1024)
  for key, norm in (('generator', 'batch'), ('encoder', 'layer'),
                    ('discriminator', 'layer')):
    config[key] = recipe.choice(key, f'mlp.{key.capitalize()}') | dict(
        widths=widths, norm=norm)
  config.discriminator.conditioning = 'onehot'
  config.joint = 'mean'
  config.batch_size = 128
  for key in ('gen_optimizer', 'disc_optimizer'):
    config[key] = recipe.adam(recipe.linear(2e-4), b1=0.5)
  config.train_steps = '60 epochs'
  config.sample_every = '10%'
  config.log_every = '2%'
  return recipe.finish(config, arg, ali=ali, small=small)


def small(config):
  """A quarter of the units, half of the batch, faster."""
  for key in ('generator', 'encoder', 'discriminator'):
    config[key].widths = (256, 256)
  config.batch_size = 64
  for key in ('gen_optimizer', 'disc_optimizer'):
    config[key].learning_rate = recipe.linear(5e-4)
  config.train_steps = 10_000


def ali(config):
  """D judges samples of q(z | x)."""
  config.joint = 'sample'
