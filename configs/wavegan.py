"""WaveGAN, sound as it is.  Donahue et al. 2019, arXiv:1802.04208.

  python -m gan_jax.main --config=configs/wavegan.py
  python -m gan_jax.main --config=configs/wavegan.py:small       two CPU cores

The paper's networks and constants: signals of 16,384 samples, one second at 16
kHz, kernels of 25 with stride 4 and 64 channels, no norm, phase shuffle of 2,
uniform z 100, WGAN-GP with five critic steps, Adam 1e-4 (0.5, 0.9), batch 64,
200,000 steps. The data are struck tones that are computed; the paper's are
spoken digits, drums, birds and a piano.

Departures: weights start from normal(0, 0.02), as in DCGAN, theirs from
Glorot's uniform; samples of averaged weights (0.999).

Measured: small, 1,000 steps in 21 minutes on one busy core of a Xeon; struck
tones that fade, of all three pitches. Of the energy, 91 % (median of 64) lies
at the strongest pitch, after 660 steps 76 %, of the data 100 %. The full size
has not been trained.
"""

from gan_jax.config import recipe


def get_config(arg=None):
  config = recipe.base()
  config.data = recipe.choice('data', 'tones')
  config.latent = recipe.choice('latent', 'uniform')
  for key in ('generator', 'discriminator'):
    config[key] = recipe.choice(key, f'dcgan.{key.capitalize()}') | dict(
        kernel=25, stride=4, norm='none')
  config.discriminator.phase_shuffle = 2
  config.loss = recipe.choice('loss', 'wasserstein')
  config.penalties = (recipe.term('penalties', 'wgan_gp'),)
  config.gen_optimizer = recipe.adam(1e-4, b1=0.5, b2=0.9)
  config.disc_optimizer = recipe.adam(1e-4, b1=0.5, b2=0.9)
  config.disc_steps = 5
  config.reuse_fakes = False
  config.train_steps = 200_000
  config.sample_every = 1000
  return recipe.finish(config, arg, small=small)


def small(config):
  """A quarter of the duration and of the width, half of the batch."""
  config.data.length = 4096
  config.batch_size = 32
  config.reuse_fakes = True
  for network, optimizer in ((config.generator, config.gen_optimizer),
                             (config.discriminator, config.disc_optimizer)):
    network.width = 16
    network.weight_std = 0.05  # With 0.02 so few channels start near silence.
    optimizer.learning_rate = 2e-4
  config.train_steps = 1000
  config.sample_every = 200
