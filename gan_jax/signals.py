"""SIGTERM and Ctrl-C: end after the call in flight, with a checkpoint."""

import os
import signal
import threading

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopRequest:
  """Remembers the first SIGTERM or SIGINT; the second one quits at once.

  `with StopRequest() as stop:` and ask `stop.signum` between calls. The exit
  status is 128 + the signal's number, as shells have it: 143 and 130.

  A Python handler would run only after the main thread has come back from the
  device, when two signals may have become one. So a thread reads the bytes that
  the interpreter's own handler writes for every signal, at once.
  """

  def __init__(self):
    """Nothing has been asked for yet."""
    self.signum = 0

  def __enter__(self):
    read, self._write = os.pipe()
    os.set_blocking(self._write, False)
    self._thread = threading.Thread(target=self._watch, args=(read,),
                                    daemon=True)
    self._thread.start()
    self._old_fd = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
    self._old = {s: signal.signal(s, lambda *_: None) for s in _SIGNALS}
    return self

  def __exit__(self, *exc):
    for signum, handler in self._old.items():
      signal.signal(signum, handler)
    signal.set_wakeup_fd(self._old_fd)
    os.close(self._write)  # Ends the thread.
    self._thread.join()

  @property
  def exit_status(self) -> int:
    """128 + signal, 0 if none came."""
    return 128 + self.signum if self.signum else 0

  def _watch(self, read):
    while received := os.read(read, 64):
      for signum in received:
        if signum in _SIGNALS:
          self._note(signum)
    os.close(read)

  def _note(self, signum):
    if self.signum:
      os._exit(128 + signum)
    self.signum = signum
    name = signal.Signals(signum).name
    os.write(2, f'\n{name}: saving after this call; once more to quit at once\n'
             .encode())
