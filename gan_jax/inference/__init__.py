"""What a generator says of given examples: latents, densities, outliers.

Pure functions. A generator comes as `decode(u [B, Z], label [B]) -> [B, ...]`,
whose latents u have the prior N(0, I) and whose images lie in [0, 1]; see
`game.decoder`. It is a `jax.tree_util.Partial` with its weights among its
arguments, so that they enter a compiled program as data. Each job is one such
program: the examples go through it in chunks, all that belongs to a chunk
(starts, chains) at once.
"""
