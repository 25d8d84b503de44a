"""Modes that train many runs to answer one question.

`advise` asks what to train a game with. `trials` plays games that are to be
compared, with several seeds each, as populations; `statistics` says what their
scores tell.
"""
