"""--mode=judge: is an idea better than baselines, on small tasks?

`ideas` reads the idea as arguments that make a game of a plain one; `tasks` are
the plain games and the baselines. `checks` plays one step of each, and `plan`
says which tasks fit into the budget, and for how many steps. A `study` is the
folder whose stages (measured, tuned, tested) `workers` play; `verdict` tells
what their scores bear, in numbers and sentences, and `page` writes it.
`launch` does all this in order.
"""

from gan_jax.studies.judge.launch import judge

__all__ = ['judge']
