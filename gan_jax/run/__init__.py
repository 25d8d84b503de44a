"""Training loop, monitoring, files, checkpoints, multi-process.

`populations.train` is the entry point, `train.train` that of a lone run; views
also use `files`, `Checkpoints`, `Sampler`, `Evaluator`, `Best` and
`ScoreWriter`.

To begin: `start` checks the folder, `lock` keeps others out, `changes` says
what may differ from the last launch, `foreign_code` whose code a config may
name, `init_from` takes weights of another run. `member` is the folder of a run
while it trains, `states` what lies on the devices, `loader` plans the calls of
the compiled step. What a run writes: `files`, `results`, `writers`, `best` and
`checkpoint` with its `manifest`; `background` does it while the device works.
`means` and `clock` measure, `evaluator` draws and scores, `health` asks the
`detectors`, `signals` and `processes` stop all processes at one step. `status`
reads how far a run is.

A new detector is a function in `detectors`, entered in DETECTORS; a new
periodic output goes into `train.Loop._due`.
"""
