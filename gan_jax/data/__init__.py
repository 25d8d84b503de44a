"""Data sets, from files to index batches.

`load.load(spec)` makes the `prepare.Source` of a config: a function of
`sources` reads it, `geometry.Geometry` brings its images to one size, and
`pipeline.Batches` draws batches of indices. Other packages may import these,
`cache`, and `files` (checks of files). To add a format, write a function in
`sources`; sets of image files share `collection`.
"""
