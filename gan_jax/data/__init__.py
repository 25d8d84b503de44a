"""Data sets, from files to index batches.

`load.load(spec)` makes the `prepare.Source` of a config: a function of
`sources` reads it, `geometry.Geometry` brings its images to one size, and
`pipeline.Batches` draws batches of indices. To add a format, write a function
in `sources`.

What the sources share, from the ground up: `files` checks paths and words what
is wrong with them, `sniff` tells formats by content, `threads` reads many files
at once, `blocks` parts of large ones. `images` decodes a file, `values` decides
which number is black and which white, `bad_files` what happens to a file that
cannot be used. `labels` finds the label of each file, by the names that
`named_files` matches; `label_values` makes classes or label vectors of them,
`columns` vectors of a table. `collection` puts these together for sets of many
files, and keeps what they decode to in the `cache`.
"""
