"""SIGTERM and Ctrl-C: end after the call in flight, with a checkpoint."""

import os
import signal


class StopRequest:
  """Remembers the first SIGTERM or SIGINT; the second one quits at once.

  `with StopRequest() as stop:` and ask `stop.signum` between calls. The exit
  status is 128 + the signal's number, as shells have it: 143 and 130.
  """

  def __init__(self):
    """Nothing has been asked for yet."""
    self.signum = 0

  def __enter__(self):
    self._old = {s: signal.signal(s, self._handle)
                 for s in (signal.SIGTERM, signal.SIGINT)}
    return self

  def __exit__(self, *exc):
    for signum, handler in self._old.items():
      signal.signal(signum, handler)

  @property
  def exit_status(self) -> int:
    """128 + signal, 0 if none came."""
    return 128 + self.signum if self.signum else 0

  def _handle(self, signum, frame):
    del frame
    if self.signum:
      os._exit(128 + signum)
    self.signum = signum
    name = signal.Signals(signum).name
    os.write(2, f'\n{name}: saving after this call; once more to quit at once\n'
             .encode())
