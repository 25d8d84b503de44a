"""From a config to what runs: the only reader of names in a config."""

from gan_jax.experiment.describe import describe
from gan_jax.experiment.load import Experiment, game_of_run, load, plain
from gan_jax.experiment.rules import Facts, facts_of, initial_state, make_game

__all__ = ['Experiment', 'Facts', 'describe', 'facts_of', 'game_of_run',
           'initial_state', 'load', 'make_game', 'plain']
