"""The modes other than training: what is made of a run, one module each.

Each has a function that takes folders and keyword arguments, writes files, and
returns the text that `gan_jax.main` prints; impossible requests raise
`RequestError`. To add one, write its module and its line in `main`.

`sample`, `evaluate`, `export`, `explore` and `inspect` are such modules;
`invert`, `outliers` and `complete` look at images that a user has `given`.
`report` and `leaderboard`, the page of a run and the table of many, are rooms
of their own. `trained` is a run in Python, with labels as they are `asked` for;
`records` are its files while it trains. `api` is what `import gan_jax` offers.
"""
