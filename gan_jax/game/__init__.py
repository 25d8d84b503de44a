"""Training step as pure functions (no I/O, flags or device code).

A *game* is networks, losses and optimisers; its *players* are the two networks.
Read `step.py` first. `terms.py` has the parts of an update, `rules.py` the
`Game`, `state.py` the `TrainState`, `diagnosis.py` the logged scalars,
`sampling.py` the sampling. To add a prior or a schedule, write a function
in `latents.py` or `schedules.py`.
"""
