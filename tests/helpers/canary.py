"""What shows that a pickle was loaded."""

import os


class Canary:
  """Unpickled, it makes a folder."""

  def __init__(self, path):
    self.path = str(path)

  def __reduce__(self):
    return os.mkdir, (self.path,)
