"""Modes that train many runs to answer one question.

`advise` asks what to train a game with. `judge` plays an idea (`ideas`) beside
baselines on `tasks`: `checks` look at it first, `schedule` fits the runs into a
budget, `workers` play them, and `verdict` says what they tell, on the page of
`verdict_page`. `trials` plays games that are to be compared, with several seeds
each, as populations; `statistics` says what their scores tell.
"""
