"""Parses, validates and builds a config.

`experiment.load(config)` returns an `Experiment` or raises all errors,
`population.load(config)` one or several that train together.
`keys.py` is the table of keys, `rules.py` and `game_rules.py` have cross-key
validation, `build.py` makes the `Game`, `durations.py` parses '20 epochs' and
schedules, `recipe.py` has helpers for configs/, `command_line.py` parses flags.
To add a key, enter it in `keys.KEYS` and read it where it is used.
"""
