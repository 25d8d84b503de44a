"""The life of a run: its loop, health, folder, checkpoints and processes.

`train.train` is the way in; views also use `files`, `Checkpoints`, `Sampler`,
`Evaluator`, `Best` and `ScoreWriter`. A new detector is a function in `health`,
entered in DETECTORS; what is due at some steps is added to `train._Loop._due`.
"""
