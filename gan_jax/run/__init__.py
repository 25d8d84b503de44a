"""Training loop, monitoring, files, checkpoints, multi-process.

`populations.train` is the entry point, `train.train` that of a lone run; views
also use `files`, `Checkpoints`, `Sampler`, `Evaluator`, `Best` and
`ScoreWriter`. A new detector is a function in `detectors`, entered in
DETECTORS; a new periodic output goes into `train.Loop._due`.
"""
