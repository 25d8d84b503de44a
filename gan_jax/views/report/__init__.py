"""--mode=report: a page of pictures of what a trained run draws."""

from gan_jax.views.report.write import report

__all__ = ['report']
