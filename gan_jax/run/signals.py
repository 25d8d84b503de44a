"""Stops after the current chunk on SIGINT/SIGTERM/SIGUSR1."""

import contextlib
import os
import signal
import sys
import threading

# Exit status: 128 + number as in shells. Batch systems send SIGUSR1 before the
# time limit: 85 (ERESTART) requests a restart.
STATUS = {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGUSR1: 85}


def before_the_run() -> None:
  """Lets these signals end the process at once, as there is nothing to save.

  A KeyboardInterrupt may get lost while libraries are imported; the default
  action of SIGINT cannot. If the shell ignores SIGINT (background jobs), it
  stays ignored.
  """
  if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
  signal.signal(signal.SIGUSR1, lambda *_: os._exit(STATUS[signal.SIGUSR1]))


class StopRequest:
  """Notes the first of these signals in `signum`; exits on the second.

  In an interpreter or notebook a second Ctrl-C is ignored.

  A Python handler runs only when the main thread returns from the device, by
  when two signals may have become one. So a thread reads the bytes that the
  interpreter writes to its wakeup descriptor for every signal.
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
    """Exit status, 0 without a signal."""
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
      os.write(2, f'\n{name}: saving after the current chunk; a second '
               'signal quits at once\n'.encode())
