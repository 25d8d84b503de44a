"""BigGAN.  Brock et al. 2019, https://arxiv.org/abs/1809.11096.

  python -m gan_jax.main --config=configs/biggan.py

z in chunks for each block, one class embedding shared by all conditional norms,
orthogonal starts, spectral norm in both, projection, hinge, Adam 5e-5 for G and
2e-4 for D (0, 0.999), two discriminator steps, orthogonal regularisation 1e-4
of G, average 0.9999, truncation when sampling (`--mode=sample
--truncation=0.5`).

Departures: 32 channels, batch 64 and 20,000 steps for the digits (the paper:
96, 2048, and 100,000 or more). The average begins with the first weights, of
which 0.9999^n is left after n steps, 14 % at the end; `--config.ema_rampup=0.3`
forgets them and still ends near 0.9999.
"""

from gan_jax.config import recipe


def get_config(arg=None):
  config = recipe.base()
  config.latent.size = 120
  config.generator = recipe.choice('generator', 'biggan.Generator') | dict(
      width=32)
  config.discriminator = recipe.choice(
      'discriminator', 'biggan.Discriminator') | dict(width=32)
  config.loss = dict(name='hinge')
  config.gen_optimizer = recipe.adam(5e-5, b1=0.0)
  config.disc_optimizer = recipe.adam(2e-4, b1=0.0)
  config.disc_steps = 2
  config.reuse_fakes = False
  config.penalties = (recipe.term('penalties', 'orthogonal'),)
  config.penalties[0].player = 'gen'
  config.ema_decay = 0.9999
  config.ema_rampup = 0.0  # It would hold the decay below the paper's.
  config.train_steps = recipe.duration(20_000)
  return recipe.finish(config, arg)
