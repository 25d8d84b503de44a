"""Training loop, monitoring, files, checkpoints, multi-process.

`train.train` is the entry point; views also use `files`, `Checkpoints`,
`Sampler`, `Evaluator`, `Best` and `ScoreWriter`. A new detector is a function
in `detectors`, entered in DETECTORS; a new periodic output goes into
`train._Loop._due`.
"""
