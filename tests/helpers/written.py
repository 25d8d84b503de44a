"""What writers left: warnings, events of TensorBoard, rows."""

import logging
import struct

from tensorboardX.proto.event_pb2 import Event

from gan_jax.run import writers as scalars_module


def warnings_of(caplog):
  return [r.getMessage() for r in caplog.records
          if r.levelno >= logging.WARNING]


def events_of(workdir):
  """All events of the TensorBoard files, oldest file first."""
  events = []
  for path in sorted((workdir / 'tensorboard').iterdir()):
    data = path.read_bytes()
    while data:
      size, = struct.unpack('<Q', data[:8])
      record, data = data[:size + 16], data[size + 16:]
      assert record[8:12] == scalars_module._checksum(record[:8])
      assert record[-4:] == scalars_module._checksum(record[12:-4])
      events.append(Event.FromString(record[12:-4]))
  return events


ROWS = b'{"step": 10, "a": 1.0}\n{"step": 20, "a": 2.0}\n{"step": 30}\n'
