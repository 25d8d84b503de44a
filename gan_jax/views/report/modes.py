"""The page of a run, of several runs, and of runs that are still training."""

import contextlib
import os
import signal
import time
from collections.abc import Mapping, Sequence

from gan_jax.base.errors import RequestError, WorkdirError
from gan_jax.base.files import refused
from gan_jax.views import leaderboard
from gan_jax.views.report import drawing
from gan_jax.views.report.page import Page
from gan_jax.views.report.serve import serving


def report(folder: str, *, step: int = 0, extractor: Mapping | None = None,
           seed: int = 0, out: str = '') -> str:
  """Writes the report of a checkpoint to WORKDIR/report/.

  It has pictures, and index.html with these, curves, sample grids over time,
  scores, findings and config. Returns what was written.

  Args:
    folder: the run folder.
    step: of the checkpoint, 0 for the newest.
    extractor: dict(name=...) of `gan_jax.extractors`, None for the fixed random
      network.
    seed: of the latents and the choice of real examples.
    out: another folder for the page.

  Raises:
    WorkdirError, CheckpointError, ConfigError, DataError, RequestError: with a
      fix.
  """
  page = _page([folder], out)  # Before anything is drawn.
  run = drawing.Run(folder, step, seed, extractor)
  page.write(list(drawing.draw(run)), run.step)
  return f'step {run.step} in {os.path.join(page.out, "index.html")}'


def overlay(folders: Sequence[str], *, out: str = '') -> str:
  """Writes a page that overlays several runs; returns what was written.

  `out`: folder of the page; by default `report` beside them.

  Raises:
    WorkdirError, RequestError: with a fix.
  """
  page = _page(folders, out)
  page.write()
  return (f'{len(page.records)} runs in '
          + os.path.join(page.out, 'index.html'))


def follow(folders: Sequence[str], *, out: str = '', port: int = 0) -> str:
  """Serves the page, updated as the runs continue, until Ctrl-C.

  Of one run folder, or of several to overlay; it draws no pictures, as training
  may need the whole device. `out`: folder of the page, by default `report` in
  the folder or beside them. `port`: on 127.0.0.1, 0 for a free one.

  Raises:
    WorkdirError, RequestError: with a fix.
  """
  page = _page(folders, out)
  with serving(page, port) as url:
    print(f'{url}  (Ctrl-C stops the server, not the run)', flush=True)
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
      signal.signal(signal.SIGINT, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
      while True:
        time.sleep(1)
  return f'the last state is in {os.path.join(page.out, "index.html")}'


def runs(patterns: Sequence[str]) -> list[str]:
  """Run folders that match, each once; see `leaderboard.find`.

  Raises:
    WorkdirError: there is none.
  """
  found = {os.path.abspath(folder): folder
           for folder in leaderboard.find(patterns)
           if os.path.exists(os.path.join(folder, 'config.json'))}
  if not found:
    raise WorkdirError(f'no run in {", ".join(patterns)}: give the folders of '
                       "runs, for example 'runs/sweep/*'")
  return [*found.values()]


def _page(folders, out):
  if out and not os.path.exists(os.path.join(out, 'data.js')) and (
      os.path.exists(os.path.join(out, 'index.html'))):
    raise RequestError(f'--out={out}: has an index.html of another program; '
                       'give another folder')
  beside = folders[0] if len(folders) == 1 else os.path.commonpath([
      os.path.dirname(os.path.abspath(folder)) for folder in folders])
  page = Page(folders, out or os.path.join(beside, 'report'))
  if why := refused(os.path.join(page.out, 'index.html')):
    raise WorkdirError(f'{page.out}: cannot write it: {why}; --out=FOLDER '
                       'writes it elsewhere')
  return page
