"""Modes that train many runs to answer one question.

`advise` asks what to train a game with, `judge` whether an idea is better than
baselines, `search` where in a space of configs the scores are best. They do not
know of each other. What they share: `trials` plays games that are to be
compared, with several seeds each, as populations; `statistics` says what the
scores of several seeds tell.
"""
