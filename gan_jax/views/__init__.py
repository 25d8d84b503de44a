"""The modes other than training: what is made of a run, one module each.

Each has a function that takes folders and keyword arguments, writes files, and
returns the text that `gan_jax.main` prints; impossible requests raise
`RequestError`. To add one, write its module and its line in `main`.

`sample`, `evaluate`, `export`, `explore` and `inspect` are such modules;
`invert`, `outliers` and `complete` look at images that a user has `given`.
`report` draws the pictures of a `page`, which `serve` serves while a run writes
its `records`. `leaderboard` compares runs. `trained` is a run in Python, with
labels as they are `asked` for, and `api` what `import gan_jax` offers.
"""
