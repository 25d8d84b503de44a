"""What is made of a finished run, or of data before one: a module a --mode.

`sample`, `evaluate`, `report`, `compare`, `inspect` and `export` each have a
function that takes folders and keyword arguments, writes files, and returns the
text that `gan_jax.main` prints. What cannot be had is a `RequestError`. To add
a view, write its module and its line in `main`.
"""
