"""What writers left: warnings, events of TensorBoard, rows."""

import logging
import os
import struct

from tensorboardX.proto.event_pb2 import Event
from tensorboardX.record_writer import masked_crc32c


def names_in(folder):
  """Names, but of the file .ses that ONNX Runtime writes into TMPDIR."""
  return sorted({*os.listdir(folder)} - {'.ses'})


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
      assert struct.unpack('<I', record[8:12]) == (masked_crc32c(record[:8]),)
      assert struct.unpack('<I', record[-4:]) == (
          masked_crc32c(record[12:-4]),)
      events.append(Event.FromString(record[12:-4]))
  return events


ROWS = b'{"step": 10, "a": 1.0}\n{"step": 20, "a": 2.0}\n{"step": 30}\n'
