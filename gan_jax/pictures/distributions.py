"""All real against all generated examples: features and frequencies."""

import numpy as np
from matplotlib.figure import Figure

from gan_jax.pictures.overview import drawn

_REAL, _FAKE, _INK, _FAINT = '#0072B2', '#D55E00', '#333333', '#999999'
_DPI = 100
_DARKEST = 1e-9  # power below this is rounding, or an image of one colour


def principal_axes(real) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """The plane in which real features vary most.

  Principal components by singular values.  The sign of an axis, which is free,
  makes its largest entry positive.

  Args:
    real: [N, F].

  Returns:
    (mean [F], axes [2, F], share [2] of the variance), float64; what N or F of
    1 has not is 0.
  """
  real = np.asarray(real, np.float64)
  mean = real.mean(0)
  _, scale, axes = np.linalg.svd(real - mean, full_matrices=False)
  variance = scale ** 2
  share = variance / (variance.sum() or 1.0)
  sign = np.sign(np.take_along_axis(
      axes, np.abs(axes).argmax(1)[:, None], axis=1))
  missing = max(0, 2 - len(axes))
  return (mean, np.pad((sign * axes)[:2], ((0, missing), (0, 0))),
          np.pad(share[:2], (0, missing)))


def plane(real, fake, *, title):
  """Real and generated features in the plane of the real ones' main axes.

  Args:
    real: [N, F].
    fake: [M, F]; rows that are not finite are left out.
    title: the line above.

  Returns:
    uint8 [H', W', 3].
  """
  mean, directions, share = principal_axes(real)
  figure = Figure(figsize=(7.2, 6.6), dpi=_DPI, layout='constrained')
  axes = figure.add_subplot()
  for points, name, colour in ((real, 'real', _REAL),
                               (fake, 'generated', _FAKE)):
    points = (np.asarray(points, np.float64) - mean) @ directions.T
    points = points[np.isfinite(points).all(1)]
    axes.scatter(*points.T, s=9, color=colour, alpha=0.4, linewidths=0,
                 label=name)
  axes.set_aspect('equal', adjustable='datalim')
  axes.set(xlabel=f'first principal axis: {share[0]:.1%} of the variance',
           ylabel=f'second: {share[1]:.1%}')
  _dress(axes, title)
  _legend(axes, markerscale=2.5, alpha=0.9)
  return drawn(figure)


def spectrum(frequency, real, fake, *, title):
  """Power spectra: medians, and where 80 % of the real images are.

  Args:
    frequency: [R], cycles per pixel.
    real: power [N, R].
    fake: power [M, R].
    title: the line above.

  Returns:
    uint8 [H', W', 3].
  """
  figure = Figure(figsize=(8.0, 5.0), dpi=_DPI, layout='constrained')
  axes = figure.add_subplot()
  low, middle, high = np.quantile(np.maximum(real, _DARKEST), (0.1, 0.5, 0.9),
                                  axis=0)
  generated = np.median(np.maximum(fake, _DARKEST), axis=0)
  axes.fill_between(frequency, low, high, color=_REAL, alpha=0.2, linewidth=0,
                    label='10 % to 90 % of the real images')
  few = 'o' if len(frequency) < 30 else ''
  axes.plot(frequency, middle, color=_REAL, marker=few, markersize=3,
            label='real, median')
  axes.plot(frequency, generated, color=_FAKE, marker=few, markersize=3,
            label='generated, median')
  axes.axvline(0.5, color=_FAINT, linewidth=1.0, linestyle=(0, (4, 3)))
  axes.text(0.5, 0.02, ' beyond 1/2: diagonals only', fontsize=8, color=_FAINT,
            transform=axes.get_xaxis_transform())
  axes.set_yscale('log')
  axes.set(xlabel='frequency, cycles per pixel', ylabel='power',
           xlim=(0, 0.73))
  axes.grid(True, color='#E6E6E6', linewidth=0.7)
  _dress(axes, title)
  _legend(axes)
  return drawn(figure)


def _dress(axes, title):
  axes.set_title(title, loc='left', fontsize=11, fontweight='bold', color=_INK,
                 parse_math=False)
  axes.set_axisbelow(True)
  axes.spines[['top', 'right']].set_visible(False)
  axes.spines[['left', 'bottom']].set_color(_FAINT)
  axes.tick_params(which='both', labelsize=8, color=_FAINT, labelcolor=_INK)


def _legend(axes, alpha=None, **how):
  legend = axes.legend(loc='upper right', fontsize=9, framealpha=0.85,
                       edgecolor='none', labelcolor=_INK, **how)
  for handle in legend.legend_handles if alpha else ():
    handle.set_alpha(alpha)
