"""--mode=report: an HTML page of runs, with samples beside training images.

`page` writes it, from the `records` of its runs and the templates. `modes` says
of what: of a checkpoint, with the pictures of `drawing`; of several runs, in
the same plots; or of runs that go on, which `serve` serves.
"""

from gan_jax.views.report.modes import follow, overlay, report, runs

__all__ = ['follow', 'overlay', 'report', 'runs']
