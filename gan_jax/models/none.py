"""No network: for a game without a discriminator, or without an encoder."""

from gan_jax.models import base


class Discriminator(base.Absent):
  """None: the generator learns by its terms alone, such as `elbo`.

  With the loss `none`. The game then has one player, as a variational
  autoencoder.
  """

  heads: tuple[tuple[str, int], ...] = ()


class Encoder(base.Absent):
  """None: the generator has no inverse."""

  latent_size: int = 0
