"""What is made of a finished run, or of data before one: a module a --mode.

`sample`, `evaluate`, `report`, `compare` and `inspect` each have a function
that takes folders and keyword arguments, writes files, and returns the text
that `gan_jax.main` prints. What cannot be had is a `RequestError`. To add a
view, write its module and its line in `main`.
"""
