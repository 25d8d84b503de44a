"""--mode=compare: runs ranked by their scores, ten thousand of them in seconds.

`folders` finds run folders and reads what their files say; `store` keeps that
in an index in SQLite and answers from it, for the runs that `filters` select;
`ranking` makes points of runs, means over seeds, and an order. What is written:
`board` has Markdown, CSV and a frame, `page` HTML, `bibliography` BibTeX.

To list runs imports no JAX, NumPy or pandas, which take longer than all the
rest; what needs them imports them where it is called.
"""

from gan_jax.views.leaderboard.board import compare, load
from gan_jax.views.leaderboard.folders import find, settings_of
from gan_jax.views.leaderboard.ranking import heads

__all__ = ['compare', 'find', 'heads', 'load', 'settings_of']
