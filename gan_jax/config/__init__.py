"""Parses, validates and builds a config.

`experiment.load(config)` returns an `Experiment` or raises all errors,
`population.load(config)` one or several that train together.
`keys.py` is the table of keys, `key_rules.py` checks each of them, `rules.py`
and `game_rules.py` several together, `hints.py` says what a mistake may have
meant. `build.py` makes the `Game`, `durations.py` parses '20 epochs' and
schedules, `recipe.py` has helpers for configs/, `command_line.py` parses flags,
`overrides.py` those that set values of a config.
To add a key, enter it in `keys.KEYS` and read it where it is used.
"""
