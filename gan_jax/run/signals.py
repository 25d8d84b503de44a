"""SIGTERM, Ctrl-C and SIGUSR1 end a run after its call, with a checkpoint."""

import contextlib
import os
import signal
import sys
import threading

# Exit status: as in shells 128 + number. SIGUSR1 is the warning of a batch
# system that the time is nearly over: 85 is ERESTART, for which HTCondor starts
# the run again.
STATUS = {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGUSR1: 85}


def before_the_run() -> None:
  """Makes these signals end the process at once: there is nothing to save yet.

  Libraries lose a KeyboardInterrupt that comes while they are imported; the
  default action of SIGINT cannot be lost. Where the shell ignores SIGINT, as
  for jobs in the background of a script, it stays ignored.
  """
  if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
  signal.signal(signal.SIGUSR1, lambda *_: os._exit(STATUS[signal.SIGUSR1]))


class StopRequest:
  """Remembers the first of these signals; the second one quits at once.

  But for Ctrl-C in an interpreter or notebook, which never quits.

  `with StopRequest() as stop:` and look at `stop.signum` between calls.

  A handler in Python runs only when the main thread is back from the device;
  until then two signals may have become one. So a thread reads the bytes that
  the interpreter writes to its wakeup descriptor for every signal, at once.
  """

  def __init__(self):
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
    os.close(self._write)  # ends the thread
    self._thread.join()

  @property
  def exit_status(self) -> int:
    """0 if no signal came."""
    return STATUS[self.signum] if self.signum else 0

  def _watch(self, read):
    while received := os.read(read, 64):
      for signum in received:  # a byte each, in their order
        if signum in STATUS:
          self._note(signum)
    os.close(read)

  def _note(self, signum):
    if self.signum and signum == signal.SIGINT and hasattr(sys, 'ps1'):
      return  # To quit would take along all that an interpreter holds.
    if self.signum:
      os._exit(STATUS[signum])
    self.signum = signum
    name = signal.Signals(signum).name
    with contextlib.suppress(OSError):  # standard error may be closed
      os.write(2, f'\n{name}: saving after this call; once more to quit at '
               'once\n'.encode())
