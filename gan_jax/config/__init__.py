"""From a config to what runs.

`experiment.load(config)` -> all that a run needs, or every mistake at once.
`keys.py` is the table of keys, `rules.py` what fits together, `build.py` makes
the game, `durations.py` reads '20 epochs' and schedules, `recipe.py` is what
the files in configs/ start from, `command_line.py` reads flags. To add a key,
enter it in `keys.KEYS` and read it where it is used.
"""
