"""The modes other than training, one module each.

`sample`, `evaluate`, `report`, `compare`, `inspect`, `export` and `explore`
each have a function that takes folders and keyword arguments, writes files, and
returns the text that `gan_jax.main` prints; impossible requests raise
`RequestError`. To add one, write its module and its line in `main`. `trained`
is a run in Python, `api` what `import gan_jax` offers, `store` the index of the
runs that `compare` lists.
"""
