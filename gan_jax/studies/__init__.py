"""Modes that train many runs to answer one question.

`advise` asks what to train a game with. `trials` plays games that are to be
compared, with several seeds each, as populations; `statistics` says what their
scores tell.

`search` asks where in a `space` the scores are best: optuna proposes trials,
`batches` plays them, `pruning` stops some early, `search_page` shows them, and
`ray_workers` does it on a cluster. `plan` is what all its workers agree on.
"""
