"""TensorBoard event files."""

import os
import struct
import time

from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.proto.summary_pb2 import Summary
from tensorboardX.record_writer import masked_crc32c

from gan_jax import pictures
from gan_jax.base.files import Appender
from gan_jax.loggers.base import Logger


class tensorboard(Logger):
  """Event files in WORKDIR/tensorboard.

  Only the messages of tensorboardX are used: on a full disk the thread of its
  SummaryWriter dies and the eleventh event blocks for ever, and two runs within
  a second write to the same file.
  """

  def open(self, folder, step, config):
    """Starts a file."""
    self._events = Appender(os.path.join(
        folder, 'tensorboard',
        f'events.out.tfevents.{time.time():.6f}.{os.getpid()}'))
    self._event(file_version='brain.Event:2')

  def write(self, step, scalars):
    """Adds an event."""
    self._event(step=step, summary=Summary(value=[
        Summary.Value(tag=name, simple_value=number)
        for name, number in scalars.items()]))

  def image(self, step, name, image):
    """Adds an event."""
    height, width, channels = image.shape
    picture = Summary.Image(height=height, width=width, colorspace=channels,
                            encoded_image_string=pictures.png(image))
    self._event(step=step, summary=Summary(
        value=[Summary.Value(tag=name, image=picture)]))

  def rewind(self, step):
    """Makes TensorBoard hide earlier events after `step`."""
    self._event(step=step + 1 if step else 0,
                session_log=SessionLog(status=SessionLog.START))

  def flush(self):
    """Fsyncs everything written."""
    self._events.flush()

  def close(self):
    """Closes the file; idempotent."""
    self._events.close()

  def _event(self, **fields):
    """Appends a record in TensorFlow's format: length, data, checksums."""
    data = Event(wall_time=time.time(), **fields).SerializeToString()
    size = struct.pack('<Q', len(data))
    self._events.append(b''.join(
        part + struct.pack('<I', masked_crc32c(part)) for part in (size, data)))
