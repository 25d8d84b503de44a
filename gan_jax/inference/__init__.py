"""What a generator says of given examples: latents, densities, outliers.

Pure functions. A generator comes as `decode(u [B, Z], label [B]) -> [B, ...]`,
whose latents u have the prior N(0, I) and whose images lie in [0, 1]; see
`game.decoder`. It is a `jax.tree_util.Partial` with its weights among its
arguments, so that they enter a compiled program as data. Each job is one such
program: the examples go through it in chunks, all that belongs to a chunk
(starts, chains) at once.
"""

from gan_jax.inference.ais import bounds, log_density
from gan_jax.inference.completion import complete
from gan_jax.inference.evidence import evidence
from gan_jax.inference.inversion import each, errors, invert, noise_of, search
from gan_jax.inference.mcmc import posterior
from gan_jax.inference.noise import Likelihood, bernoulli, gaussian
from gan_jax.inference.outliers import anogan, f_anogan, judged

__all__ = ['Likelihood', 'anogan', 'bernoulli', 'bounds', 'complete', 'each',
           'errors', 'evidence', 'f_anogan', 'gaussian', 'invert',
           'judged', 'log_density', 'noise_of', 'posterior', 'search']
