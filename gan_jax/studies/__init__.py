"""Modes that train many runs to answer one question.

`advise` asks what to train a game with. `trials` plays games that are to be
compared, with several seeds each, as populations; `statistics` says what their
scores tell.

`judge` plays an idea (`ideas`) beside baselines on `tasks`: `checks` look at it
first, `schedule` fits the runs into a budget, `workers` play them, and
`verdict` says what they tell, on the page of `verdict_page`.

`search` asks where in a `space` the scores are best: optuna proposes trials,
`batches` plays them, `pruning` stops some early, `search_page` shows them, and
`ray_workers` does it on a cluster. `plan` is what all its workers agree on.
"""
