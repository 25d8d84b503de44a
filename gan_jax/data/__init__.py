"""Data sets, from files to batches of indices.

`load.load(spec)` makes the `prepare.Source` that a config names: a function of
`sources` reads it, `geometry` makes all images one size. `pipeline.Batches` draws
from it and `stream` reads what does not fit on the device. Other rooms import
these, `cache`, and `files` for checks of a user's files. Where a new format
goes: see `sources`; image files by name share `collection`.
"""
