"""SIGTERM, Ctrl-C, SIGUSR1: end after the call in flight, with a checkpoint."""

import contextlib
import os
import signal
import threading

# As shells have it, 128 + the number; but SIGUSR1, the warning of a batch
# system that the time is nearly over, asks to be started again: 85 is ERESTART,
# and the status for which HTCondor does so by itself.
STATUS = {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGUSR1: 85}


def before_the_run() -> None:
  """While there is nothing to save, these signals end the process at once.

  Libraries lose a KeyboardInterrupt that comes while they are imported; the
  default action of SIGINT cannot be lost.
  """
  if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
  signal.signal(signal.SIGUSR1, lambda *_: os._exit(STATUS[signal.SIGUSR1]))


class StopRequest:
  """Remembers the first of these signals; the second one quits at once.

  `with StopRequest() as stop:` and ask `stop.signum` between calls.

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
    self._old = {s: signal.signal(s, lambda *_: None) for s in STATUS}
    return self

  def __exit__(self, *exc):
    for signum, handler in self._old.items():
      signal.signal(signum, handler)
    signal.set_wakeup_fd(self._old_fd)
    os.close(self._write)  # Ends the thread.
    self._thread.join()

  @property
  def exit_status(self) -> int:
    """Of `STATUS`, 0 if no signal came."""
    return STATUS[self.signum] if self.signum else 0

  def _watch(self, read):
    while received := os.read(read, 64):
      for signum in received:
        if signum in STATUS:
          self._note(signum)
    os.close(read)

  def _note(self, signum):
    if self.signum:
      os._exit(STATUS[signum])
    self.signum = signum
    name = signal.Signals(signum).name
    with contextlib.suppress(OSError):  # Who reads it may be gone.
      os.write(2, f'\n{name}: saving after this call; once more to quit at '
               'once\n'.encode())
