"""The progress of a run, on a terminal or in a log."""

import sys

import tqdm

_SHOWN = (('loss/disc', 'loss/disc'), ('loss/gen', 'loss/gen'),
          ('perf/images_per_second', 'images/s'))


class ProgressBar:
  """Shows how far a run is: a bar on a terminal, else one line per update."""

  def __init__(self, total, *, initial=0, file=None, show=_SHOWN):
    """Starts the bar.

    Args:
      total: steps of the whole run.
      initial: step that it starts from.
      file: text stream, standard error by default.
      show: (name, label) of the scalars to show; missing ones are skipped.
    """
    self._file = sys.stderr if file is None else file
    self._total, self._show, self._bar = total, show, None
    if self._file.isatty():
      self._bar = tqdm.tqdm(total=total, initial=initial, file=self._file,
                            dynamic_ncols=True, unit='step')

  def update(self, step, scalars):
    """Moves to `step` and shows some of `scalars` {name: number or None}."""
    shown = {label: _short(scalars[name]) for name, label in self._show
             if name in scalars}
    try:
      if self._bar is None:
        parts = [f'step {step}/{self._total}']
        parts += [f'{label} {value}' for label, value in shown.items()]
        print('  '.join(parts), file=self._file, flush=True)
      else:
        self._bar.set_postfix(shown, refresh=False)
        self._bar.update(step - self._bar.n)
    except OSError:
      pass  # a log on a full disk, a closed pipe: no reason to end the run

  def close(self):
    """Leaves the bar as it stands."""
    if self._bar is not None:
      self._bar.close()

  def __enter__(self):
    """Returns itself."""
    return self

  def __exit__(self, *_):
    """Closes it."""
    self.close()


def _short(value):
  """1.23456 -> '1.235', 51234.5 -> '51,234', None -> 'null'."""
  if value is None:
    return 'null'
  value = float(value)
  return f'{value:,.0f}' if 1e4 <= abs(value) < 1e9 else f'{value:.4g}'
