"""Data sets, from files to batches of indices.

`load.load(spec)` makes the `prepare.Source` that a config names: a function of
`sources` reads it, `geometry` brings its images to one size. `pipeline.Batches`
draws from it, and `stream` reads what does not fit on the device. Other rooms
may import these, `cache`, and `files` for checks of a user's files. A new
format is a new function in `sources`; image files by name share `collection`.
"""
