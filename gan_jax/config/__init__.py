"""Parses, validates and builds a config.

`experiment.load(config)` returns an `Experiment` or raises all errors,
`population.load(config)` one or several that train together.

From the command line to the game: `command_line` parses flags, `recipe` reads
a file of configs/ and its arguments (`quick` is one of all recipes, `choices`
keeps what a user chose), `overrides` sets the values that flags give. `keys` is
the table of keys, `key_rules` checks each of them, `rules` and `game_rules`
several together, `hints` says what a mistake may have meant. `build` makes the
`Game`, `durations` parses '20 epochs' and schedules, `tracing` plays a step
without numbers, `repeatable` finds code of the user's own that is not the same
twice. `fields` looks up values by path.

To add a key, enter it in `keys.KEYS` and read it where it is used.
"""
